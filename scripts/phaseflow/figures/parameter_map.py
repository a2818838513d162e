"""Parameter map: a measure over the plane of two swept quantities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from phaseflow.figures import Figure, Source
from phaseflow.figures.bifurcation import find_swept
from phaseflow.settings.base import Settings
from phaseflow.settings.scenarios import Scenario
from phaseflow.views import make_cells

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas


class Options(Settings):
    """What is drawn."""

    measure: str | None = Field(None, description="the column of members.parquet (default: the first measure)")


def suits(scenario: Scenario) -> bool:
    """Tell whether something is measured over a sweep of two quantities."""
    return len(find_swept(scenario)) == 2 and bool(scenario.list_measures()) and scenario.ensemble is None


def prepare(source: Source, options: Options) -> pd.DataFrame:
    """Return a row a member: the two swept values and the measure."""
    measure = options.measure or source.settings.list_measures()[0]
    columns = [*find_swept(source.settings), measure]
    return source.read("members", columns=columns).sort_values(columns[:2], kind="stable", ignore_index=True)


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: Options) -> None:
    """Draw a cell a member, as wide as the way to its neighbours; white where there is no value."""
    canvas.set_size_inches(6.3, 4.4)
    axes = canvas.add_subplot()
    across, up, measure = data.columns
    table = _pivot(data)
    edges = _find_edges(table.columns.to_numpy()), _find_edges(table.index.to_numpy())
    mesh = axes.pcolormesh(*edges, table.to_numpy(), rasterized=True, **_choose_colours(table))
    axes.set(xlabel=across, ylabel=up)
    canvas.colorbar(mesh, ax=axes, label=measure.replace("lyapunov_1", "largest Lyapunov exponent"))


def _pivot(data: pd.DataFrame) -> pd.DataFrame:
    across, up, measure = data.columns
    return data.pivot_table(index=up, columns=across, values=measure, aggfunc="first", dropna=False)


def _find_edges(values: np.ndarray) -> np.ndarray:
    """Return the borders half-way between values."""
    if len(values) == 1:
        return np.array([values[0] - 0.5, values[0] + 0.5])
    middle = (values[1:] + values[:-1]) / 2
    return np.concatenate([[2 * values[0] - middle[0]], middle, [2 * values[-1] - middle[-1]]])


def _choose_colours(table: pd.DataFrame) -> dict[str, Any]:
    """Return two colours that meet at zero where the measure has both signs, else one scale."""
    from matplotlib.colors import TwoSlopeNorm

    low, high = float(np.nanmin(table.to_numpy())), float(np.nanmax(table.to_numpy()))
    return {"cmap": "RdBu_r", "norm": TwoSlopeNorm(0, low, high)} if low < 0 < high else {"cmap": "viridis"}


def write_caption(name: str, scenario: Scenario, options: Options) -> str:
    """Say what is drawn."""
    across, up = find_swept(scenario)
    measure = (options.measure or scenario.list_measures()[0]).replace("lyapunov_1", "The largest Lyapunov exponent")
    return f"{measure} of {name} in the plane of {across} and {up}, a cell a member; white where a member has no value."


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    measure = data.columns[2]
    values = data[measure].dropna()
    above = int((values > 0).sum())
    return f"{len(data)} cells; {measure} lies between {values.min():.3g} and {values.max():.3g} and is above 0 in {above}."


def view(canvas: Canvas, data: pd.DataFrame) -> dict[str, Any] | None:
    """Return the cells, to be read off."""
    across, up, measure = data.columns
    table = _pivot(data)
    return make_cells(canvas.axes[0], (across, up, measure), table.columns.to_numpy(), table.index.to_numpy(), table.to_numpy())


FIGURE = Figure("simulate", suits, prepare, draw, write_caption, describe, Options, is_dense=True, view=view, is_lead=True)
