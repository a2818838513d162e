"""Find parameters and initial values of a system from a record: least squares, or the greatest lognormal likelihood."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from phaseflow.data import Table
from phaseflow.errors import DataError
from phaseflow.problems import Problem, Solution
from phaseflow.problems._misfits import MISFITS, Likelihood, Squares, measure_spread
from phaseflow.problems._search import Array, Objective, Run, draw_start, measure_stationarity
from phaseflow.problems._sensitivity import Forward
from phaseflow.settings.calibrations import Calibrate
from phaseflow.settings.studies import Study

_SMOOTH = 400


@dataclass(frozen=True)
class Record:
    """What was observed.

    Attributes
    ----------
    start : the record's first time, at which the initial values hold, also where it is not used itself.
    times : shape (n_times,), increasing, those that are used.
    observed : shape (n_times, n_columns); NaN where nothing was observed.
    """

    start: float
    times: Array
    observed: Array


class Calibrator:
    """Solves the trials of a study that calibrates a system."""

    def __init__(self, study: Study, tables: Mapping[str, Path]) -> None:
        stated = study.calibration
        self.stated, self.record = stated, _read_record(stated, tables[stated.to])
        system, sought = stated.definition, stated.sought.values()
        tolerance, max_steps = stated.tolerance.value, stated.max_steps
        self.forward = Forward(
            system, list(stated.parameters), list(stated.initial), stated.observe, self.record.start, tolerance, max_steps
        )
        self.is_log = np.array([estimated.scale == "log" for estimated in sought])
        self.start = np.array([estimated.first for estimated in sought])
        self.lower, self.upper = (np.array(side) for side in zip(*(estimated.bounds for estimated in sought), strict=True))
        is_simulated = stated.to.startswith("simulate.")
        self.truth = np.array([system.parameters[name].value for name in stated.parameters]) if is_simulated else np.empty(0)

    def __call__(self, trial: Mapping[str, Any], random: np.random.Generator) -> Solution:
        """Calibrate by one algorithm from one start, to the record with a trial's own noise."""
        observed = self._add_noise(float(trial.get("noise", 0.0)), random)
        misfit = MISFITS[self.stated.error](observed)
        lower, upper, first = (self.to_scale(side) for side in (self.lower, self.upper, self.start))
        start = draw_start(random, int(trial["start"]), first, lower, upper)
        run = Run(self._state_objective(misfit), start, lower, upper)
        outcome = run.run(trial["algorithm"], random)
        point, status, message = self.from_scale(outcome.point), outcome.status, outcome.message
        predicted, jacobian = self.forward.differentiate(point, self.record.times)
        value = misfit.find_value(predicted)
        if not np.isfinite(value) and status != "failed":
            status, message = "failed", f"the integration or the likelihood fails at the answer; {message}"
        gradient = misfit.find_gradient(predicted, jacobian) * self._find_stretch(point)
        evidence = {
            "kkt_residual": measure_stationarity(outcome.point, gradient, lower, upper),
            "feasibility": float(np.maximum(np.maximum(self.lower - point, point - self.upper), 0).max()),
        }
        evidence |= {f"sigma_{column}": size for column, size in zip(self.stated.observe, misfit.find_sizes(predicted), strict=True)}
        if len(self.truth):
            evidence["error"] = _measure_error(point[: len(self.truth)], self.truth)
        points = np.array([self.from_scale(place) for place in run.points]).reshape(-1, len(point))
        curves = {} if status == "failed" else {"curves": self._trace(point, predicted, observed)}
        return Solution(status, value, point, message, run.gradients, evidence, np.array(run.values), points, curves)

    def to_scale(self, point: Array) -> Array:
        """Return a point as the search sees it: the logarithm where the scale is one."""
        with np.errstate(divide="ignore"):
            scaled: Array = np.where(self.is_log, np.log(np.maximum(point, 0)), point)
        return scaled

    def from_scale(self, place: Array) -> Array:
        """Return the point that the search sees at a place, within the bounds in spite of rounding."""
        with np.errstate(over="ignore"):
            point: Array = np.clip(np.where(self.is_log, np.exp(np.where(self.is_log, place, 0)), place), self.lower, self.upper)
        return point

    def _find_stretch(self, point: Array) -> Array:
        """Return the derivative of each value sought by its place in the search."""
        stretch: Array = np.where(self.is_log, point, 1.0)
        return stretch

    def _add_noise(self, noise: float, random: np.random.Generator) -> Array:
        """Return the record with noise of a size relative to each column's spread, or of its logarithm where errors are lognormal."""
        observed = self.record.observed
        normals = random.standard_normal(observed.shape)
        if self.stated.error == "lognormal":
            return observed * np.exp(noise * normals)
        noisy: Array = observed + noise * measure_spread(observed) * normals
        return noisy

    def _state_objective(self, misfit: Squares | Likelihood) -> Objective:
        times = self.record.times

        def differentiate(place: Array) -> tuple[Array, Array]:
            point = self.from_scale(place)
            predicted, jacobian = self.forward.differentiate(point, times)
            return predicted, jacobian * self._find_stretch(point)

        def predict(place: Array) -> Array:
            return self.forward.predict(self.from_scale(place), times)

        objective = Objective(lambda place: misfit.find_value(predict(place)), lambda place: misfit.find_gradient(*differentiate(place)))
        if not isinstance(misfit, Squares):
            return objective
        return replace(
            objective,
            residuals=lambda place: misfit.find_residuals(predict(place)),
            jacobian=lambda place: misfit.find_jacobian(differentiate(place)[1]),
        )

    def _trace(self, point: Array, predicted: Array, observed: Array) -> dict[str, list[Any]]:
        """Return what was observed and predicted at the record's times, and a smooth curve between them, as columns."""
        times = self.record.times
        between = np.setdiff1d(np.linspace(self.record.start, times[-1], _SMOOTH), times)
        smooth = self.forward.predict(point, between)
        at, order = np.concatenate([times, between]), np.argsort(np.concatenate([times, between]), kind="stable")
        columns: dict[str, list[Any]] = {"curve": [], "at": [], "observed": [], "value": []}
        for place, column in enumerate(self.stated.observe):
            columns["curve"] += [column] * len(at)
            columns["at"] += at[order].tolist()
            columns["observed"] += np.concatenate([observed[:, place], np.full(len(between), np.nan)])[order].tolist()
            columns["value"] += np.concatenate([predicted[:, place], smooth[:, place]])[order].tolist()
        return columns


def _measure_error(found: Array, truth: Array) -> float:
    """Return the largest relative error; that of a true value of 0 is absolute."""
    return float((np.abs(found - truth) / np.where(truth == 0, 1.0, np.abs(truth))).max())


def _read_record(stated: Calibrate, path: Path) -> Record:
    """Read the columns that are observed.

    Raises
    ------
    DataError : a time is missing or comes twice, a value is no number, or nothing is left to use.
    """
    frame = Table(path).read()
    time, columns = stated.time or "t", list(stated.observe)
    for name in (time, *columns):
        if name not in frame or frame[name].dtype.kind not in "iuf":
            raise DataError(f"{path}: the column {name!r} is not there or holds something that is not a number")
    frame = frame.sort_values(time, kind="stable")
    times = frame[time].to_numpy(dtype=np.float64)
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise DataError(f"{path}: the column {time!r} has a time that is missing or comes twice")
    span = stated.times
    low = span.start.value if span and span.start else -math.inf
    high = span.stop.value if span and span.stop else math.inf
    is_used = (times >= low) & (times <= high)
    observed = frame[columns].to_numpy(dtype=np.float64)[is_used]
    if not is_used.any() or not np.isfinite(observed).any(axis=0).all():
        raise DataError(f"{path}: nothing is observed in a column of {', '.join(columns)} between the times {low:g} and {high:g}")
    if stated.error == "lognormal" and (observed <= 0).any():
        raise DataError(f"{path}: error: lognormal needs values above 0 in {', '.join(columns)}")
    return Record(float(times[0]), times[is_used], observed)


PROBLEM = Problem(prepare=Calibrator)
