"""What figures of the small study were given to draw, and sources of hand-made tables."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure as Canvas

from phaseflow.config import load_config
from phaseflow.drawing import STYLE_PATH
from phaseflow.figures import Source
from phaseflow.paths import list_tables
from phaseflow.plan import Plan
from phaseflow.plugins import load_plugin
from tests.contracts.small import CONFIG, make_tables


@dataclass(frozen=True)
class Study:
    """The small study with its tables made."""

    folder: Path
    plan: Plan

    def source(self, section, name):
        tables = {kind: self.folder / path for kind, path in list_tables(section, name).items()}
        return Source(section, name, self.plan.entries[section][name], tables)

    def read(self, section, name, table):
        return self.source(section, name).read(table)

    def prepare(self, figure, name, **options):
        plugin = load_plugin("figures", figure)
        return plugin.prepare(self.source(plugin.section, name), plugin.options.model_validate(options))

    def find_sources(self, figure):
        """Yield every source that a figure suits."""
        plugin = load_plugin("figures", figure)
        for name, settings in self.plan.entries[plugin.section].items():
            if plugin.suits(settings):
                yield self.source(plugin.section, name)

    def draw(self, figure, name, data=None, **options):
        """Return the matplotlib figure and the data that it was given."""
        plugin = load_plugin("figures", figure)
        return draw(figure, self.source(plugin.section, name), data, **options)


def draw(figure, source, data=None, **options):
    """Draw a figure of a source, or other data in its place; return the matplotlib figure and the data."""
    plugin = load_plugin("figures", figure)
    chosen = plugin.options.model_validate(options)
    data = plugin.prepare(source, chosen) if data is None else data
    canvas = Canvas(layout="constrained")
    with mpl.style.context(STYLE_PATH):
        plugin.draw(canvas, data, source, chosen)
    return canvas, data


def make_study(folder):
    """Make the tables of the small study in a folder."""
    (folder / "config.yaml").write_text(CONFIG)
    plan = Plan(load_config(folder / "config.yaml"))
    make_tables(plan, folder)
    return Study(folder, plan)


def make_source(folder, section, settings, **tables):
    """Return a source of hand-made tables."""
    paths = {}
    for kind, table in tables.items():
        paths[kind] = folder / f"{kind}.parquet"
        pd.DataFrame(table).to_parquet(paths[kind], index=False)
    return Source(section, "made", settings, paths)


def find_line(axes, x, y):
    """Tell whether axes have a line of exactly these points."""
    return any(list(line.get_xdata()) == list(x) and list(line.get_ydata()) == list(y) for line in axes.lines)
