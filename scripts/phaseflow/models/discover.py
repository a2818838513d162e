"""Sparse identification of equations from trajectories: the weak form proposes terms, the likelihood of the trajectory decides.

Each derivative is a sum of few terms of a library. The weak form needs no derivative of the data, but its features carry the noise, so
with noise its coefficients are biased and its choice is luck. Its supports are therefore only where the search begins: coefficients and
trajectory are then found together by multiple shooting, and terms dropped and added by an information criterion.

Source: Brunton, Proctor and Kutz (2016), PNAS 113, 3932-3937; Newey and West (1987), Econometrica 55, 703-708 (errors of the weak form,
whose rows share samples).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from phaseflow.dynamics.libraries import Features, list_features
from phaseflow.dynamics.shooting import Array, Mask, Record, Shot, begin, count_parts
from phaseflow.errors import DataError
from phaseflow.models import Fitted, Model
from phaseflow.models._horizons import Exponent, describe_horizon, find_exponent, find_valid_times, follow
from phaseflow.models._least_squares import check_design, solve_least_squares, tabulate_terms
from phaseflow.models._optimizers import OPTIMIZERS
from phaseflow.models._pareto import TRAINING, Path, find_inclusion, follow_path
from phaseflow.models._selection import MOST_AT_ONCE, Search
from phaseflow.models._trajectories import add_noise, list_states, split_members
from phaseflow.models._truth import compare, find_truth, score
from phaseflow.models._weak_form import WeakForm, build_weak_form
from phaseflow.settings.fits import Discover, Fit
from phaseflow.settings.systems import System

_FEWEST_WINDOWS = 4
# Derivatives of all samples by all terms of one search may have this many entries.
_LARGEST = 20_000_000
# A search also begins at so many supports of the path that have more terms than the one that was chosen.
_DENSER = 1
_PREDICTIONS, _TIMES, _LYAPUNOV_TIMES = 50, 1_001, 30.0


@dataclass(frozen=True)
class Found:
    """Equations with what is known of their coefficients.

    Attributes
    ----------
    coefficients, errors : shape (n_features, n_states), 0 outside the support.
    undecided : of the same shape, terms without or with which the data are explained as well.
    states : the trajectory that the equations give, or the data where these were not refined.
    note : how the coefficients were found.
    """

    support: Mask
    coefficients: Array
    errors: Array
    undecided: Mask
    states: Array
    freedom: float
    note: str
    sizes: Array | None = None


def fit_discover(fit: Fit, table: pd.DataFrame, source: str, rng: np.random.Generator) -> Fitted:
    """Find the equations of the states of a table of trajectories.

    Raises
    ------
    DataError : a column cannot be used, times are uneven, the trajectories are too short, or a state does not vary.
    """
    asked, states = fit.discover or Discover(), list_states(table, fit.inputs)
    samples, dt = split_members(table, states, source)
    features = list_features(asked.library, states)
    _check_samples(samples, states, asked.window, len(features.labels), source)
    samples = add_noise(samples, fit.noise, rng)
    weak = build_weak_form(samples, dt, features, asked.window)
    if not np.isfinite(weak.features).all():
        bad = features.labels[int((~np.isfinite(weak.features)).any(axis=0).argmax())]
        raise DataError(f"{source}: the term {bad} is no number somewhere on the data; leave it out")
    check_design(list(features.labels), weak.features, source, "take a smaller library, or trajectories that visit more of the state space")
    path = follow_path(weak, samples, dt, features, _list_strengths(asked, len(features.labels) * len(states)), asked.window)
    found = _refine(asked, features, Record.join(samples, dt), path, weak) if asked.refine else _keep(weak, path, samples, asked.window)
    inclusion = find_inclusion(weak, *_find_pick(path, int(found.support.sum())), asked.ensemble, asked.window, rng)
    truth = find_truth(fit.truth, features, np.concatenate(samples)) if isinstance(fit.truth, System) else None
    terms = _tabulate(features, found, inclusion, fit.confidence.value, truth)
    statistics = {
        "model": "discover",
        "table": fit.to,
        "confidence": fit.confidence.value,
        "observations": sum(len(sample) for sample in samples),
        "members": len(samples),
        "dt": dt,
        "noise_added": fit.noise.value if fit.noise is not None else 0.0,
        "library": list(features.labels),
        "window": asked.window,
        "coefficients_by": found.note,
        "optimizer": str(path.table["optimizer"].iloc[path.place]),
        "strength": float(path.table["strength"].iloc[path.place]),
        "equations": {state: _write_equation(state, terms) for state in states},
        "undecided": [str(term) for term in terms["term"][~terms["decided"].astype(bool)]],
        **_describe_noise(states, found, samples),
        **score(terms, truth is not None),
        **_predict(fit, features, found, samples, dt, truth is not None),
    }
    return Fitted(terms, statistics, path.table)


def _refine(asked: Discover, features: Features, record: Record, path: Path, weak: WeakForm) -> Found:
    """Choose the terms by the likelihood of the trajectory, where that is not too large and a trajectory is found."""
    record = _shorten(record, asked.refine_samples)
    chosen = path.supports[path.place]
    candidates = np.ones_like(chosen)
    is_searched = asked.threshold is None
    begun = [chosen, *_list_denser(path)] if is_searched else [chosen]
    if is_searched and candidates.sum() <= MOST_AT_ONCE:
        begun.append(candidates)
    n_states, widest = record.values.shape[1], max(int(support.sum()) for support in begun)
    if record.values.size * (n_states + widest) > _LARGEST:
        return _keep_weak(
            weak, chosen, record.values, asked.window, "least squares of the weak form, since the record is too large to refine"
        )
    search = Search(features, record, candidates if is_searched else chosen, count_parts(features, record, weak.solve(chosen)))
    for support in begun:
        start = begin(record, weak.solve(support))
        if is_searched:
            search.run(support, start)
        else:
            search.try_support(support, start)
    undecided = search.find_undecided() if is_searched else np.zeros_like(chosen)
    criterion, support, shot = search.best
    if not math.isfinite(criterion):
        return _keep_weak(
            weak, chosen, record.values, asked.window, "least squares of the weak form, since no trajectory of the equations was found"
        )
    return _read_shot(support, shot, undecided)


def _read_shot(support: Mask, shot: Shot, undecided: Mask) -> Found:
    errors = np.zeros(support.shape)
    errors[support] = np.sqrt(np.diag(shot.covariance))
    note = "the likelihood of the trajectory, by multiple shooting"
    return Found(support, shot.coefficients, errors, undecided, shot.states, math.inf, note, shot.sizes)


def _shorten(record: Record, most: int) -> Record:
    if len(record.values) <= most:
        return record
    is_last = record.is_last[:most].copy()
    is_last[-1] = True
    return Record(record.values[:most], is_last, record.dt)


def _list_denser(path: Path) -> list[Mask]:
    """Return the supports of the path next to the chosen one with more terms."""
    counts = path.table["n_terms"].to_numpy()
    denser = np.flatnonzero(counts > counts[path.place])
    return [path.supports[place] for place in denser[np.argsort(counts[denser], kind="stable")][:_DENSER]]


def _list_strengths(asked: Discover, n_candidates: int) -> dict[str, list[float]]:
    """Return the strengths at which each optimizer is tried."""
    if asked.threshold is not None:
        return {"stlsq": [asked.threshold.value]}
    return {name: OPTIMIZERS[name].list_strengths(n_candidates).tolist() for name in asked.optimizers}


def _find_pick(path: Path, n_terms: int) -> tuple[str, float]:
    """Return the optimizer and the strength of the sparsest support with at least so many terms, or with most."""
    counts = path.table["n_terms"]
    place = int(counts.where(counts >= n_terms).idxmin() if (counts >= n_terms).any() else counts.idxmax())
    return str(path.table["optimizer"].iloc[place]), float(path.table["strength"].iloc[place])


def _keep(weak: WeakForm, path: Path, samples: Sequence[Array], window: int) -> Found:
    return _keep_weak(weak, path.supports[path.place], np.concatenate(samples), window, "least squares of the weak form")


def _keep_weak(weak: WeakForm, support: Mask, states: Array, window: int, note: str) -> Found:
    """Return the weak form's own coefficients, with errors that allow for the samples that its rows share."""
    coefficients, errors = np.zeros(support.shape), np.zeros(support.shape)
    for state, chosen in enumerate(support.T):
        if chosen.any():
            coefficients[chosen, state], errors[chosen, state] = _solve_with_errors(weak, state, chosen, window)
    freedom = max(1, len(weak.places) // (2 * window + 1) - int(support.sum(axis=0).max()))
    return Found(support, coefficients, errors, np.zeros_like(support), states, freedom, note)


def _solve_with_errors(weak: WeakForm, state: int, chosen: Any, window: int) -> tuple[Array, Array]:
    solution = solve_least_squares(weak.features[:, chosen], weak.slopes[:, state])
    # Rows up to two windows apart share samples; residuals of such rows are alike, so their products count too.
    pulls = (weak.features[:, chosen] * solution.residuals[:, None]) @ solution.inverse
    spread = pulls.T @ pulls
    for lag in range(1, 2 * window + 1):
        is_same = (weak.members[lag:] == weak.members[:-lag])[:, None]
        product = (pulls[lag:] * is_same).T @ pulls[:-lag]
        spread += (1 - lag / (2 * window + 1)) * (product + product.T)
    covariance = solution.inverse @ spread @ solution.inverse.T
    return solution.estimates, np.sqrt(np.maximum(np.diag(covariance), 0))


def _tabulate(
    features: Features, found: Found, inclusion: Array, confidence: float, truth: Mapping[str, dict[str, float]] | None
) -> pd.DataFrame:
    """Return a row a term: those found, those undecided, and true ones that were missed."""
    tables = []
    for place, state in enumerate(features.states):
        listed = found.support[:, place] | found.undecided[:, place]
        names = [label for label, is_listed in zip(features.labels, listed, strict=True) if is_listed]
        estimates, errors = found.coefficients[listed, place], found.errors[listed, place]
        errors = np.where(found.support[listed, place], errors, np.nan)
        rows = tabulate_terms([f"{state}' : {name}" for name in names], estimates, errors, found.freedom, confidence)
        rows = rows.drop(columns=["t", "p"]).assign(equation=state, feature=names, decided=~found.undecided[listed, place])
        rows["decided"] = rows["decided"].astype(bool)
        compared = compare(rows, state, features.labels, truth[state] if truth else None)
        chances = dict(zip(features.labels, inclusion[:, place], strict=True))
        tables.append(compared.assign(inclusion=[chances.get(str(name), np.nan) for name in compared["feature"]]))
    return pd.concat(tables, ignore_index=True)


def _write_equation(state: str, terms: pd.DataFrame) -> dict[str, Any]:
    rows = terms[(terms["equation"] == state) & (terms["estimate"] != 0)]
    text = " + ".join(_write_term(value, str(name)) for value, name in zip(rows["estimate"], rows["feature"], strict=True)) or "0"
    return {"text": f"{state}' = {text.replace('+ -', '- ')}", "terms": len(rows)}


def _write_term(value: float, name: str) -> str:
    number = f"{value:.6g}"
    if name == "1":
        return number
    return f"{number.removesuffix('1')}{name}" if number in ("1", "-1") else f"{number}*{name}"


def _describe_noise(states: Sequence[str], found: Found, samples: Sequence[Array]) -> dict[str, Any]:
    """Return the size of the noise of each state that the trajectory leaves, as a share of its spread."""
    if found.sizes is None:
        return {}
    spread = np.concatenate(samples).std(axis=0)
    return {"noise_found": {state: float(value) for state, value in zip(states, found.sizes / spread, strict=True)}}


def _predict(fit: Fit, features: Features, found: Found, samples: Sequence[Array], dt: float, is_known: bool) -> dict[str, Any]:
    """Return how long the equations predict the true solution from states along the trajectory, where the truth is known."""
    if not is_known or not isinstance(fit.truth, System):
        return {}
    system = _make_system(features, found)
    if system is None or system.check(()) or fit.truth.noise:
        return {}
    order = [list(fit.truth.equations).index(state) for state in features.states]
    starts = found.states[np.linspace(0, len(found.states) - 1, _PREDICTIONS).astype(int)]
    true_starts = np.empty_like(starts)
    true_starts[:, order] = starts
    span = dt * (max(len(sample) for sample in samples) - 1)
    exponent = find_exponent(fit.truth, true_starts[-1], span, "true equations")
    reach = _LYAPUNOV_TIMES * exponent.time if math.isfinite(exponent.time) else span
    times = np.linspace(0.0, reach, _TIMES)
    expected, predicted = follow(fit.truth, true_starts, times)[:, :, order], follow(system, starts, times)
    deviation = float(np.sqrt(np.concatenate(samples).var(axis=0).sum()))
    valid, is_censored = find_valid_times(predicted, expected, times, deviation)
    return describe_horizon(valid, is_censored, exponent, fit.confidence.value) | _describe_exponent(exponent)


def _describe_exponent(exponent: Exponent) -> dict[str, Any]:
    return {"lyapunov_exponent": exponent.value, "lyapunov_exponent_se": exponent.error, "lyapunov_exponent_of": exponent.source}


def _make_system(features: Features, found: Found) -> System | None:
    """Return the equations that were found as a system; nothing where they are too long to be written."""
    equations = {}
    for place, state in enumerate(features.states):
        terms = [f"{float(value)!r}*({label})" for value, label in zip(found.coefficients[:, place], features.labels, strict=True) if value]
        equations[state] = " + ".join(terms) or "0"
    try:
        return System.model_validate({"equations": equations, "initial": dict.fromkeys(features.states, 0)})
    except ValueError:
        return None


def _check_samples(samples: Sequence[Array], states: Sequence[str], window: int, n_features: int, source: str) -> None:
    shortest = min(len(sample) for sample in samples)
    least = int((2 * window + 1) * _FEWEST_WINDOWS / (1 - TRAINING)) // 2
    total = sum(max(0, len(sample) - 2 * window) for sample in samples)
    if shortest < least or total < 2 * n_features:
        text = f"{shortest} samples are too few for a window of {window} to either side and {n_features} candidate terms; "
        raise DataError(f"{source}: {text}at least {max(least, 2 * n_features + 2 * window)} are wanted, or a smaller window")
    everything = np.concatenate(samples)
    for name, spread in zip(states, np.ptp(everything, axis=0), strict=True):
        if spread == 0:
            raise DataError(f"{source}, column {name!r}: the state does not vary, so nothing can be said of its equation")


MODEL = Model(fit=fit_discover)
