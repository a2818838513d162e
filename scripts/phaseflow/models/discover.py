"""Sparse identification of equations from trajectories, in the weak form.

Each derivative is a sum of few monomials. Sequential thresholding drops terms that contribute less than a share of the
derivative's size and fits again until none is dropped; least squares on what is left gives the coefficients. The
threshold is the one whose model has the fewest terms among those that predict the last fifth of each trajectory as well
as the best does, within one standard error. Errors of coefficients allow for rows that share samples.

Source: Brunton, Proctor and Kutz (2016), PNAS 113, 3932-3937; Breiman et al. (1984), Classification and Regression Trees,
sec. 3.4.3 (one standard error); Newey and West (1987), Econometrica 55, 703-708.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phaseflow.errors import DataError
from phaseflow.expressions.polynomials import Monomial, collect, expand, format_monomial
from phaseflow.models import Fitted, Model
from phaseflow.models._least_squares import Array, check_design, solve_least_squares, tabulate_terms
from phaseflow.models._trajectories import list_states, split_members
from phaseflow.models._weak_form import WeakForm, build_weak_form, list_monomials
from phaseflow.settings.fits import Discover, Fit
from phaseflow.settings.systems import System

# Shares of a derivative: all terms, then from what is surely rounding to more than all of it.
_PATH = np.array([0.0, *np.geomspace(1e-10, 10, 111)])
_TRAINING = 0.8
# Held-out errors below this share of the derivative count as equal: so near, a term more proves nothing.
_EXACT = 1e-4
_FEWEST_WINDOWS = 4


def fit_discover(fit: Fit, table: pd.DataFrame, source: str, _rng: np.random.Generator) -> Fitted:
    """Find the equations of the states of a table of trajectories.

    Raises
    ------
    DataError : a column cannot be used, times are uneven, the trajectories are too short, or a state does not vary.
    """
    asked, states = fit.discover or Discover(), list_states(table, fit.inputs)
    samples, dt = split_members(table, states, source)
    monomials = list_monomials(states, asked.library.polynomial)
    _check_samples(samples, states, asked.window, len(monomials), source)
    weak = build_weak_form(samples, dt, states, monomials, asked.window)
    labels = [format_monomial(monomial) for monomial in monomials]
    check_design(labels, weak.features, source, "take a lower degree, or trajectories that visit more of the state space")
    path = np.array([asked.threshold.value]) if asked.threshold is not None else _PATH
    truth = expand_truth(fit.truth, states) if isinstance(fit.truth, System) else None
    terms, paths, about = [], [], {}
    for place, state in enumerate(states):
        choice = choose_terms(weak, place, path, asked.window)
        found = _tabulate(state, weak, choice, place, labels, asked.window, fit.confidence.value)
        terms.append(_compare(found, state, labels, {format_monomial(m): v for m, v in truth[state].items()} if truth else None))
        paths.append(choice.path.assign(equation=state))
        about[state] = _describe_equation(state, found, choice)
    table_of_terms = pd.concat(terms, ignore_index=True)
    statistics = {
        "model": "discover",
        "table": fit.to,
        "confidence": fit.confidence.value,
        "observations": sum(len(sample) for sample in samples),
        "members": len(samples),
        "dt": dt,
        "library": labels,
        "window": asked.window,
        "equations": about,
        **_score(table_of_terms, truth is not None),
    }
    return Fitted(table_of_terms, statistics, pd.concat(paths, ignore_index=True))


def expand_truth(system: System, states: Sequence[str]) -> dict[str, dict[Monomial, Any]] | None:
    """Return the true coefficients of each equation's monomials; nothing where the system has other states or no polynomials."""
    if set(system.equations) != set(states):
        return None
    values = {name: quantity.exact if quantity.exact is not None else quantity.value for name, quantity in system.parameters.items()}
    try:
        return {state: collect(expand(system.equations[state].tree), {**values, "pi": np.pi, "e": np.e}) for state in states}
    except ValueError:
        return None


@dataclass(frozen=True)
class Choice:
    """The terms that were chosen for one equation.

    Attributes
    ----------
    path : a row a support: threshold, n_terms, held_out_error (as a share of the derivative), is_chosen.
    """

    support: NDArray[np.bool_]
    path: pd.DataFrame

    @property
    def chosen(self) -> pd.Series[Any]:
        """The row of the path that was chosen."""
        return self.path[self.path["is_chosen"]].iloc[0]


def choose_terms(weak: WeakForm, state: int, path: Array, window: int) -> Choice:
    """Choose the fewest terms that predict the later part of each trajectory as well as the best do."""
    training, later = _split(weak, window)
    size = float(np.sqrt((weak.slopes[:, state] ** 2).mean()))
    supports: dict[bytes, tuple[float, NDArray[np.bool_]]] = {}
    for threshold in path:
        support = threshold_terms(training.features, training.slopes[:, state], float(threshold))
        supports.setdefault(support.tobytes(), (float(threshold), support))
    rows = [
        (threshold, int(support.sum()), *_hold_out(training, later, state, support, window)) for threshold, support in supports.values()
    ]
    frame = pd.DataFrame(rows, columns=["threshold", "n_terms", "mean_square", "uncertainty"])
    best = frame.loc[frame["mean_square"].idxmin()]
    limit = max(best["mean_square"] + best["uncertainty"], (_EXACT * size) ** 2)
    place = int(frame["n_terms"].where(frame["mean_square"] <= limit).idxmin())
    error = np.sqrt(frame["mean_square"]) / size
    shown = frame[["threshold", "n_terms"]].assign(held_out_error=error, is_chosen=frame.index == place)
    return Choice(list(supports.values())[place][1], shown)


def threshold_terms(features: Array, derivative: Array, threshold: float) -> NDArray[np.bool_]:
    """Return which terms are left when those that contribute less than a share of the derivative are dropped again and again."""
    sizes = np.linalg.norm(features, axis=0)
    scaled = features / sizes
    # One QR for all subsets: least squares on columns of R is least squares on those of the design.
    orthogonal, triangle = np.linalg.qr(scaled)
    projected = orthogonal.T @ derivative
    support = np.ones(len(sizes), dtype=bool)
    while support.any():
        contributions = np.linalg.lstsq(triangle[:, support], projected)[0]
        is_large = np.abs(contributions) >= threshold * np.linalg.norm(derivative)
        if is_large.all():
            break
        support[support] = is_large
    return support


def _split(weak: WeakForm, window: int) -> tuple[WeakForm, WeakForm]:
    """Return the rows of the first part of each member, and those of the rest that share no sample with them."""
    ends = np.zeros(weak.members.max() + 1)
    np.maximum.at(ends, weak.members, weak.places + window)
    cut = _TRAINING * ends[weak.members]
    return weak.select(weak.places + window < cut), weak.select(weak.places - window >= cut)


def _hold_out(training: WeakForm, later: WeakForm, state: int, support: NDArray[np.bool_], window: int) -> tuple[float, float]:
    """Return the mean square error on the later part and its standard error, from windows that do not overlap."""
    errors = later.slopes[:, state].copy()
    if support.any():
        errors -= later.features[:, support] @ solve_least_squares(training.features[:, support], training.slopes[:, state]).estimates
    blocks = np.array_split(errors**2, max(2, len(errors) // (2 * window + 1)))
    means = np.array([block.mean() for block in blocks])
    return float((errors**2).mean()), float(means.std(ddof=1) / np.sqrt(len(means)))


def _tabulate(state: str, weak: WeakForm, choice: Choice, place: int, labels: list[str], window: int, confidence: float) -> pd.DataFrame:
    names = [label for label, is_kept in zip(labels, choice.support, strict=True) if is_kept]
    estimates = errors = np.empty(0)
    freedom = max(1, len(weak.places) // (2 * window + 1) - len(names))
    if names:
        solution = solve_least_squares(weak.features[:, choice.support], weak.slopes[:, place])
        estimates = solution.estimates
        # Rows up to two windows apart share samples; residuals of such rows are alike, so their products count too.
        pulls = (weak.features[:, choice.support] * solution.residuals[:, None]) @ solution.inverse
        spread = pulls.T @ pulls
        for lag in range(1, 2 * window + 1):
            is_same = (weak.members[lag:] == weak.members[:-lag])[:, None]
            product = (pulls[lag:] * is_same).T @ pulls[:-lag]
            spread += (1 - lag / (2 * window + 1)) * (product + product.T)
        covariance = solution.inverse @ spread @ solution.inverse.T
        errors = np.sqrt(np.maximum(np.diag(covariance), 0))
    terms = tabulate_terms([f"{state}' : {name}" for name in names], estimates, errors, freedom, confidence)
    return terms.drop(columns=["t", "p"]).assign(equation=state, feature=names)


def _compare(found: pd.DataFrame, state: str, labels: list[str], truth: dict[str, Any] | None) -> pd.DataFrame:
    """Put the true coefficients beside the found ones; a true term that was not found is a row with the estimate 0."""
    if truth is None:
        return found.assign(truth=np.nan, relative_error=np.nan, standing="unknown")
    missing = [name for name in truth if name not in set(found["feature"])]
    rows = {"term": [f"{state}' : {name}" for name in missing], "estimate": 0.0, "equation": state, "feature": missing}
    both = pd.concat([found, pd.DataFrame(rows)], ignore_index=True) if missing else found
    order = {name: place for place, name in enumerate([*labels, *(name for name in missing if name not in labels)])}
    both = both.sort_values("feature", key=lambda column: column.map(order), kind="stable", ignore_index=True)
    values = np.array([float(truth.get(name, 0)) for name in both["feature"]])
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.abs(both["estimate"].to_numpy() - values) / np.abs(values)
    standing = np.where(both["feature"].isin(missing), "missing", np.where(values == 0, "false", "found"))
    return both.assign(truth=values, relative_error=np.where(values == 0, np.nan, errors), standing=standing)


def _describe_equation(state: str, found: pd.DataFrame, choice: Choice) -> dict[str, Any]:
    text = " + ".join(f"{value:.6g}*{name}" for value, name in zip(found["estimate"], found["feature"], strict=True)) or "0"
    chosen = choice.chosen
    return {
        "text": f"{state}' = {text.replace('*1 ', ' ').removesuffix('*1').replace('+ -', '- ')}",
        "terms": len(found),
        "threshold": float(chosen["threshold"]),
        "held_out_error": float(chosen["held_out_error"]),
    }


def _score(terms: pd.DataFrame, is_known: bool) -> dict[str, Any]:
    """Count the terms found, missing and false, where the truth is known."""
    if not is_known:
        return {"is_truth_known": False}
    counts = {f"terms_{standing}": int((terms["standing"] == standing).sum()) for standing in ("found", "missing", "false")}
    return {"is_truth_known": True, **counts, "largest_relative_error": float(terms["relative_error"].max())}


def _check_samples(samples: Sequence[Array], states: Sequence[str], window: int, n_features: int, source: str) -> None:
    shortest = min(len(sample) for sample in samples)
    least = int((2 * window + 1) * _FEWEST_WINDOWS / (1 - _TRAINING)) // 2
    total = sum(max(0, len(sample) - 2 * window) for sample in samples)
    if shortest < least or total < 2 * n_features:
        text = f"{shortest} samples are too few for a window of {window} to either side and {n_features} candidate terms; "
        raise DataError(f"{source}: {text}at least {max(least, 2 * n_features + 2 * window)} are wanted, or a smaller window")
    everything = np.concatenate(samples)
    for name, spread in zip(states, np.ptp(everything, axis=0), strict=True):
        if spread == 0:
            raise DataError(f"{source}, column {name!r}: the state does not vary, so nothing can be said of its equation")


MODEL = Model(fit=fit_discover)
