"""Value against a swept number: the least cost of a program and its shadow prices, against a number of the problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.studies import Study
from phaseflow.settings.sweeps import count_values

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

_MOST_PRICES = 7
_SHOWN_DIGITS = 12


def find_axis(study: Study) -> str | None:
    """Return the number of the problem that has the most values in the sweep, if any has more than one."""
    axes = [(count_values(values, "number"), name) for block in study.sweep or [] for name, values in block.items() if name != "algorithm"]
    most = max(axes, key=lambda axis: axis[0], default=(0, ""))
    return most[1] if most[0] > 1 else None


def suits(study: Study) -> bool:
    """Tell whether a number of a program is swept."""
    return study.program is not None and find_axis(study) is not None


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return what (value, price.<side>.<node> or infeasible), at and amount, for the first algorithm, the rest as in the first trial."""
    import pandas as pd

    trials, axis = source.read("trials"), find_axis(source.settings)
    others = ["algorithm", *(name for block in source.settings.sweep or [] for name in block if name not in ("algorithm", axis))]
    for name in dict.fromkeys(others):
        trials = trials[trials[name] == trials[name].iloc[0]]
    solved = trials[trials["status"] == "converged"].sort_values(axis)
    prices = [name for name in trials if name.startswith("price.")]
    largest = sorted(prices, key=lambda name: -solved[name].abs().max() if solved[name].notna().any() else 0.0)[:_MOST_PRICES]
    shown = ["value", *(name for name in prices if name in largest)]
    parts = [pd.DataFrame({"what": name, "at": solved[axis], "amount": solved[name]}) for name in shown]
    lost = trials[trials["status"] == "infeasible"]
    parts.append(pd.DataFrame({"what": "infeasible", "at": lost[axis], "amount": float("nan")}))
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def draw(canvas: Canvas, data: pd.DataFrame, source: Source, _options: NoOptions) -> None:
    """Draw the value above the prices; prices that are the same throughout share a line; crosses mark infeasible trials."""
    canvas.set_size_inches(6.8, 4.2)
    parts = dict(list(data.groupby("what", sort=False)))
    has_prices = any(name.startswith("price.") for name in parts)
    panels = canvas.subplots(1 + has_prices, 1, sharex=True, squeeze=False)[:, 0]
    upper, lower = panels[0], panels[-1]
    if "value" in parts:
        upper.plot(parts["value"]["at"], parts["value"]["amount"], marker="o", markersize=3, color="black")
    alike: dict[tuple[float, ...], list[str]] = {}
    for name, part in parts.items():
        if name.startswith("price."):
            alike.setdefault(tuple(part["amount"].round(_SHOWN_DIGITS).fillna(float("inf"))), []).append(name)
    for place, (amounts, names) in enumerate(alike.items()):
        style = "-" if names[0].startswith("price.demand") else "--"
        label = "\n".join(name.removeprefix("price.").replace(".", ": ", 1) for name in names)
        lower.plot(parts[names[0]]["at"], amounts, style, marker="o", markersize=2.5, color=f"C{place % 7}", label=label)
    if "infeasible" in parts:
        at = parts["infeasible"]["at"]
        upper.plot(at, [0.05] * len(at), "x", color="C1", transform=upper.get_xaxis_transform(), label="infeasible")
        upper.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    upper.set_ylabel("greatest value" if source.settings.planned.is_maximum else "least cost")
    if has_prices:
        lower.set_ylabel("shadow price")
    lower.set_xlabel(find_axis(source.settings))
    if alike:
        lower.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    canvas.align_ylabels()


def write_caption(name: str, study: Study, _options: NoOptions) -> str:
    """Say what is drawn."""
    what = "greatest value" if study.planned.is_maximum else "least cost"
    if study.planned.statement.has_integers:
        return f"{name}: the {what} against {find_axis(study)}. With whole numbers in it there are no prices: it may jump."
    return (
        f"{name}: the {what} and its shadow prices against {find_axis(study)}. A price is the slope of the {what}, so "
        "it is straight wherever the prices stay as they are; at a bend, where the slopes on both sides differ, there is no one price."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    values = data[data["what"] == "value"]
    if values.empty:
        return "No trial has an answer."
    lost = int((data["what"] == "infeasible").sum())
    first, last = values.iloc[0], values.iloc[-1]
    text = f"A line from {first['amount']:.6g} at {first['at']:.6g} to {last['amount']:.6g} at {last['at']:.6g}"
    n_prices = data["what"].nunique() - 1 - (lost > 0)
    return f"{text}{f', above {n_prices} lines of prices' if n_prices else ''}; {lost} trials are infeasible."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe)
