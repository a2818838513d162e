"""Certificates, one plugin a method: until when a trajectory is shown to be the solution.

The true problem has the constants of the config exactly as they are written (8/3 is eight thirds); swept and perturbed values
are the doubles that the table holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from phaseflow.dynamics.averages import find_errors
from phaseflow.engines import Array, Engine, Task, Trajectories
from phaseflow.settings.methods import list_averages

# Where trajectories are compared, whatever is sampled.
_GRID = 1001
# What a state that stands still may differ by, relative to the largest range of all states.
_FLOOR = 1e-12


@dataclass(frozen=True)
class Horizon:
    """How long members are reliable.

    Attributes
    ----------
    until : shape (n_members,): the last time compared before any state first differs by more than allowed; NaN without a claim.
    is_censored : shape (n_members,): good to the end, so the horizon may lie beyond.
    details : what else was found of each member, a column each of shape (n_members,).
    """

    until: Array
    is_censored: NDArray[np.bool_]
    details: dict[str, Array] = field(default_factory=dict)

    def fill(self, chosen: NDArray[np.intp], part: Horizon) -> None:
        """Take over what was found of some of the members."""
        self.until[chosen], self.is_censored[chosen] = part.until, part.is_censored
        for name, values in part.details.items():
            self.details.setdefault(name, np.full(len(self.until), np.nan))[chosen] = values


@dataclass(frozen=True)
class Certificate:
    """A way to find horizons: it takes the task on its grid, the outcome there, and the difference allowed.

    Attributes
    ----------
    on_samples : the grid is that of the samples, which a Brownian path is drawn between.
    """

    find: Callable[[Task, Trajectories, Engine, float], Horizon]
    on_samples: bool = False


def find_horizon(certificate: Certificate, task: Task, engine: Engine, allowed: float, outcome: Trajectories | None = None) -> Horizon:
    """Find how long the members of a task are reliable, by default on a grid of times that does not depend on what is sampled.

    Parameters
    ----------
    outcome : that of the task as it stands, where it is known.
    """
    if task.solver.precision == "auto":
        # Two runs already agree on every digit that was kept.
        is_ok = (outcome or engine.integrate(task)).status == "ok"
        return Horizon(np.where(is_ok, task.times[-1], np.nan), is_ok)
    if certificate.on_samples or engine.follows_samples:
        main = outcome or engine.integrate(task)
    else:
        task = replace(task, times=np.linspace(task.times[0], task.times[-1], _GRID), events=())
        main = engine.integrate(task)
    horizon = certificate.find(task, main, engine, allowed)
    return horizon if certificate.on_samples else replace(horizon, details=horizon.details | _average(task, main))


def _average(task: Task, main: Trajectories) -> dict[str, Array]:
    """Return the mean of each state over time with its standard error: what a chaotic run still shows past its horizon."""
    names = [name for state in task.system.equations for name in list_averages(state)]
    rows = [
        [number for pair in zip(samples.mean(axis=0), find_errors(samples), strict=True) for number in pair] for samples in main.samples
    ]
    return dict(zip(names, np.array(rows).T, strict=True))


def find_scale(truth: Array) -> Array:
    """Return what each state's difference is relative to: its range, not less than a trace of the largest range.

    Parameters
    ----------
    truth : shape (n_times, dimension).
    """
    ranges: Array = np.ptp(truth, axis=0)
    return np.maximum(ranges, _FLOOR * ranges.max() if ranges.max() > 0 else 1.0)


def judge(main: Array, truth: Array, times: Array, allowed: float) -> tuple[float, bool]:
    """Return the last time before the main run first leaves the truth, and whether it never does.

    Parameters
    ----------
    main : shape (n_times, dimension).
    truth : shape (n_known, dimension), with at least as many rows; those past the times count only for the ranges.
    allowed : the difference allowed, relative to each state's range on the truth.
    """
    if not (np.isfinite(main).all() and np.isfinite(truth).all()):
        return np.nan, False
    has_left = (np.abs(main - truth[: len(main)]) > allowed * find_scale(truth)).any(axis=1)
    if not has_left.any():
        return float(times[-1]), True
    first = int(has_left.argmax())
    return float(times[max(first - 1, 0)]), False
