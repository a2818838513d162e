"""The bounds of a search."""

from __future__ import annotations

from pydantic import Field

from phaseflow.expressions.quantity import Quantity
from phaseflow.settings.base import Real, Settings, fail


class Bounded(Settings):
    """The bounds of where a search may go."""

    lower: Real | None = Field(None, description="the least value allowed")
    upper: Real | None = Field(None, description="the greatest value allowed")

    def check_start(self, start: Quantity | None) -> None:
        """Check that the bounds are in order and that a start is within them."""
        lower, upper = self.bounds
        if not lower < upper:
            raise fail(f"the lower bound {lower:g} must be less than the upper bound {upper:g}")
        if start is not None and not lower <= start.value <= upper:
            raise fail(f"the start {start.text} is outside the bounds {lower:g} .. {upper:g}")

    @property
    def bounds(self) -> tuple[float, float]:
        """The bounds as doubles, infinite where there are none."""
        return (
            self.lower.value if self.lower is not None else float("-inf"),
            self.upper.value if self.upper is not None else float("inf"),
        )
