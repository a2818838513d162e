"""Forecasters side by side, walking forward: each learns from a stretch of the record and runs freely from many starts after it.

After the first training stretch the record is cut into as many parts as there are trainings; before each all is learnt anew, from
the stretch that ends where the part begins, with its own scaling. So no forecast has seen anything that came after its start.

Source: Tashman (2000), Int. J. Forecasting 16, 437-450 (rolling origins).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from phaseflow.errors import DataError
from phaseflow.kinds.forecast import FEWEST_STARTS
from phaseflow.models import Fitted, Model
from phaseflow.models._comparison import Array, compare_losses, resample_median
from phaseflow.models._forecasters import MOST_FEATURES, Forecaster, count_features, learn
from phaseflow.models._horizons import Exponent, find_exponent, find_valid_times
from phaseflow.models._trajectories import add_noise, list_states, split_members
from phaseflow.models.network import count_steps
from phaseflow.settings.fits import FORECASTERS, Fit
from phaseflow.settings.systems import System

_FEWEST_TRAINING = 50
_STARTS, _TRAININGS, _DELAYS = 100, 3, 3
_REPLICATES = 2_000
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_MOST_LEADS = 400


@dataclass(frozen=True)
class Layout:
    """Where forecasts start, and what they are learnt from.

    Attributes
    ----------
    n_training, n_ahead : samples of a training stretch, and steps of a forecast.
    starts : of each fold, the member and the sample of each start.
    spacing : the samples between two starts, on average.
    """

    n_training: int
    n_ahead: int
    starts: list[list[tuple[int, int]]]
    spacing: float


@dataclass(frozen=True)
class Runs:
    """The forecasts of one forecaster in all folds, and what came.

    Attributes
    ----------
    errors : shape (n_starts, n_ahead), as a share of the total standard deviation of the record.
    first : shape (n_ahead, n_states), the first forecast, in the states' units.
    """

    errors: Array
    first: Array
    is_converged: bool
    ridges: list[float]


def fit_forecast(fit: Fit, table: pd.DataFrame, source: str, rng: np.random.Generator) -> Fitted:
    """Compare forecasters on the later part of each trajectory.

    Raises
    ------
    DataError : a column cannot be used, times are uneven, or the record is too short for the training and the horizon.
    """
    states = list_states(table, fit.inputs)
    samples, dt = split_members(table, states, source)
    clean, samples = samples, add_noise(samples, fit.noise, rng)
    weights_seed = int(rng.integers(2**31))
    layout = lay_out(fit, samples, dt, source)
    names = _choose_names(fit, len(states), source)
    _check_spread(samples, layout, states, source)
    exponent = _find_exponent(fit, states, clean, dt)
    runs = {name: _run(name, fit, samples, layout, weights_seed) for name in names}
    times: Array = dt * np.arange(layout.n_ahead + 1, dtype=np.float64)
    terms = _tabulate(fit, runs, layout, times, exponent, rng)
    statistics = {
        "model": "forecast",
        "table": fit.to,
        "confidence": fit.confidence.value,
        "states": states,
        "observations": sum(len(sample) for sample in samples),
        "training_samples": layout.n_training,
        "trainings": len(layout.starts),
        "starts": sum(len(fold) for fold in layout.starts),
        "horizon": layout.n_ahead * dt,
        "dt": dt,
        "delays": fit.delays or _DELAYS,
        "noise_added": fit.noise.value if fit.noise is not None else 0.0,
        "valid_time_unit": "Lyapunov times" if math.isfinite(exponent.time) else "units of t",
        "lyapunov_exponent": exponent.value,
        "lyapunov_exponent_se": exponent.error,
    }
    return Fitted(terms, statistics, _list_rows(runs, layout, samples, states, times))


def lay_out(fit: Fit, samples: Sequence[Array], dt: float, source: str) -> Layout:
    """Return where forecasts start: evenly over what follows the first training stretch of each member.

    Raises
    ------
    DataError : there is no room for them.
    """
    n_ahead, shortest = count_steps(fit, dt, source), min(len(sample) for sample in samples)
    n_training = round(fit.training.value / dt) + 1 if fit.training is not None else shortest // 2
    room = [len(sample) - n_ahead - n_training for sample in samples]
    if n_training < _FEWEST_TRAINING or sum(max(0, space) for space in room) < FEWEST_STARTS or min(room) < 0:
        text = f"{shortest} samples leave no room for {n_training} of training (at least {_FEWEST_TRAINING}), {FEWEST_STARTS} starts after "
        raise DataError(f"{source}: {text}them and {n_ahead} steps ahead of each; give a shorter training or horizon")
    n_folds = fit.trainings or _TRAININGS
    per_member = max(1, (fit.starts or _STARTS) // len(samples))
    starts: list[list[tuple[int, int]]] = [[] for _ in range(n_folds)]
    for member, space in enumerate(room):
        for place in np.unique(np.linspace(0, space, per_member).astype(int)):
            starts[min(n_folds - 1, int(n_folds * place / (space + 1)))].append((member, n_training - 1 + int(place)))
    return Layout(n_training, n_ahead, [fold for fold in starts if fold], max(1.0, sum(room) / max(1, per_member * len(room) - 1)))


def _choose_names(fit: Fit, n_states: int, source: str) -> list[str]:
    """Return the forecasters that run: those asked for and the plain ones, in the order in which each must beat those before it."""
    asked, n_delays = set(fit.forecast or []), fit.delays or _DELAYS
    n_features = count_features(n_states, n_delays)
    is_small = n_features <= MOST_FEATURES
    if "quadratic" in asked and not is_small:
        raise DataError(f"{source}: {n_features} products of {n_states} states at {n_delays} times are too many for a quadratic map")
    plain = {"persistence", "climatology", "linear"} | ({"quadratic"} if is_small else set())
    return [name for name in FORECASTERS if name in asked | plain]


def _check_spread(samples: Sequence[Array], layout: Layout, states: Sequence[str], source: str) -> None:
    for fold in layout.starts:
        training = np.concatenate(_list_training(samples, layout, fold))
        for name, size in zip(states, training.std(axis=0), strict=True):
            if size == 0:
                raise DataError(f"{source}, column {name!r}: the state does not vary in a training part")


def _list_training(samples: Sequence[Array], layout: Layout, fold: Sequence[tuple[int, int]]) -> list[Array]:
    """Return of each member of a fold the stretch that ends with its first start."""
    first: dict[int, int] = {}
    for member, place in fold:
        first[member] = min(place, first.get(member, place))
    return [samples[member][place + 1 - layout.n_training : place + 1] for member, place in first.items()]


def _find_exponent(fit: Fit, states: Sequence[str], samples: Sequence[Array], dt: float) -> Exponent:
    """Return the largest exponent of the system that made the data, where that is known and has no noise."""
    truth = fit.truth
    if not isinstance(truth, System) or truth.noise or truth.check(()) or set(truth.equations) != set(states):
        return Exponent(math.nan, math.nan, "unknown")
    start = samples[0][-1][[list(states).index(state) for state in truth.equations]]
    return find_exponent(truth, start, dt * (max(len(sample) for sample in samples) - 1), "true equations")


def _run(name: str, fit: Fit, samples: Sequence[Array], layout: Layout, weights_seed: int) -> Runs:
    """Learn and run one forecaster fold by fold."""
    errors, first, learnt = [], None, []
    # Of the whole record: what counts as an error must not depend on what a fold has happened to see.
    deviation = math.sqrt(float(np.concatenate(samples).var(axis=0).sum()))
    for fold in layout.starts:
        training = _list_training(samples, layout, fold)
        everything = np.concatenate(training)
        mean, spread = everything.mean(axis=0), everything.std(axis=0)
        forecaster = learn(name, [(part - mean) / spread for part in training], (fit.delays or _DELAYS), weights_seed)
        histories = np.stack([samples[member][place + 1 - forecaster.n_delays : place + 1] for member, place in fold])
        predicted = forecaster.run((histories - mean) / spread, layout.n_ahead) * spread + mean
        observed = np.stack([samples[member][place + 1 : place + 1 + layout.n_ahead] for member, place in fold])
        errors.append(np.linalg.norm(predicted - observed, axis=2) / deviation)
        first = predicted[0] if first is None else first
        learnt.append(forecaster)
    return Runs(np.concatenate(errors), np.asarray(first), all(one.is_converged for one in learnt), _list_ridges(learnt))


def _list_ridges(learnt: Sequence[Forecaster]) -> list[float]:
    return [one.ridge for one in learnt if not math.isnan(one.ridge)]


def _tabulate(fit: Fit, runs: dict[str, Runs], layout: Layout, times: Array, exponent: Exponent, rng: np.random.Generator) -> pd.DataFrame:
    """Return a row a forecaster: its valid prediction time and its errors, each tested against the best of those before it."""
    unit = exponent.time if math.isfinite(exponent.time) else 1.0
    rows: list[dict[str, Any]] = []
    shortfalls: dict[str, Array] = {}
    squares: dict[str, Array] = {}
    for name, run in runs.items():
        padded = np.concatenate([np.zeros((len(run.errors), 1)), run.errors], axis=1)[:, :, None]
        valid, is_censored = find_valid_times(padded, np.zeros_like(padded), times, 1.0)
        overlap = math.ceil(float(np.median(valid)) / (layout.spacing * times[1])) + 1
        std_error, low, high = resample_median(valid / unit, overlap, fit.confidence.value, rng, _REPLICATES)
        row = {"term": name, "estimate": float(np.median(valid)) / unit, "std_error": std_error, "ci_low": low, "ci_high": high}
        row |= {"certified_digits": None, "censored": int(is_censored.sum())}
        row |= _test("", -valid, shortfalls, overlap)
        row |= {"next_step_error": float(np.sqrt((run.errors[:, 0] ** 2).mean()))}
        squared = run.errors[:, -1] ** 2
        row |= {"horizon_error": float(np.sqrt(squared.mean()))}
        row |= _test("horizon_", squared, squares, math.ceil(layout.n_ahead / layout.spacing))
        row |= {"ridge": float(np.median(run.ridges)) if run.ridges else math.nan, "converged": run.is_converged}
        shortfalls[name], squares[name] = -valid, squared
        rows.append(row)
    terms = pd.DataFrame(rows)
    terms["certified_digits"] = pd.array([None] * len(terms), dtype="Int64")
    return terms


def _test(prefix: str, losses: Array, before: dict[str, Array], n_overlapping: int) -> dict[str, Any]:
    """Test losses against those of the forecaster before it that lost least; the first has nothing to beat."""
    if not before:
        return {f"{prefix}baseline": None, f"{prefix}diebold_mariano": math.nan, f"{prefix}p": math.nan}
    baseline = min(before, key=lambda name: float(before[name].mean()))
    statistic, p = compare_losses(losses, before[baseline], n_overlapping)
    return {f"{prefix}baseline": baseline, f"{prefix}diebold_mariano": statistic, f"{prefix}p": p}


def _list_rows(runs: dict[str, Runs], layout: Layout, samples: Sequence[Array], states: Sequence[str], times: Array) -> pd.DataFrame:
    """Return what figures draw: of each forecaster quantiles of the error by lead, and the first forecast beside what came."""
    leads = np.unique(np.linspace(1, layout.n_ahead, min(_MOST_LEADS, layout.n_ahead)).astype(int))
    member, place = layout.starts[0][0]
    parts = []
    for name, run in runs.items():
        frame = pd.DataFrame({"term": name, "lead": times[leads]})
        for level in _LEVELS:
            frame[f"error_{level:.2f}"] = np.quantile(run.errors[:, leads - 1], level, axis=0)
        frame["error_rms"] = np.sqrt((run.errors[:, leads - 1] ** 2).mean(axis=0))
        for column, state in enumerate(states):
            frame[f"predicted_{state}"] = run.first[leads - 1, column]
            frame[f"observed_{state}"] = samples[member][place + leads, column]
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


MODEL = Model(fit=fit_forecast)
