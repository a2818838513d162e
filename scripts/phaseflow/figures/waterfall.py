"""Waterfall of a multistart: the values that the starts of a calibration reached, sorted, above the least of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

# The least value itself, which a logarithmic axis cannot show, is drawn here.
_FLOOR = 1e-6


def suits(study: Study) -> bool:
    """Tell whether the study calibrates from several starts."""
    return study.calibrate is not None and any("starts" in block for block in study.sweep or [])


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return trial, status, value, rank and above (the value above the least of the study) of the trials with a value, sorted."""
    trials = source.read("trials")[["trial", "status", "value"]].dropna(subset="value")
    trials = trials.sort_values(["value", "trial"], ignore_index=True)
    return trials.assign(rank=trials.index + 1, above=trials["value"] - trials["value"].min())


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: NoOptions) -> None:
    """Draw the values in their order, on a logarithmic axis."""
    canvas.set_size_inches(6.3, 3.2)
    axes = canvas.subplots()
    for place, (status, part) in enumerate(data.groupby("status", sort=True)):
        axes.plot(part["rank"], part["above"].clip(lower=_FLOOR), "o", color=f"C{place}", markersize=4, label=status)
    axes.set_yscale("log")
    axes.set_xlabel("start, by its value")
    axes.set_ylabel("value above the least")
    if data["status"].nunique() > 1:
        axes.legend()


def write_caption(name: str, _study: Study, _options: NoOptions) -> str:
    """Say what is drawn, and how to read it."""
    text = "Steps are answers that several starts share; a long lowest step says that the best answer is not one start's luck."
    return f"{name}: the value that each start reached, above the least of all, in order (values below {_FLOOR:g} are drawn there). {text}"


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    if data.empty:
        return "No start has a value."
    near = int((data["above"] <= 0.1).sum())
    return f"{len(data)} starts in order of their value; {near} of them within 0.1 of the least, {data['value'].min():.6g}."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe)
