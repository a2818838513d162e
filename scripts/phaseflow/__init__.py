"""Numerical experiments with differential equations and optimisation; every number with its evidence."""
