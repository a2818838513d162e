"""Figures, one plugin a file: what it reads, what it draws, and what its caption says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from phaseflow.settings.base import Settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

Section = Literal["simulate", "optimize", "fit"]


@dataclass(frozen=True)
class Source:
    """What a figure is drawn from: a scenario, a study or a fit with its settings and tables."""

    section: Section
    name: str
    settings: Any
    tables: Mapping[str, Path]

    def read(self, table: str, **options: Any) -> pd.DataFrame:
        """Read one of the source's tables, a file or a folder of Parquet files, or a CSV."""
        import pandas as pd

        path = self.tables[table]
        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path, **options)


class NoOptions(Settings):
    """The options of a figure that has none."""


@dataclass(frozen=True)
class Figure:
    """A figure plugin.

    Attributes
    ----------
    section : the section of the config whose results it draws.
    suits : tells from the settings whether `figures: auto` draws it.
    prepare : returns from the tables exactly the data that is drawn.
    draw : draws that data on an empty matplotlib figure.
    caption : says in a sentence or two what the figure shows, given the source's name, its settings and the options.
    describe : says in one sentence, from the drawn data, what there is to see (the alternative text).
    options : the settings that a user may give beside the source and the caption.
    is_dense : whether the page shows the PNG, since points are many.
    is_lead : stands before the others of its entry, and on the entry's card.
    view : returns, from the figure as it was drawn, what the page lets its reader look around in; None for nothing.
    """

    section: Section
    suits: Callable[[Any], bool]
    prepare: Callable[[Source, Any], pd.DataFrame]
    draw: Callable[[Canvas, pd.DataFrame, Source, Any], None]
    caption: Callable[[str, Any, Any], str]
    describe: Callable[[pd.DataFrame], str]
    options: type[Settings] = NoOptions
    is_dense: bool = False
    is_lead: bool = False
    view: Callable[[Canvas, pd.DataFrame], dict[str, Any] | None] = lambda *_: None


def read_trajectories(source: Source, limit: int, n_states: int | None = None) -> pd.DataFrame:
    """Return the trajectories of a scenario's first members, of all states or the first few, in the order of the config and of time."""
    import pandas as pd
    import pyarrow.dataset

    members = source.read("members", columns=["member"])["member"].head(limit)
    names = pyarrow.dataset.dataset(source.tables["trajectories"]).schema.names
    columns = names[: None if n_states is None else 2 + n_states]
    frugal = {"split_blocks": True, "self_destruct": True}  # no second copy of the rows
    frame = source.read("trajectories", columns=columns, filters=[("member", "in", members.tolist())], to_pandas_kwargs=frugal)
    rank, t = pd.Index(members).get_indexer(frame["member"]), frame["t"].to_numpy()
    is_next = (rank[1:] > rank[:-1]) | ((rank[1:] == rank[:-1]) & (t[1:] >= t[:-1]))
    if is_next.all():  # millions of rows are not moved for nothing
        return frame
    return frame.assign(rank=rank).sort_values(["rank", "t"], kind="stable", ignore_index=True).drop(columns="rank")


def describe_range(values: pd.Series[float]) -> str:
    """Return a column's range in words."""
    return f"{values.name} between {values.min():.3g} and {values.max():.3g}"
