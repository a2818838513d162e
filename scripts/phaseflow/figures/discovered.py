"""Discovered: the coefficients found beside the true ones, and how the held-out error depends on the number of terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.fits import Fit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_COLOURS = {"found": "C0", "unknown": "C0", "absent": "C0", "false": "C1", "missing": "C1"}
# Where coefficients differ by more than this factor, small ones are shown on a scale that is logarithmic away from zero.
_WIDE = 1_000


def suits(fit: Fit) -> bool:
    """Tell whether equations were sought."""
    return fit.discover is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return the terms (part `term`) and, of each way to propose terms, the error against their number (part `path`)."""
    import pandas as pd

    terms = source.read("terms")[["term", "estimate", "ci_low", "ci_high", "truth", "standing"]].assign(part="term")
    path = source.read("rows")[["optimizer", "n_terms", "held_out_error", "is_chosen"]].assign(part="path")
    return pd.concat([terms, path], ignore_index=True)


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: NoOptions) -> None:
    """Draw the coefficients on the left and the paths on the right."""
    terms, path = data[data["part"] == "term"], data[data["part"] == "path"]
    canvas.set_size_inches(7.0, max(2.9, 0.9 + 0.26 * len(terms)))
    left, right = canvas.subplots(1, 2, gridspec_kw={"width_ratios": [1.25, 1]})
    _draw_terms(left, terms)
    _draw_paths(right, path)


def _draw_terms(axes: Axes, terms: pd.DataFrame) -> None:
    places = np.arange(len(terms))
    axes.axvline(0, color="#999999", linewidth=0.8)
    has_truth = terms["truth"].notna().any()
    if has_truth:
        axes.plot(terms["truth"], places, linestyle="", marker="o", markersize=8, fillstyle="none", color="#555555", label="true")
    for label, chosen in (
        ("found", terms["standing"].isin(["found", "unknown", "absent"])),
        ("false or missing", terms["standing"].isin(["false", "missing"])),
    ):
        if chosen.any():
            part, where = terms[chosen], places[chosen.to_numpy()]
            colour = _COLOURS[part["standing"].iloc[0]]
            axes.hlines(where, part["ci_low"], part["ci_high"], color=colour, linewidth=1.2)
            axes.plot(part["estimate"], where, linestyle="", marker="o", markersize=3.5, color=colour, label=label)
    sizes = terms[["estimate", "truth"]].abs().to_numpy(dtype=float)
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if len(sizes) and sizes.max() > _WIDE * sizes.min():
        axes.set_xscale("symlog", linthresh=float(sizes.min()))
    axes.set_yticks(places, terms["term"])
    axes.margins(x=0.1)
    axes.invert_yaxis()
    axes.set(xlabel="coefficient")
    axes.legend(loc="best")


def _draw_paths(axes: Axes, path: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    path = path.sort_values("n_terms", kind="stable")
    for place, (name, part) in enumerate(path.groupby("optimizer", sort=True)):
        colour, best = f"C{place % 7}", part[part["is_chosen"].astype(bool)]
        axes.plot(part["n_terms"], part["held_out_error"], marker=".", color=colour, label=name)
        axes.plot(best["n_terms"], best["held_out_error"], linestyle="", marker="o", markersize=8, fillstyle="none", color=colour)
    if path["optimizer"].nunique() > 1:
        axes.legend(loc="best")
    axes.set_yscale("log")
    axes.set_xlim(path["n_terms"].min() - 0.5, path["n_terms"].max() + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlabel="terms in the equations", ylabel="held-out error / spread")


def write_caption(name: str, fit: Fit, _options: NoOptions) -> str:
    """Say what is drawn and how to read it."""
    beside = " beside the true ones" if fit.truth is not None else ""
    return (
        f"The equations of {name}, found from {fit.to} alone: on the left the coefficients{beside}, with intervals where these are "
        "wider than the dots; on the right how far the later fifth of the data lies from the nearest trajectories of equations "
        "with so many terms. The circle marks where the search by likelihood began: the fewest terms that do as well as any."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    terms = data[data["part"] == "term"]
    counts = terms["standing"].value_counts().sort_index()
    said = ", ".join(f"{n} {standing}" for standing, n in counts.items() if standing != "unknown") or "truth unknown"
    equations = terms["term"].str.split("'").str[0].nunique()
    return f"{int((terms['estimate'] != 0).sum())} terms in {equations} equations ({said})."


FIGURE = Figure("fit", suits, prepare, draw, write_caption, describe)
