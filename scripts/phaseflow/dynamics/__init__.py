"""Vector fields and the engines that integrate them."""
