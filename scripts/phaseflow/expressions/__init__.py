"""Formulas as text: parsed by a whitelist, kept exact, never evaluated as code."""
