"""Data profile: the share of problems that each algorithm solves within so many evaluations, in units of n + 1."""

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
    """Return algorithm, at (units of n + 1 evaluations), share, low and high."""
    return prepare_profile(source, "data", choose_target(source.settings, options), options)


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, options: ProfileOptions) -> None:
    """Draw a curve an algorithm."""
    target = format_target(choose_target(source.settings, options))
    draw_profile(canvas, data, options.shown, "evaluations, in units of n + 1", f"share of problems solved to {target}")


def write_caption(name: str, _study: Study, _options: ProfileOptions) -> str:
    """Say what is drawn and how it is read."""
    return (
        f"{name}: the share of problems that each algorithm solved within so many evaluations, in units of n + 1 for n variables "
        "(Moré and Wild 2009), which is what a simplex or a gradient by differences takes. Higher is better; a curve does not depend on "
        f"the other algorithms. {READING}."
    )


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe_profile, ProfileOptions, is_lead=True)
