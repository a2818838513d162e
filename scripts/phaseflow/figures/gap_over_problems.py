"""Convergence of a comparison: median and quartiles over problems of the share of the way that is left, against evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from phaseflow.figures import Figure, Source
from phaseflow.figures._profiles import suits
from phaseflow.settings.base import Count, Real, Settings
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_COLOURS = 7
_POINTS = 80
# Below this a share of the way is rounding; a logarithmic axis ends here.
_FLOOR = 1e-16
_SPREAD = {"low": 0.25, "median": 0.5, "high": 0.75}


class GapOptions(Settings):
    """Which curves are drawn."""

    budget: Real | None = Field(None, description="which of the study's budgets (default: the largest)")
    shown: Count = Field(4, ge=1, le=_COLOURS, description="how many algorithms have a colour and a band; the others are grey")


def prepare(source: Source, options: GapOptions) -> pd.DataFrame:
    """Return algorithm, evaluation, median, low and high, the algorithm with the least median at the end first.

    A share of the way is (f - f*)/(f(start) - f*), 1 before the first evaluation; the starts of a problem count by their median.
    """
    import pandas as pd

    trials = _choose_trials(source.read("trials"), options)
    way = (trials["start_value"] - trials["known_value"]).to_numpy()
    trials = trials[way > 0]
    histories = source.read("histories", columns=["trial", "evaluation", "best"])
    last = int(max(trials["evaluations"].max(), 2)) if len(trials) else 2
    at = np.unique(np.geomspace(1, last, _POINTS).round().astype(np.int64))
    left = pd.DataFrame(_find_left(trials, histories, at), columns=at)
    keys = [trials[name].to_numpy() for name in ("algorithm", "problem")]
    over_starts = left.groupby(keys, sort=False).median()
    spread = over_starts.groupby(level=0, sort=False).quantile(list(_SPREAD.values()))
    parts = [
        pd.DataFrame({"algorithm": name, "evaluation": at} | {key: part.loc[(name, share)].to_numpy() for key, share in _SPREAD.items()})
        for name, part in spread.groupby(level=0, sort=False)
    ]
    parts.sort(key=lambda part: (part["median"].iloc[-1], part["median"].sum()))
    columns = ["algorithm", "evaluation", "median", "low", "high"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _choose_trials(trials: pd.DataFrame, options: GapOptions) -> pd.DataFrame:
    """Return the trials of the budget that is drawn, of the problems that every algorithm was given."""
    if "budget" in trials:
        trials = trials[trials["budget"] == (trials["budget"].max() if options.budget is None else options.budget.value)]
    if "problem" not in trials:
        trials = trials.assign(problem="it")
    counts = trials.groupby("problem")["algorithm"].nunique()
    common = counts.index[counts == trials["algorithm"].nunique()]
    return trials[trials["problem"].isin(common)]


def _find_left(trials: pd.DataFrame, histories: pd.DataFrame, at: np.ndarray) -> np.ndarray:
    """Return the share of the way that each trial has left after so many evaluations, shape (n_trials, n_at)."""
    left = np.ones((len(trials), len(at)))
    of_trial = dict(iter(histories.groupby("trial", sort=False)))
    for place, row in enumerate(trials.itertuples()):
        if row.trial not in of_trial:
            continue
        steps = of_trial[row.trial]
        number = np.searchsorted(steps["evaluation"].to_numpy(), at, side="right")
        best = np.concatenate([[row.start_value], steps["best"].fillna(row.start_value).to_numpy()])[number]
        left[place] = (best - row.known_value) / (row.start_value - row.known_value)
    return np.clip(left, _FLOOR, 1)


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, options: GapOptions) -> None:
    """Draw a curve an algorithm, the best in colour between their quartiles and the others in grey."""
    canvas.set_size_inches(6.3, 3.4)
    axes = canvas.add_subplot()
    algorithms = list(dict.fromkeys(data["algorithm"]))
    for place, algorithm in reversed(list(enumerate(algorithms))):
        part = data[data["algorithm"] == algorithm]
        is_shown = place < options.shown
        style = {"color": f"C{place}", "linewidth": 1.3, "label": algorithm} if is_shown else {"color": "#bbbbbb", "linewidth": 0.6}
        axes.plot(part["evaluation"], part["median"], drawstyle="steps-post", zorder=3 if is_shown else 1, **style)
        if is_shown:
            at, low, high = part["evaluation"], part["low"], part["high"]
            axes.fill_between(at, low, high, step="post", color=f"C{place}", alpha=0.1, linewidth=0, zorder=2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel="evaluations", ylabel="(f − f*)/(f(start) − f*), median over problems")
    if algorithms:
        hidden = f"and {len(algorithms) - options.shown} more, in grey" if len(algorithms) > options.shown else None
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.01, 0.5), title=hidden, title_fontsize="small")


def write_caption(name: str, _study: Study, _options: GapOptions) -> str:
    """Say what is drawn and how it is read."""
    return (
        f"{name}: what share of the way from f(start) down to the least value known is left after so many evaluations, at the median over "
        f"problems; bands run from the lower to the upper quartile. Starts of a problem count by their median; {_FLOOR:g} is none."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    if data.empty:
        return "No algorithm was compared."
    last = data.groupby("algorithm", sort=False)["median"].last().head(_COLOURS)
    return "Falling curves; they end at " + ", ".join(f"{gap:.2g} for {algorithm}" for algorithm, gap in last.items()) + "."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe, GapOptions)
