"""Equations that were found, beside those of the system that made the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from phaseflow.dynamics.libraries import Features
from phaseflow.dynamics.shooting import Array
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.polynomials import Monomial, collect, expand, format_monomial
from phaseflow.settings.systems import System

# Values of a true equation that a sum of the library's terms gives to this share are that sum; shares below it are zeros.
_SAME = 1e-9


def find_truth(system: System, features: Features, states: Array) -> dict[str, dict[str, float]] | None:
    """Return the true coefficients of each equation, by the labels of terms; nothing where they cannot be known.

    Of polynomials they are exact, also where the library lacks a term; other equations must be sums of the library's terms on the data.
    """
    if set(system.equations) != set(features.states):
        return None
    values = {name: quantity.exact if quantity.exact is not None else quantity.value for name, quantity in system.parameters.items()}
    try:
        expanded = [collect(expand(system.equations[s].tree), {**values, "pi": np.pi, "e": np.e}) for s in features.states]
    except ValueError:
        return _project(system, features, states)
    if any(name not in features.states for polynomial in expanded for monomial in polynomial for name, _ in monomial):
        return None
    return {state: _label(polynomial) for state, polynomial in zip(features.states, expanded, strict=True)}


def _label(polynomial: dict[Monomial, Any]) -> dict[str, float]:
    return {format_monomial(monomial): float(value) for monomial, value in polynomial.items()}


def _project(system: System, features: Features, states: Array) -> dict[str, dict[str, float]] | None:
    """Return the coefficients with which the library's terms give the values of the true equations; nothing where they do not."""
    design = features.evaluate(states)
    norms = np.linalg.norm(design, axis=0)
    names = {name: quantity.value for name, quantity in system.parameters.items()} | dict(zip(features.states, states.T, strict=True))
    found = {}
    for state in features.states:
        try:
            slope = np.broadcast_to(evaluate(system.equations[state].tree, names), len(states))
        except KeyError:
            return None
        scaled = np.linalg.lstsq(design / norms, slope)[0]
        if np.linalg.norm(design / norms @ scaled - slope) > _SAME * np.linalg.norm(slope):
            return None
        is_there = np.abs(scaled) > np.sqrt(_SAME) * np.abs(scaled).max()
        found[state] = {label: float(value) for label, value, is_in in zip(features.labels, scaled / norms, is_there, strict=True) if is_in}
    return found


def compare(found: pd.DataFrame, state: str, labels: Sequence[str], truth: dict[str, float] | None) -> pd.DataFrame:
    """Put the true coefficients beside the found ones; a true term that was not found is a row with the estimate 0."""
    if truth is None:
        return found.assign(truth=np.nan, relative_error=np.nan, standing="unknown")
    missing = [name for name in truth if name not in set(found["feature"])]
    rows = {"term": [f"{state}' : {name}" for name in missing], "estimate": 0.0, "equation": state, "feature": missing, "decided": True}
    both = pd.concat([found, pd.DataFrame(rows)], ignore_index=True) if missing else found
    order = {name: place for place, name in enumerate([*labels, *(name for name in missing if name not in labels)])}
    both = both.sort_values("feature", key=lambda column: column.map(order), kind="stable", ignore_index=True)
    values = np.array([truth.get(name, 0.0) for name in both["feature"]])
    estimates = both["estimate"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.abs(estimates - values) / np.abs(values)
    standing = np.select(
        [(estimates == 0) & (values != 0), (estimates != 0) & (values == 0), estimates != 0], ["missing", "false", "found"], "absent"
    )
    return both.assign(truth=values, relative_error=np.where(values == 0, np.nan, errors), standing=standing)


def score(terms: pd.DataFrame, is_known: bool) -> dict[str, Any]:
    """Count the terms found, missing and false, where the truth is known."""
    if not is_known:
        return {"is_truth_known": False}
    counts = {f"terms_{standing}": int((terms["standing"] == standing).sum()) for standing in ("found", "missing", "false")}
    return {"is_truth_known": True, **counts, "largest_relative_error": float(terms["relative_error"].max())}
