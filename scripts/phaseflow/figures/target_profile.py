"""Distribution over targets: the share of problems and targets that each algorithm has reached within so many evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phaseflow.figures import Figure, Source
from phaseflow.figures._profiles import READING, ProfileOptions, describe_profile, draw_profile, prepare_profile, suits
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas


def prepare(source: Source, options: ProfileOptions) -> pd.DataFrame:
    """Return algorithm, at (units of n + 1 evaluations), share, low and high."""
    return prepare_profile(source, "targets", None, options)


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, options: ProfileOptions) -> None:
    """Draw a curve an algorithm."""
    draw_profile(canvas, data, options.shown, "evaluations, in units of n + 1", "share of problems and targets reached")


def write_caption(name: str, study: Study, _options: ProfileOptions) -> str:
    """Say what is drawn and how it is read."""
    targets = ", ".join(target.text for target in study.targets or [])
    return (
        f"{name}: the share of all pairs of a problem and a target ({targets}) that each algorithm had reached within so many evaluations, "
        "in units of n + 1 (Hansen et al. 2021). The area above a curve is what the ranking goes by: it asks both how far and how fast. "
        f"{READING}."
    )


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe_profile, ProfileOptions)
