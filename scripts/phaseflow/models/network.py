"""A small neural network that predicts the state one horizon ahead, beside the baselines that it has to beat.

The network sees the state, scaled to mean 0 and standard deviation 1, and predicts its change. The first four fifths of
each trajectory train it and set the scaling; errors are of the rest, which comes later in time. Persistence says that
nothing changes; linear autoregression is least squares on the state. The interval of an error is that of moving blocks
of the held-out predictions: it allows for errors that follow each other, not for another draw of the initial weights.

Source: Kuensch (1989), Annals of Statistics 17, 1217-1241 (blocks).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from phaseflow.errors import DataError
from phaseflow.kinds.network import list_solvers
from phaseflow.models import Fitted, Model
from phaseflow.models._least_squares import Array, check_design, solve_least_squares
from phaseflow.models._networks import train
from phaseflow.models._trajectories import add_noise, list_states, split_members
from phaseflow.settings.fits import Fit, Network

_TRAINING = 0.8
_FEWEST = 20
# A horizon of 0.04 means one step of numpy.linspace(0, 40, 1000), which is 40/999.
_NEAR = 0.01
_REPLICATES = 1_000


@dataclass(frozen=True)
class Pairs:
    """States and what they become one horizon later, scaled by the training part.

    Attributes
    ----------
    before, after : shape (n_pairs, n_states).
    members, times : shape (n_pairs,), the member, and the time at which the horizon ends.
    """

    before: Array
    after: Array
    members: NDArray[Any]
    times: Array


def fit_network(fit: Fit, table: pd.DataFrame, source: str, rng: np.random.Generator) -> Fitted:
    """Train a network by each solver and compare it with the baselines.

    Raises
    ------
    DataError : a column cannot be used, times are uneven, or the horizon is no whole number of steps.
    """
    network, states = fit.network or Network(layers=[1]), list_states(table, fit.inputs)
    samples, dt = split_members(table, states, source)
    samples, steps = add_noise(samples, fit.noise, rng), count_steps(fit, dt, source)
    training, later = _make_pairs(samples, steps, dt, states, source)
    weights_seed = int(rng.integers(2**31))
    answers = {"persistence": Answer(later.before), "linear": _predict_linearly(training, later, states, source)}
    for solver in list_solvers(fit):
        answers[solver] = _predict(network, solver, training, later, weights_seed)
    drawn = _draw_blocks(rng, len(later.before))
    terms = pd.DataFrame([_weigh(name, answer, later, drawn, fit.confidence.value) for name, answer in answers.items()])
    terms["certified_digits"] = pd.array([None] * len(terms), dtype="Int64")
    terms["skill"] = 1 - terms["estimate"] ** 2 / terms["estimate"].iloc[0] ** 2
    statistics = {
        "model": "network",
        "table": fit.to,
        "confidence": fit.confidence.value,
        "states": states,
        "observations": len(training.before) + len(later.before),
        "training_pairs": len(training.before),
        "held_out_pairs": len(later.before),
        "horizon": steps * dt,
        "horizon_steps": steps,
        "layers": network.layers,
        "activation": network.activation,
        "best": str(terms["term"][terms["estimate"].idxmin()]),
        "error_unit": "standard deviation of each state in the training part",
        "interval": "moving blocks of held-out predictions; not over initial weights",
    }
    return Fitted(terms[_COLUMNS], statistics, _list_predictions(answers, later, states))


_COLUMNS = ["term", "estimate", "std_error", "ci_low", "ci_high", "certified_digits", "skill", "converged", "iterations", "training_error"]


@dataclass(frozen=True)
class Answer:
    """What a predictor says of the held-out part; a solver that diverged says nothing."""

    predicted: Array
    is_converged: bool = True
    iterations: int = 0
    training_error: float = math.nan


def count_steps(fit: Fit, dt: float, source: str) -> int:
    """Return how many samples the horizon is away.

    Raises
    ------
    DataError : it is no whole number of steps.
    """
    horizon = fit.horizon.value if fit.horizon is not None else dt
    steps = max(1, round(horizon / dt))
    if abs(steps * dt - horizon) > _NEAR * horizon:
        raise DataError(f"{source}: the samples are {dt:.6g} apart, so {horizon:g} is no whole number of steps; take {steps * dt:.6g}")
    return steps


def _make_pairs(samples: Sequence[Array], steps: int, dt: float, states: Sequence[str], source: str) -> tuple[Pairs, Pairs]:
    """Return the pairs of the first part of each member, and those that begin after it."""
    cuts = [int(_TRAINING * len(sample)) for sample in samples]
    count = sum(max(0, len(sample) - cut - steps) for sample, cut in zip(samples, cuts, strict=True))
    if count < _FEWEST or min(cuts) <= steps:
        raise DataError(f"{source}: {count} held-out predictions are too few; at least {_FEWEST} are wanted")
    known = np.concatenate([sample[:cut] for sample, cut in zip(samples, cuts, strict=True)])
    mean, spread = known.mean(axis=0), known.std(axis=0)
    for name, size in zip(states, spread, strict=True):
        if size == 0:
            raise DataError(f"{source}, column {name!r}: the state does not vary in the training part")
    parts: list[list[Pairs]] = [[], []]
    for member, (sample, cut) in enumerate(zip(samples, cuts, strict=True)):
        scaled = (sample - mean) / spread
        for place, part in enumerate((slice(0, cut), slice(cut, None))):
            values, times = scaled[part], (dt * np.arange(len(sample), dtype=np.float64))[part]
            parts[place].append(Pairs(values[:-steps], values[steps:], np.full(len(values) - steps, member), times[steps:]))
    return _join(parts[0]), _join(parts[1])


def _join(parts: Sequence[Pairs]) -> Pairs:
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("before", "after", "members", "times")))


def _predict_linearly(training: Pairs, later: Pairs, states: Sequence[str], source: str) -> Answer:
    design, ahead = (np.column_stack([np.ones(len(pairs.before)), pairs.before]) for pairs in (training, later))
    check_design(["1", *states], design, source)
    columns = [solve_least_squares(design, column) for column in training.after.T]
    error = float(np.sqrt(np.mean([solution.residuals**2 for solution in columns])))
    return Answer(ahead @ np.stack([solution.estimates for solution in columns], axis=1), training_error=error)


def _predict(network: Network, solver: str, training: Pairs, later: Pairs, weights_seed: int) -> Answer:
    trained = train(network, solver, training.before, training.after - training.before, weights_seed)
    error = float(np.sqrt(((training.before + trained.predict(training.before) - training.after) ** 2).mean()))
    return Answer(later.before + trained.predict(later.before), trained.is_converged, trained.iterations, error)


def _draw_blocks(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Return replicates of the places of held-out predictions, of shape (replicates, count), in blocks of sqrt(count)."""
    length = max(1, math.isqrt(count))
    starts = rng.integers(0, count - length + 1, size=(_REPLICATES, -(-count // length)))
    return np.asarray((starts[:, :, None] + np.arange(length)).reshape(_REPLICATES, -1)[:, :count])


def _weigh(name: str, answer: Answer, later: Pairs, drawn: NDArray[np.int64], confidence: float) -> dict[str, Any]:
    squares = ((answer.predicted - later.after) ** 2).mean(axis=1)
    replicates = np.sqrt(squares[drawn].mean(axis=1))
    low, high = np.quantile(replicates, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return {
        "term": name,
        "estimate": float(np.sqrt(squares.mean())),
        "std_error": float(replicates.std(ddof=1)),
        "ci_low": float(low),
        "ci_high": float(high),
        "converged": bool(answer.is_converged),
        "iterations": answer.iterations,
        "training_error": answer.training_error,
    }


def _list_predictions(answers: dict[str, Answer], later: Pairs, states: Sequence[str]) -> pd.DataFrame:
    """Return a row a prediction: term, member, t, state, observed, predicted, both in units of the training part's spread."""
    parts = [
        pd.DataFrame({"term": name, "member": later.members, "t": later.times, "state": state})
        .assign(observed=later.after[:, place], predicted=answer.predicted[:, place])
        for name, answer in answers.items()
        for place, state in enumerate(states)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


MODEL = Model(fit=fit_network)
