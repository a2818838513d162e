"""Function graph: a function of one variable and its derivative between its bounds, with the minimum found and the roots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas


def suits(study: Study) -> bool:
    """Tell whether the study minimises a function of one variable between two bounds."""
    return study.minimize is not None and len(study.variables) == 1 and bool(np.isfinite(next(iter(study.variables.values())).bounds).all())


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return what, at and value: the curves `function` and `derivative`, then each `root` and the `minimum` that was found."""
    import pandas as pd

    name = next(iter(source.settings.variables))
    curves, roots, trials = source.read("curves"), source.read("roots"), source.read("trials")
    parts = [curves.rename(columns={"curve": "what"})[["what", "at", "value"]]]
    parts.append(pd.DataFrame({"what": "root", "at": roots["root"], "value": 0.0}))
    found = trials[trials["status"].isin(["converged", "stopped"])]
    parts.append(found.nsmallest(1, "value")[[name, "value"]].rename(columns={name: "at"}).assign(what="minimum"))
    return pd.concat([part for part in parts if len(part)], ignore_index=True)[["what", "at", "value"]]


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, _options: NoOptions) -> None:
    """Draw the function above its derivative, on one axis of the variable."""
    name = next(iter(source.settings.variables))
    canvas.set_size_inches(6.3, 4.2)
    upper, lower = canvas.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    parts = dict(list(data.groupby("what", sort=False)))
    for axes, curve, label in ((upper, "function", f"f({name})"), (lower, "derivative", f"f′({name})")):
        axes.axhline(0, color="#999999", linewidth=0.6)
        if curve in parts:
            axes.plot(parts[curve]["at"], parts[curve]["value"], color="C0" if curve == "function" else "C2", linewidth=1.3)
        axes.set_ylabel(label)
        axes.margins(x=0.02)
    if "minimum" in parts:
        least = parts["minimum"].iloc[0]
        text = f"least seen: {least['value']:.6g} at {name} = {least['at']:.6g}".replace("-", "−")
        upper.plot(least["at"], least["value"], "v", color="C1", markersize=7, label=text, clip_on=False)
        lower.axvline(least["at"], color="C1", linewidth=0.7, linestyle=":")
    if "root" in parts:
        places = ", ".join(f"{root:.6g}" for root in parts["root"]["at"].head(4)) + (", …" if len(parts["root"]) > 4 else "")
        label = f"{'roots' if len(parts['root']) > 1 else 'root'}: {name} = {places}".replace("-", "−")
        upper.plot(parts["root"]["at"], parts["root"]["value"], "o", color="black", markersize=5, label=label)
    lower.set_xlabel(name)
    if upper.get_legend_handles_labels()[0]:
        upper.legend(loc="best")
    canvas.align_ylabels()


def write_caption(name: str, study: Study, _options: NoOptions) -> str:
    """Say what is drawn, and what the search for roots can miss."""
    text = f"{name}: f = {study.objective.text} above its derivative, with the least value that any trial saw."
    if study.roots is None:
        return text
    return (
        f"{text} Roots were found by a scan of {study.roots.points} points and the turning points between them: "
        "two that lie with two turning points between neighbouring points of the scan would be missed."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    roots = data.loc[data["what"] == "root", "at"]
    least = data[data["what"] == "minimum"]
    said = f"roots at {', '.join(f'{root:.6g}' for root in roots.head(6))}" if len(roots) else "no roots marked"
    found = f"least value {least['value'].iloc[0]:.6g} at {least['at'].iloc[0]:.6g}" if len(least) else "no least value"
    return f"A curve and its derivative: {found}, {said}."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe, is_lead=True)
