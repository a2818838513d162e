"""Time series: each state against time, a panel a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from phaseflow.figures import Figure, Source, describe_range, read_trajectories
from phaseflow.figures._thinning import thin_series
from phaseflow.settings.base import Count, Settings
from phaseflow.settings.scenarios import Scenario
from phaseflow.views import make_readings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_MOST_PANELS = 6
# More points than these are a picture in the drawing, with so many pixels an inch: as shapes they would be megabytes.
_MOST_SHAPES, _DPI = 90_000, 200


class Options(Settings):
    """How many trajectories are drawn."""

    members: Count = Field(12, ge=1, le=1000, description="how many members are drawn, the first of the plan")


def suits(scenario: Scenario) -> bool:
    """Tell whether there are trajectories that single curves can show."""
    return scenario.keeps_trajectories and not scenario.definition.noise


def prepare(source: Source, options: Options) -> pd.DataFrame:
    """Return member, t, the first six states, and until when each member is reliable; of very many rows those that shape the curves."""
    frame = read_trajectories(source, options.members, _MOST_PANELS)
    frame = thin_series(frame, list(frame.columns[2:]))
    horizons = source.read("members", columns=["member", "reliable_until", "reliable_censored"])
    return frame.merge(horizons, on="member", how="left")


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: Options) -> None:
    """Draw a panel a state with one axis of time."""
    states = find_states(data)
    canvas.set_size_inches(6.8, 0.7 + 1.05 * len(states))
    if is_dense := len(data) * len(states) > _MOST_SHAPES:
        canvas.set_dpi(_DPI)
    panels = canvas.subplots(len(states), 1, sharex=True, squeeze=False)[:, 0]
    width = 1.0 if data["member"].nunique() <= 3 else 0.6
    for axes, state in zip(panels, states, strict=True):
        for place, (_, part) in enumerate(data.groupby("member", sort=False)):
            axes.plot(part["t"], part[state], linewidth=width, color=f"C{place % 7}", rasterized=is_dense)
        if (horizon := find_horizon(data)) is not None:
            axes.axvspan(horizon, data["t"].max(), color="#000000", alpha=0.07, linewidth=0)
        axes.set_ylabel(state, rotation=0, labelpad=12)
        axes.margins(x=0)
    panels[-1].set_xlabel("t")
    canvas.align_ylabels()


def find_states(data: pd.DataFrame) -> list[str]:
    """Return the names of the states among the columns."""
    return [name for name in data.columns[2:] if name not in ("reliable_until", "reliable_censored")]


def find_horizon(data: pd.DataFrame) -> float | None:
    """Return when the first of the members ceases to be reliable, if one does before the end."""
    ended = data.loc[data["reliable_censored"].eq(False) & data["reliable_until"].notna(), "reliable_until"]
    return float(ended.min()) if len(ended) else None


def write_caption(name: str, scenario: Scenario, _options: Options) -> str:
    """Say what is drawn and what is known of its truth."""
    claim = "Shaded: where the first of them is no longer the true solution; averages over such times may still mean something."
    if scenario.certify.method == "none":
        claim = "How long the curves are the true solution has not been checked."
    return f"The states of {name} against time. {claim}".strip()


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    ranges = ", ".join(describe_range(data[state]) for state in find_states(data))
    return f"Curves over time of {data['member'].nunique()} trajectories, t from {data['t'].min():.3g} to {data['t'].max():.3g}: {ranges}."


def view(canvas: Canvas, data: pd.DataFrame) -> dict[str, Any] | None:
    """Return the states of a single trajectory, to be read off."""
    if data["member"].nunique() != 1:
        return None
    return make_readings(canvas.axes, "t", data["t"], {state: data[state] for state in find_states(data)})


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, Options, view=view)
