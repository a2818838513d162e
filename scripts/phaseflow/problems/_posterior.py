"""What a search for parameters minimises: the misfit with what is known beforehand, as a function of a place on the search's scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from phaseflow.problems._experiments import Sought
from phaseflow.problems._misfits import Misfit
from phaseflow.problems._model import Model, Predicted
from phaseflow.problems._priors import add_up
from phaseflow.problems._scoring import Look, Scoring
from phaseflow.problems._search import Objective

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Posterior:
    """The sum of squares or the negative log-likelihood, or with priors the negative log-posterior."""

    model: Model
    misfit: Misfit

    @cached_property
    def lower(self) -> Array:
        """The lower bounds on the search's scale."""
        return self.sought.to_scale(self.sought.lower)

    @cached_property
    def upper(self) -> Array:
        """The upper bounds on the search's scale."""
        return self.sought.to_scale(self.sought.upper)

    @cached_property
    def units(self) -> Array:
        """The length in which a step of each value sought is measured: a tenth of the bounds' width, else the size of the start."""
        width, start = self.upper - self.lower, np.abs(self.sought.to_scale(self.sought.start))
        unbounded = np.where(self.sought.is_log | (start == 0), 1.0, start)
        return np.where(self.sought.is_log, 1.0, np.where(np.isfinite(width), width / 10, unbounded))

    @property
    def sought(self) -> Sought:
        """What is sought."""
        return self.model.setup.sought

    def find_value(self, place: Array) -> float:
        """Return the value; infinite where the integration or the likelihood fails."""
        point = self.sought.from_scale(place)
        value = self.misfit.find_value(self.model.predict(point)) + add_up(self.sought.priors, point)[0]
        return value if math.isfinite(value) else math.inf

    def find_gradient(self, place: Array) -> Array:
        """Return the gradient on the search's scale."""
        return self.look(place).gradient

    def look(self, place: Array) -> Look:
        """Return value, gradient and curvature on the search's scale."""
        return self.judge(place, self.model.differentiate(self.sought.from_scale(place)))

    def judge(self, place: Array, predicted: Predicted) -> Look:
        """Return the same of a place whose predictions are known."""
        point = self.sought.from_scale(place)
        stretch = self.sought.find_stretch(point)
        value, gradient, curvature = add_up(self.sought.priors, point)
        # By the logarithm, a term has the curvature p**2 f'' + p f', of which the first part is not negative.
        return Look(
            self.misfit.find_value(predicted) + value,
            (self.misfit.find_gradient(predicted) + gradient) * stretch,
            (self.misfit.find_curvature(predicted) + np.diag(curvature)) * np.outer(stretch, stretch),
        )

    def state_objective(self) -> Objective:
        """Return the functions that the algorithms of optimagic want."""
        objective = Objective(self.find_value, self.find_gradient)
        if not self.misfit.is_squares or self.sought.priors:
            return objective
        return replace(objective, residuals=self._find_residuals, jacobian=self._find_jacobian)

    def state_scoring(self) -> Scoring:
        """Return a search by Gauss and Newton's method; a sum of squares is compared with nothing but itself."""
        floor = 0.0 if self.misfit.is_squares else 1.0
        return Scoring(self.find_value, self.look, self.lower, self.upper, self.units, floor)

    def _find_residuals(self, place: Array) -> Array:
        return self.misfit.find_residuals(self.model.predict(self.sought.from_scale(place)))

    def _find_jacobian(self, place: Array) -> Array:
        point = self.sought.from_scale(place)
        return self.misfit.find_jacobian(self.model.differentiate(point)) * self.sought.find_stretch(point)
