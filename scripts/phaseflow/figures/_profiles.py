"""What the figures of profiles share: the choice of target and budget, curves with bands, and which of many are told apart by colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from phaseflow.figures import Source
from phaseflow.settings.base import Count, Real, Settings
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_USUAL_TARGET = 1e-5
_COLOURS = 7
READING = "Bands: what drawing the problems anew would give"


class ProfileOptions(Settings):
    """Which curves are drawn."""

    target: Real | None = Field(None, description="which of the study's targets (default: 1e-5, or else the hardest)")
    budget: Real | None = Field(None, description="which of the study's budgets (default: the largest)")
    shown: Count = Field(7, ge=1, le=_COLOURS, description="how many algorithms have a colour; the others are grey")


def suits(study: Study) -> bool:
    """Tell whether algorithms are compared over problems."""
    return study.benchmark is not None


def choose_target(study: Study, options: ProfileOptions) -> float:
    """Return the target that is drawn."""
    targets = [target.value for target in study.targets or []]
    if options.target is not None:
        return options.target.value
    return _USUAL_TARGET if _USUAL_TARGET in targets else min(targets)


def format_target(target: float) -> str:
    """Return a target as people write it: 1e-5."""
    return f"{target:g}".replace("e-0", "e-")


def choose_rows(frame: pd.DataFrame, options: ProfileOptions) -> pd.DataFrame:
    """Return the rows of the budget that is drawn."""
    return frame[frame["budget"] == (frame["budget"].max() if options.budget is None else options.budget.value)]


def prepare_profile(source: Source, profile: str, target: float | None, options: ProfileOptions) -> pd.DataFrame:
    """Return algorithm, at, share, low and high of a profile, the algorithm with the largest area under its curve first."""
    frame = source.read("profiles")
    chosen = choose_rows(frame[frame["profile"] == profile], options)
    if target is not None:
        chosen = chosen[chosen["target"] == target]
    areas = chosen.groupby("algorithm", sort=False)["share"].sum().sort_values(ascending=False, kind="stable")
    order = {algorithm: place for place, algorithm in enumerate(areas.index)}
    ranked = chosen.assign(rank=chosen["algorithm"].map(order)).sort_values(["rank", "at"], kind="stable", ignore_index=True)
    return ranked[["algorithm", "at", "share", "low", "high"]]


def draw_profile(canvas: Canvas, data: pd.DataFrame, shown: int, xlabel: str, ylabel: str) -> None:
    """Draw a curve an algorithm, the best in colour with their bands and the others in grey."""
    canvas.set_size_inches(6.3, 3.4)
    axes = canvas.add_subplot()
    algorithms = list(dict.fromkeys(data["algorithm"]))
    for place, algorithm in reversed(list(enumerate(algorithms))):
        part = data[data["algorithm"] == algorithm]
        is_shown = place < shown
        style = {"color": f"C{place}", "linewidth": 1.3, "label": algorithm} if is_shown else {"color": "#bbbbbb", "linewidth": 0.6}
        axes.plot(part["at"], part["share"], drawstyle="steps-post", zorder=3 if is_shown else 1, **style)
        if is_shown:
            axes.fill_between(part["at"], part["low"], part["high"], step="post", color=f"C{place}", alpha=0.08, linewidth=0, zorder=2)
    axes.set_xscale("log")
    axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, 1.02))
    if algorithms:
        is_idle = data.groupby("at")["high"].max() == 0
        axes.set_xlim(data["at"].to_numpy()[int(is_idle.sum()) - 1 if is_idle.any() else 0], data["at"].max())
        handles, labels = axes.get_legend_handles_labels()
        hidden = f"and {len(algorithms) - shown} more, in grey" if len(algorithms) > shown else None
        axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.01, 0.5), title=hidden, title_fontsize="small")


def describe_profile(data: pd.DataFrame) -> str:
    """Describe the drawn curves by where they end."""
    if data.empty:
        return "No algorithm was compared."
    ends = data.groupby("algorithm", sort=False)["share"].last().head(_COLOURS)
    return "Rising curves; they end at " + ", ".join(f"{share:.0%} for {algorithm}" for algorithm, share in ends.items()) + "."
