"""Performance profile: the share of problems that each algorithm solves within a factor of the fastest one's evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phaseflow.figures import Figure, Source
from phaseflow.figures._profiles import (
    READING,
    ProfileOptions,
    choose_target,
    describe_profile,
    draw_profile,
    format_target,
    prepare_profile,
    suits,
)
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas


def prepare(source: Source, options: ProfileOptions) -> pd.DataFrame:
    """Return algorithm, at (the factor), share, low and high."""
    return prepare_profile(source, "performance", choose_target(source.settings, options), options)


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, options: ProfileOptions) -> None:
    """Draw a curve an algorithm."""
    target = format_target(choose_target(source.settings, options))
    draw_profile(canvas, data, options.shown, "factor of the fastest algorithm's evaluations", f"share of problems solved to {target}")


def write_caption(name: str, _study: Study, _options: ProfileOptions) -> str:
    """Say what is drawn and how it is read."""
    return (
        f"{name}: the share of problems that each algorithm solved with at most so many times the evaluations of the fastest one "
        "(Dolan and Moré 2002). At 1: how often it was the fastest; at the right end: how often it solved a problem at all. "
        f"A curve depends on which algorithms are compared. {READING}."
    )


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe_profile, ProfileOptions)
