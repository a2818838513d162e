"""The config language: typed, checked, and explained in one place."""
