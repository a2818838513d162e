"""Transport: the network of a transportation or facility location problem with what goes each way and the shadow prices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.programs import Facility, Linear, Transport
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_MOST_NODES = 24
# Where along a way its label can stand; labels nearer than this in both directions (of the way, of a row) would touch.
_PLACES = (0.3, 0.5, 0.7, 0.4, 0.6, 0.2, 0.8)
_WIDE, _HIGH = 0.19, 0.2


def suits(study: Study) -> bool:
    """Tell whether the study sends things from place to place, and can be drawn."""
    if study.program is None or isinstance(study.program.statement, Linear):
        return False
    return max(len(study.program.statement.supplies), len(study.program.statement.demands)) <= _MOST_NODES


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return kind (supply, demand or flow), from, to, amount and price of the trial nearest the stated numbers.

    Of a site that is closed the amount is 0; a program with integers has no prices.
    """
    import pandas as pd

    stated, trials = source.settings.planned.statement, source.read("trials")
    trial = trials.iloc[_choose(trials, stated)]
    rows = []
    for node, most in stated.supplies.items():
        name = f"capacity.{node}" if isinstance(stated, Facility) else f"supply.{node}"
        amount = trial.get(name, most.value) * (trial[f"open.{node}"] if isinstance(stated, Facility) else 1)
        rows.append(("supply", node, node, amount, _find_price(trial, name)))
    for node, wanted in stated.demands.items():
        rows.append(("demand", node, node, trial.get(f"demand.{node}", wanted.value), _find_price(trial, f"demand.{node}")))
    for (source_node, target), quantity in stated.arcs.items():
        cost = trial.get(f"cost.{source_node}.{target}", quantity.value)
        rows.append(("flow", source_node, target, trial[f"flow.{source_node}.{target}"], cost))
    return pd.DataFrame(rows, columns=["kind", "from", "to", "amount", "price"])


def _find_price(trial: pd.Series, name: str) -> float:
    """Return what one more unit costs; the one price where that is all that is known, NaN where nothing is."""
    more = float(trial.get(f"price_more.{name}", float("nan")))
    return float(trial.get(f"price.{name}", float("nan"))) if math.isnan(more) else more


def _choose(trials: pd.DataFrame, statement: Transport | Facility) -> int:
    """Return the place of the answer whose swept numbers are nearest to those that are stated, the first of equals."""
    stated = {name: quantity.value for name, quantity in statement.list_numbers() if not name.startswith("cost.")}
    swept = [name for name in stated if name in trials]
    distance = sum((trials[name] - stated[name]).abs() / max(1.0, abs(stated[name])) for name in swept) if swept else trials["trial"] * 0.0
    return int(distance.where(trials["status"] == "converged").fillna(float("inf")).to_numpy().argmin())


def draw(canvas: Canvas, data: pd.DataFrame, _source: Source, _options: NoOptions) -> None:
    """Draw places that send on the left, places that want on the right, and the ways between them."""
    sides = {kind: data[data["kind"] == kind].reset_index(drop=True) for kind in ("supply", "demand", "flow")}
    n_rows = max(len(sides["supply"]), len(sides["demand"]), 1)
    canvas.set_size_inches(6.8, 0.3 + 0.85 * n_rows)
    axes = canvas.add_subplot()
    axes.set_axis_off()
    heights = {kind: _spread(len(sides[kind]), n_rows) for kind in ("supply", "demand")}
    rows = {kind: dict(zip(sides[kind]["from"], heights[kind], strict=True)) for kind in heights}
    largest = sides["flow"]["amount"].max() or 1.0
    taken: list[tuple[float, float]] = []
    for way in sides["flow"].itertuples():
        low, high = rows["supply"][way[2]], rows["demand"][way[3]]
        place = _choose_place(low, high, taken)
        taken += [(place, low + place * (high - low))] if way.amount > 0 else []
        _draw_way(axes, low, high, float(way.amount), float(way.price), float(largest), place)
    for kind, x, colour in (("supply", 0.0, "C0"), ("demand", 1.0, "C1")):
        for node, y in zip(sides[kind].itertuples(), heights[kind], strict=True):
            axes.plot(x, y, "o", color=colour, markersize=11)
            text = f"{node[2]}\n{_describe_node(kind, float(node.amount))}" + _describe_price(float(node.price))
            away, side = (-14, "right") if kind == "supply" else (14, "left")
            axes.annotate(text, (x, y), (away, 0), textcoords="offset points", ha=side, va="center", fontsize=8)
    axes.set(xlim=(-0.42, 1.42), ylim=(0, n_rows))


def _describe_node(kind: str, amount: float) -> str:
    """Say what a place sends or wants."""
    return f"wants {amount:.6g}" if kind == "demand" else f"sends at most {amount:.6g}" if amount else "sends nothing"


def _describe_price(price: float) -> str:
    """Say what one more unit costs, in a line of its own; nothing where that is not known."""
    if math.isnan(price):
        return ""
    return "\nno more can be had" if math.isinf(price) else f"\nprice {price + 0.0:.4g}".replace("price -", "price −")


def _spread(count: int, n_rows: int) -> list[float]:
    """Return heights for nodes, the first at the top, evenly over the rows."""
    return [n_rows * (1 - (place + 0.5) / count) for place in range(count)]


def _choose_place(low: float, high: float, taken: list[tuple[float, float]]) -> float:
    """Return how far along a way its label stands: the first place that keeps clear of those before it, or the first of all."""
    clear = (place for place in _PLACES if all(abs(place - x) > _WIDE or abs(low + place * (high - low) - y) > _HIGH for x, y in taken))
    return next(clear, _PLACES[0])


def _draw_way(axes: Axes, low: float, high: float, amount: float, cost: float, largest: float, place: float) -> None:
    """Draw one way; one that is not used is thin and grey; the label stands at `place` between its ends, 0 to 1."""
    is_used = amount > 0
    width = 0.8 + 5 * amount / largest if is_used else 0.7
    axes.plot([0, 1], [low, high], color="#4a7a96" if is_used else "#cccccc", linewidth=width, alpha=0.55 if is_used else 1, zorder=0)
    if is_used:
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.9}
        text = f"{amount:.6g} at {cost:.4g}"
        axes.text(place, low + place * (high - low), text, ha="center", va="center", fontsize=8, bbox=box)


def write_caption(name: str, study: Study, _options: NoOptions) -> str:
    """Say what is drawn."""
    swept = [axis for block in study.sweep or [] for axis in block if axis != "algorithm"]
    which = ", for the trial nearest the stated numbers" if swept else ""
    is_of_all = study.program is not None and study.program.facility is not None and study.program.facility.cost is None
    unit = "all that the customer wants" if is_of_all else "a unit"
    prices = (
        ""
        if study.planned.statement.has_integers
        else (" Price: what one more unit wanted would cost, or (below 0) one more unit of supply would save.")
    )
    lines = f"Lines: amount and cost of {unit}, as wide as the amount; grey ways are not used."
    return f"{name}: the cheapest transport{which}. {lines}{prices} Where several plans are equally cheap, this is one of them."


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    flows = data[(data["kind"] == "flow") & (data["amount"] > 0)]
    listed = ", ".join(f"{way[2]} to {way[3]} {way.amount:.6g}" for way in flows.head(12).itertuples())
    return f"A network of {len(data) - (data['kind'] == 'flow').sum()} places: {listed or 'nothing is sent'}."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe)
