"""Find parameters and initial values of a system from records: least squares, or the greatest likelihood."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from phaseflow.kinds.calibrate import OWN_ALGORITHM
from phaseflow.petab.problem import read_problem
from phaseflow.problems import Problem, Solution
from phaseflow.problems._experiments import read_setup
from phaseflow.problems._misfits import Misfit, make_misfit
from phaseflow.problems._model import Model, Predicted
from phaseflow.problems._posterior import Posterior
from phaseflow.problems._profiles import trace
from phaseflow.problems._search import Run, draw_start, measure_stationarity
from phaseflow.problems._sensitivity import Accuracy
from phaseflow.problems._shooting import Shooter
from phaseflow.problems._uncertainty import assess
from phaseflow.settings.calibrations import Shooting
from phaseflow.settings.studies import Study

Array = NDArray[np.float64]

_SMOOTH = 400
_SEEDS = 2**32


@dataclass(frozen=True)
class Answer:
    """Where a search ended, on its scale, and how it got there."""

    status: str
    place: Array
    message: str
    values: list[float]
    points: list[Array]
    gradients: int


class Calibrator:
    """Solves the trials of a study that calibrates a system."""

    def __init__(self, study: Study, tables: Mapping[str, Path]) -> None:
        stated = study.calibration
        self.stated = stated
        self.setup = read_setup(stated, tables) if stated.petab is None else read_problem(next(iter(tables.values())))
        self.sought = self.setup.sought
        self.model = Model(self.setup, Accuracy(*stated.accuracy), with_nodes=stated.shooting is not None)
        self.misfit = make_misfit(self.setup, self.model.observed, self.model.column)
        known = stated.definition.parameters if stated.is_simulated else {}
        self.truth = np.array([known[name].value for name in stated.parameters if name in known])

    def __call__(self, trial: Mapping[str, Any], random: np.random.Generator) -> Solution:
        """Calibrate by one algorithm from one start, to the records with a trial's own noise."""
        # The bits of a matrix product depend on the number of threads.
        with threadpool_limits(1):
            return self._solve(trial, random)

    def _solve(self, trial: Mapping[str, Any], random: np.random.Generator) -> Solution:
        noise = float(trial.get("noise", 0.0))
        misfit = self._add_noise(noise, random)
        posterior = Posterior(self.model, misfit)
        start, redrawn = self._draw_start(posterior, int(trial["start"]), random)
        evidence = {"redrawn": float(redrawn)}
        if self.stated.shooting is not None:
            return self._shoot(posterior, start, evidence, noise, random)
        answer = self._search(posterior, start, str(trial["algorithm"]), random)
        point = self.sought.from_scale(answer.place)
        return self._conclude(posterior, answer, self.model.differentiate(point), evidence, noise)

    def _shoot(self, posterior: Posterior, start: Array, evidence: dict[str, float], noise: float, random: np.random.Generator) -> Solution:
        """Solve a trial by multiple shooting."""
        shooting = self.stated.shooting or Shooting()
        shooter = Shooter(posterior, shooting.interval.value if shooting.interval else None)
        outcome = shooter.search(start, shooting.attempts, random)
        state, run = outcome.state, outcome.run
        answer = Answer(outcome.status, state.place, outcome.message, shooter.values, shooter.points, len(shooter.values))
        blank = np.full((len(self.model.observed), len(start)), np.nan)
        if run is None:
            predicted = Predicted(blank[:, 0], blank[:, 0], blank, blank)
            return self._conclude(posterior, answer, predicted, evidence, noise)
        point = self.sought.from_scale(state.place)
        slopes = shooter.follow(run) / self.sought.find_stretch(point)
        evidence |= {"gap": float(np.abs(run.gaps).max(initial=0.0)), "attempts": float(outcome.attempts)}
        look = partial(shooter.look, state)
        return self._conclude(posterior, answer, replace(run.predicted, slopes=slopes), evidence, noise, look)

    def _search(self, posterior: Posterior, start: Array, algorithm: str, random: np.random.Generator) -> Answer:
        if algorithm != OWN_ALGORITHM:
            run = Run(posterior.state_objective(), start, posterior.lower, posterior.upper)
            outcome = run.run(algorithm, random)
            return Answer(outcome.status, outcome.point, outcome.message, run.values, run.points, run.gradients)
        value = posterior.find_value(start)
        if not np.isfinite(value):
            message = f"there is no finite value at the start, where it is {value}"
            return Answer("failed", np.full(len(start), np.nan), message, [value], [start], 0)
        scoring = posterior.state_scoring()
        status, place, message = scoring.search(start)
        return Answer(status, place, message, scoring.values, scoring.points, scoring.gradients)

    def _draw_start(self, posterior: Posterior, number: int, random: np.random.Generator) -> tuple[Array, int]:
        """Return the start of a number, drawn anew as long as nothing can be predicted from it, and how often that was."""
        lower, upper, first = posterior.lower, posterior.upper, self.sought.to_scale(self.sought.start)
        start = draw_start(random, number, first, lower, upper)
        own = np.random.default_rng([number, *(int(seed) for seed in random.integers(0, _SEEDS, 4))])
        for redrawn in range(0 if self.stated.shooting else self.stated.redraws):
            if np.isfinite(posterior.find_value(start)):
                return start, redrawn
            start = draw_start(own, 1, first, lower, upper)
        return start, 0 if self.stated.shooting else self.stated.redraws

    def _conclude(
        self,
        posterior: Posterior,
        answer: Answer,
        predicted: Predicted,
        evidence: dict[str, float],
        noise: float,
        look: Callable[[int, Array], Array] | None = None,
    ) -> Solution:
        """Return the solution with what can be said about it."""
        point, status, message = self.sought.from_scale(answer.place), answer.status, answer.message
        found = posterior.judge(answer.place, predicted)
        if not np.isfinite(found.value) and status != "failed":
            status, message = "failed", f"the integration or the likelihood fails at the answer; {message}"
        evidence |= self._find_evidence(posterior.misfit, predicted, point, noise)
        evidence["kkt_residual"] = measure_stationarity(answer.place, found.gradient, posterior.lower, posterior.upper)
        points = np.array([self.sought.from_scale(place) for place in answer.points]).reshape(-1, len(point))
        shown = _Shown(lambda: {} if status == "failed" else self._show(posterior, answer.place, predicted, evidence, look))
        return Solution(status, found.value, point, message, answer.gradients, evidence, np.array(answer.values), points, shown)

    def _show(
        self,
        posterior: Posterior,
        place: Array,
        predicted: Predicted,
        evidence: Mapping[str, float],
        look: Callable[[int, Array], Array] | None,
    ) -> dict[str, list[Any]]:
        """Return the curves of a trial: records with predictions, and the profiles that are asked for."""
        columns = self._trace(predicted, posterior.misfit, look or partial(self._look, self.sought.from_scale(place)))
        asked = self.stated.profile
        if asked is None:
            return columns
        value = posterior.find_value(place)
        for name in asked.parameters or self.sought.names:
            number = self.sought.names.index(name)
            ends = np.array([evidence.get(f"{name}_{end}", np.nan) for end in ("low", "high")])
            with np.errstate(all="ignore"):
                half = float(np.diff(np.log(ends) if self.sought.is_log[number] else ends)[0]) / 2
            line = trace(posterior, place, value, number, asked.points, asked.confidence.value, half)
            rows = sorted(
                [*zip(line.at, line.values, strict=True), *((end, line.level) for end in line.ends if line.at[0] <= end <= line.at[-1])]
            )
            columns["curve"] += [f"profile of {name}"] * len(rows)
            columns["at"] += [float(at) for at, _ in rows]
            columns["value"] += [float(reached) for _, reached in rows]
            columns["observed"] += [line.level if at in line.ends else np.nan for at, _ in rows]
        return columns

    def _find_evidence(self, misfit: Misfit, predicted: Predicted, point: Array, noise: float) -> dict[str, float]:
        evidence = {"feasibility": float(np.maximum(np.maximum(self.sought.lower - point, point - self.sought.upper), 0).max())}
        sizes = misfit.find_sizes(predicted)
        evidence |= {f"sigma_{column.name}": float(size) for column, size in zip(self.setup.columns, sizes, strict=True)}
        if len(self.truth):
            evidence["error"] = _measure_error(point[: len(self.truth)], self.truth)
        if not np.isfinite(predicted.slopes).all():
            return evidence
        known = misfit.split(predicted).sizes if misfit.sizes == "given" else noise * self.misfit.units[misfit.column]
        if (known > 0).all() and not misfit.is_absolute.any():
            evidence["chi2_per_dof"] = _find_chi2(misfit, predicted, self.misfit.logs, known, noise) / max(len(known) - len(point), 1)
        certainty = assess(misfit, predicted, self.sought, point)
        evidence |= {"n_identified": float(certainty.n_identified), "least_information": certainty.weakest}
        for name, low, high in zip(self.sought.names, certainty.low, certainty.high, strict=True):
            evidence |= {f"{name}_low": float(low), f"{name}_high": float(high)}
        return evidence

    def _add_noise(self, noise: float, random: np.random.Generator) -> Misfit:
        """Return the misfit to the records with noise relative to each column's spread, or of its logarithm where errors are lognormal."""
        misfit = self.misfit
        normals = np.concatenate([random.standard_normal(mask.shape)[mask] for mask in self.model.masks])
        if misfit.logs.any():
            return misfit.with_observed(misfit.observed * np.exp(noise * normals))
        return make_misfit(self.setup, misfit.observed + noise * misfit.units[misfit.column] * normals, misfit.column)

    def _look(self, point: Array, number: int, times: Array) -> Array:
        found: Array = self.model.look(number, point, times)[0][0]
        return found

    def _trace(self, predicted: Predicted, misfit: Misfit, look: Callable[[int, Array], Array]) -> dict[str, list[Any]]:
        """Return what was observed and predicted at each record's times, and a smooth curve between them, as columns."""
        columns: dict[str, list[Any]] = {"curve": [], "at": [], "observed": [], "value": []}
        first = 0
        for number, (record, mask) in enumerate(zip(self.setup.records, self.model.masks, strict=True)):
            last = first + int(mask.sum())
            seen = np.full((2, *mask.shape), np.nan)
            seen[0][mask], seen[1][mask] = misfit.observed[first:last], predicted.values[first:last]
            between = np.setdiff1d(np.linspace(record.start, record.times[-1], _SMOOTH), record.times)
            smooth = look(number, between)
            at = np.concatenate([record.times, between])
            order = np.argsort(at, kind="stable")
            for place, column in enumerate(self.setup.columns):
                columns["curve"] += [f"{record.name}: {column.name}" if record.name else column.name] * len(at)
                columns["at"] += at[order].tolist()
                columns["observed"] += np.concatenate([seen[0][:, place], np.full(len(between), np.nan)])[order].tolist()
                columns["value"] += np.concatenate([seen[1][:, place], smooth[:, place]])[order].tolist()
            first = last
        return columns


class _Shown(Mapping[str, Mapping[str, Sequence[Any]]]):
    """The curves of a trial, computed when they are asked for: of the best trial alone."""

    def __init__(self, show: Callable[[], Mapping[str, Sequence[Any]]]) -> None:
        self._show = show

    def __getitem__(self, name: str) -> Mapping[str, Sequence[Any]]:
        if name != "curves":
            raise KeyError(name)
        return self._show()

    def __iter__(self) -> Iterator[str]:
        return iter(("curves",))

    def __len__(self) -> int:
        return 1


def _find_chi2(misfit: Misfit, predicted: Predicted, logs: Array, known: Array, noise: float) -> float:
    """Return the sum of squares of errors in units of their known sizes; noise of a logarithm is known without units."""
    sizes = np.where(logs[misfit.column] > 0, noise, known) if misfit.sizes != "given" else known
    return float(((misfit.split(predicted).errors / sizes) ** 2).sum())


def _measure_error(found: Array, truth: Array) -> float:
    """Return the largest relative error; that of a true value of 0 is absolute."""
    return float((np.abs(found - truth) / np.where(truth == 0, 1.0, np.abs(truth))).max())


PROBLEM = Problem(prepare=Calibrator)
