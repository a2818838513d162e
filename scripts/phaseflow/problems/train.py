"""Train a small network on the rows of a table: batch algorithms by name, and stochastic ones, with the same cost and evidence.

Inputs and outputs are scaled to mean 0 and standard deviation 1 over the training rows, so a loss of 1 is that of predicting the mean.
An evaluation is one pass over the training rows: of a batch algorithm one point with its loss and exact gradient, of a stochastic one
all the steps of an epoch; the losses by which an epoch is judged, and those of the rows held out, are taken outside of the budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from phaseflow.data import Table
from phaseflow.kinds.train import LEARNING_RATES
from phaseflow.problems import Certificate, Problem, Solution
from phaseflow.problems._budgets import Meter
from phaseflow.problems._lessons import Array, Lessons, Rows, read_lessons
from phaseflow.problems._perceptron import Loss, Perceptron
from phaseflow.problems._search import Objective, Run
from phaseflow.problems._stochastic import draw_batches, make_rule
from phaseflow.settings.studies import Study

_CERTIFICATE = Certificate("none", "a network's loss may have many minima, and none is proven to be the least")
_SOLVED = Certificate("none", "a linear map has one least loss, known from its closed form")
# Along so many random directions is each answer's gradient checked.
_DIRECTIONS = 8


@dataclass
class Record:
    """What a trial spent and saw, a row a pass over the training rows.

    Attributes
    ----------
    losses : for each pass the loss, and the mean squared errors of the training rows and of those held out.
    """

    loss: Loss
    held_out: Loss
    meter: Meter
    losses: list[tuple[float, float, float]] = field(default_factory=list)
    _last: tuple[Array, float, Array] | None = None

    def look(self, weights: Array) -> tuple[float, Array]:
        """Return the loss of all rows and its gradient: one pass, nothing where the same weights are asked for again.

        Raises
        ------
        BudgetError : all passes are spent.
        """
        if self._last is None or not np.array_equal(self._last[0], weights):
            self.meter.spend()
            with np.errstate(all="ignore"):
                value, error, gradient = self.loss.differentiate(weights)
                self.losses.append((value, error, float(self.held_out.measure(weights))))
            self._last = (np.array(weights), value, gradient)
        return self._last[1], self._last[2].copy()

    def judge(self, weights: Array) -> float:
        """Note the losses after a pass that was made step by step, and return the first of them."""
        with np.errstate(all="ignore"):
            error = float(self.loss.measure(weights))
            value = float(self.loss.find_value(weights))
            self.losses.append((value, error, float(self.held_out.measure(weights))))
        return value


@dataclass(frozen=True)
class Trained:
    """How a training ended."""

    status: str
    weights: Array
    message: str
    gradients: int


class Trainer:
    """Solves the trials of a study that trains a network."""

    def __init__(self, study: Study, tables: Mapping[str, Path]) -> None:
        self.train = study.training
        path = tables[self.train.to]
        self.lessons: Lessons = read_lessons(self.train, Table(path).read(), f"{self.train.to}: {path}")
        rows, later = self.lessons.training, self.lessons.validation
        sizes = (len(self.train.inputs), *self.train.layers, len(self.train.predicted))
        self.network = Perceptron(sizes, self.train.activation)
        self.loss = Loss(self.network, rows.inputs, rows.outputs, self.train.penalty.value)
        self.held_out = Loss(self.network, later.inputs, later.outputs)
        # The bits of a matrix product depend on the number of threads.
        with threadpool_limits(1):
            self.plain = solve_linearly(rows, 0.0)
            self.least = self._find_least()

    def __call__(self, trial: Mapping[str, Any], random: np.random.Generator) -> Solution:
        """Train by one algorithm from one draw of the weights."""
        key = np.array([random.integers(2**63), int(trial["start"])], dtype=np.uint64)
        own = np.random.Generator(np.random.Philox(key=key))
        record = Record(self.loss, self.held_out, Meter(int(trial["epochs"])))
        with threadpool_limits(1):
            start, directions = self.network.draw(own), self._draw_directions(own)
            if trial["algorithm"] in LEARNING_RATES:
                trained = self._descend(record, start, trial, own)
            else:
                trained = self._search(record, start, str(trial["algorithm"]), own)
            return self._conclude(record, start, trained, directions)

    def _draw_directions(self, random: np.random.Generator) -> Array:
        drawn = random.standard_normal((_DIRECTIONS, self.network.n_weights))
        directions: Array = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return directions

    def _find_least(self) -> float | None:
        """Return the least loss that there is, which is known of a linear map alone."""
        if self.train.layers:
            return None
        return float(self.loss.find_value(solve_linearly(self.lessons.training, self.loss.penalty)))

    def _search(self, record: Record, start: Array, algorithm: str, random: np.random.Generator) -> Trained:
        """Run a batch algorithm on the loss of all rows."""
        objective = Objective(lambda weights: record.look(weights)[0], lambda weights: record.look(weights)[1])
        free = np.full(len(start), np.inf)
        run = Run(objective, start, -free, free, self.train.tolerance.value or None, budget=record.meter.budget)
        outcome = run.run(algorithm, random)
        status, message = outcome.status, outcome.message
        if record.meter.reason is not None:
            status, message = "stopped", _say_spent(record.meter.budget)
        return Trained(status, outcome.point, message, run.gradients)

    def _descend(self, record: Record, start: Array, trial: Mapping[str, Any], random: np.random.Generator) -> Trained:
        """Run a stochastic algorithm for all its epochs, or until the loss is no number."""
        name, n_rows, batch = str(trial["algorithm"]), len(self.loss.inputs), int(trial["batch"])
        rule = make_rule(name, float(trial["learning_rate"]) or LEARNING_RATES[name], self.train.momentum.value)
        first, weights, steps = float(self.loss.find_value(start)), start, 0
        best = (first, start)
        for epoch in range(1, record.meter.budget + 1):
            with np.errstate(all="ignore"):
                for rows in draw_batches(n_rows, batch, random):
                    weights = rule.step(weights, partial(self._slope, rows))
                    steps += 1
            value = record.judge(weights)
            best = (value, weights) if value < best[0] else best
            if not np.isfinite(value):
                return Trained("failed", best[1], f"the loss is {value} after epoch {epoch}: the learning rate is too large", steps)
        if record.losses[-1][0] > first:
            rise = f"the loss rose from {first:.6g} to {record.losses[-1][0]:.6g}: the learning rate is too large"
            return Trained("failed", best[1], rise, steps)
        return Trained("stopped", weights, _say_spent(record.meter.budget), steps)

    def _slope(self, rows: Any, weights: Array) -> Array:
        return self.loss.differentiate(weights, rows)[2]

    def _conclude(self, record: Record, start: Array, trained: Trained, directions: Array) -> Solution:
        """Return the solution with what can be said about it."""
        losses = np.array(record.losses).reshape(-1, 3)
        value = float(self.loss.find_value(trained.weights))
        errors = np.array([self.loss.measure(trained.weights), self.held_out.measure(trained.weights)])
        evidence = self._weigh(losses, start, trained.weights)
        if self.least is not None:
            evidence["gap_known"] = value - self.least
        # Where a training failed its answer may be anywhere; the gradient is large enough to be checked at the start.
        looked_at = [start] if trained.status == "failed" else [start, trained.weights]
        evidence["gradient_error"] = max(self.loss.check_gradient(weights, list(directions)) for weights in looked_at)
        certificate = _CERTIFICATE if self.least is None else _SOLVED
        shown = {"curves": self._show(trained.weights)}
        return Solution(
            trained.status, value, errors, trained.message, trained.gradients, evidence, losses[:, 0], losses[:, 1:], shown, certificate
        )

    def _weigh(self, losses: Array, start: Array, weights: Array) -> dict[str, float]:
        """Return what can be said of an answer, beside what a linear map by least squares makes of the same rows."""
        gradient, plain = self.loss.differentiate(weights)[2], self.plain
        linear = Perceptron((self.network.sizes[0], self.network.sizes[-1]), self.network.activation)
        later = self.lessons.validation
        squares, plain_squares = (
            ((which.predict(chosen, later.inputs) - later.outputs) ** 2).mean(axis=1)
            for which, chosen in ((self.network, weights), (linear, plain))
        )
        finite = np.where(np.isfinite(losses), losses, np.inf)
        first = int(finite[:, 2].argmin()) if len(finite) else 0
        return {
            "kkt_residual": float(np.abs(gradient).max()),
            "feasibility": 0.0,
            "gradient_norm": float(np.linalg.norm(gradient)),
            "start_value": float(self.loss.find_value(start)),
            "best_value": float(finite[:, 0].min(initial=np.inf)),
            "best_validation_loss": float(finite[first, 2]) if len(finite) else np.nan,
            "best_validation_epoch": float(first + 1),
            "mean_validation_loss": float((later.outputs**2).mean()),
            "linear_training_loss": float(Loss(linear, self.loss.inputs, self.loss.outputs).measure(plain)),
            "linear_validation_loss": float(plain_squares.mean()),
            "gain": float((plain_squares - squares).mean()),
            "gain_se": measure_mean_error(plain_squares - squares),
            "n_weights": float(len(weights)),
            "training_rows": float(len(self.loss.inputs)),
            "validation_rows": float(len(later.inputs)),
        }

    def _show(self, weights: Array) -> dict[str, Any]:
        """Return what is predicted of each row held out, in its own units, and the weights, as columns."""
        later, scale = self.lessons.validation, self.lessons.scale
        observed, predicted = scale.undo(later.outputs), scale.undo(self.network.predict(weights, later.inputs))
        names = [name for name in self.train.predicted for _ in later.at] + ["weights"] * len(weights)
        return {
            "curve": names,
            "at": np.concatenate([np.tile(later.at, len(self.train.predicted)), np.arange(1.0, len(weights) + 1)]),
            "observed": np.concatenate([observed.T.ravel(), np.full(len(weights), np.nan)]),
            "value": np.concatenate([predicted.T.ravel(), weights]),
        }


def solve_linearly(rows: Rows, penalty: float) -> Array:
    """Return the weights of the linear map with the least loss, by orthogonal factors of the rows and the penalty as further rows."""
    n_inputs, n_numbers = rows.inputs.shape[1], rows.outputs.size
    ones, ridge = np.ones((len(rows.inputs), 1)), np.sqrt(penalty * n_numbers) * np.eye(n_inputs, n_inputs + 1)
    design = np.vstack([np.hstack([rows.inputs, ones]), ridge])
    sought = np.vstack([rows.outputs, np.zeros((n_inputs, rows.outputs.shape[1]))])
    solved: Array = np.linalg.lstsq(design, sought, rcond=None)[0].ravel()
    return solved


def measure_mean_error(values: Array) -> float:
    """Return the standard error of a mean from the means of blocks of neighbours, as many as each has rows: neighbours may be related.

    Source: Kuensch (1989), Annals of Statistics 17, 1217-1241, with blocks that do not overlap.
    """
    n_blocks = max(2, int(np.sqrt(len(values))))
    means = np.array([block.mean() for block in np.array_split(values, n_blocks)])
    return float(means.std(ddof=1) / np.sqrt(n_blocks))


def _say_spent(epochs: int) -> str:
    return f"the budget of {epochs} epochs is spent"


PROBLEM = Problem(prepare=Trainer)
