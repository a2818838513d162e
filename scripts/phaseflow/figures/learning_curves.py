"""Learning curves: the mean squared error of the rows that train and of those held out, against passes, best trial of each algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_PANELS = {"training_loss": "rows that train", "validation_loss": "rows held out"}


def suits(study: Study) -> bool:
    """Tell whether the study trains a network."""
    return study.train is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return the history of the trial with the least loss of each algorithm, and what the linear map by least squares errs."""
    trials = source.read("trials")
    trials = trials[trials["status"] != "failed"].dropna(subset="value")
    best = trials.loc[trials.groupby("algorithm", sort=False)["value"].idxmin()]
    plain = ["linear_training_loss", "linear_validation_loss"]
    histories = source.read("histories")[["trial", "evaluation", *_PANELS]]
    joined = best[["trial", "algorithm", *plain]].merge(histories, on="trial", how="inner")
    return joined[["trial", "algorithm", "evaluation", *_PANELS, *plain]]


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: NoOptions) -> None:
    """Draw a panel for the rows that train and one for those held out, a colour an algorithm, the linear map as a dashed line."""
    canvas.set_size_inches(6.9, 3.2)
    panels = canvas.subplots(1, 2, sharex=True, sharey=True)
    algorithms = list(dict.fromkeys(data["algorithm"]))
    for axes, (column, title) in zip(panels, _PANELS.items(), strict=True):
        for place, algorithm in enumerate(algorithms):
            part = data[data["algorithm"] == algorithm]
            axes.plot(part["evaluation"], part[column], color=f"C{place % 7}", linewidth=0.9, label=algorithm)
        if len(data):
            axes.axhline(data[f"linear_{column}"].iloc[0], color="#888888", linestyle="--", linewidth=0.9, label="linear map")
            axes.set_xscale("log")
            axes.set_yscale("log")
        axes.set_title(title)
        axes.set_xlabel("passes over the rows that train")
    panels[0].set_ylabel("mean squared error (1: the mean)")
    panels[1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def write_caption(name: str, study: Study, _options: NoOptions) -> str:
    """Say what is drawn and in which unit."""
    of = study.training.to
    return (
        f"{name}: the mean squared error on {of} after each pass, of the trial of each algorithm that ended with the least loss. "
        "In units of the variance of the outputs in the rows that train; dashed is the linear map by least squares."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    if data.empty:
        return "No training has an answer."
    last = data.groupby("algorithm", sort=False).last()
    ends = [f"{name} {row['training_loss']:.2g} and {row['validation_loss']:.2g}" for name, row in last.iterrows()]
    return f"Falling lines that end, for rows that train and rows held out, at {', '.join(ends)}."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe, is_lead=True)
