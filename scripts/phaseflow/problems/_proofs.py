"""What is proven of the answers of one study: its certificates, and the least value within all of its bounds."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb, ctx
from numpy.typing import NDArray

from phaseflow.expressions.enclosures import round_up
from phaseflow.problems import NO_CERTIFICATE, Certificate
from phaseflow.problems._branching import Bound, bound_least_value
from phaseflow.problems._certificate import Certifier
from phaseflow.problems._conditions import Multipliers
from phaseflow.problems._differences import measure_derivatives
from phaseflow.problems._statement import Statement
from phaseflow.settings.proofs import Proof
from phaseflow.settings.studies import Study

Array = NDArray[np.float64]

# In more dimensions boxes are too many for any budget.
_MOST_DIMENSIONS = 6


class Prover:
    """Proves what it can of answers, each by itself, in the words and columns of the table of trials."""

    def __init__(self, study: Study) -> None:
        self.statement, self.proof = Statement.of(study), study.proof
        self.bounds = [variable.bounds for variable in study.variables.values()]

    def prove(self, point: Array, multipliers: Multipliers, *, is_feasible: bool) -> tuple[Certificate, dict[str, float]]:
        """Return the certificate of an answer, and the columns that go with it."""
        if self.proof is None:
            return replace(NO_CERTIFICATE, reason="the study says certify: none"), {}
        if len(self.statement.names) > self.proof.variables:
            reason = f"there are more than {self.proof.variables} variables, the most that certify: {{variables: ...}} allows"
            return replace(NO_CERTIFICATE, reason=reason), {}
        if is_feasible:
            certificate = self._certifier.certify(point, multipliers.slopes, multipliers.conditions)
        else:
            certificate = replace(NO_CERTIFICATE, reason="the answer violates the bounds or the constraints")
        least = certificate.least
        if certificate.scope != "global" and self._bound is not None:
            least = self._bound.lower
            certificate = self._enclose(certificate, self._bound, point, self.proof) if is_feasible else certificate
        return certificate, _tabulate(self.statement, certificate, least)

    @cached_property
    def _certifier(self) -> Certifier:
        proof = self.proof or Proof()
        return Certifier(self.statement, proof.bits, proof.near.value)

    @cached_property
    def _bound(self) -> Bound | None:
        """What branch and bound proves of the least value; the same for every answer."""
        is_small = len(self.bounds) <= _MOST_DIMENSIONS and bool(np.isfinite(self.bounds).all())
        return bound_least_value(self.statement, self.proof.boxes) if is_small and self.proof and self.proof.boxes else None

    def _enclose(self, certificate: Certificate, bound: Bound, point: Array, proof: Proof) -> Certificate:
        """Return a certificate that also tells what is proven of the least value of all."""
        if bound.lower == math.inf:
            return replace(NO_CERTIFICATE, reason="it is proven that no point within the bounds keeps the constraints")
        with ctx.workprec(proof.bits):
            value = self.statement.expand([arb(float(x)) for x in point], 0, ()).objective.value
            gap = round_up(value - arb(bound.lower))
        if bound.is_closed:
            text = f"{certificate.reason}; the least value of all within the bounds is enclosed by {bound.boxes} boxes"
            return replace(certificate, gap=gap, scope="global", reason=text)
        is_better = certificate.kind == "none" and math.isfinite(gap)
        return replace(certificate, gap=gap, scope="global") if is_better else certificate

    def measure_derivatives(self, point: Array, gradient: Array, hessian: Array, jacobian: Array) -> float:
        """Return how far compiled derivatives are from differences in high precision; NaN where that is not asked for."""
        if self.proof is None or len(point) > self.proof.variables:
            return math.nan
        return measure_derivatives(self.statement, self.proof.bits, point, gradient, hessian, jacobian)


def _tabulate(statement: Statement, certificate: Certificate, least: float) -> dict[str, Any]:
    """Return the columns of the certified point, and the bound on the least value."""
    columns = {"gap_proven": certificate.gap, "proven_bound": least if least > -math.inf else math.nan}
    columns |= {"certified_value": certificate.value, "certified_error": certificate.error, "certified_radius": certificate.radius}
    return columns | {f"certified_{name}": float(x) for name, x in zip(statement.names, certificate.point, strict=False)}
