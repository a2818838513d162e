"""Transport: the network of a transportation problem with what goes each way and the shadow prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phaseflow.figures import Figure, NoOptions, Source
from phaseflow.settings.programs import Transport
from phaseflow.settings.studies import Study

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_MOST_NODES = 24


def suits(study: Study) -> bool:
    """Tell whether the study is a transportation problem that can be drawn."""
    if study.program is None or study.program.transport is None:
        return False
    return max(len(study.transport.supplies), len(study.transport.demands)) <= _MOST_NODES


def prepare(source: Source, _options: NoOptions) -> pd.DataFrame:
    """Return kind (supply, demand or flow), from, to, amount and price of the trial nearest the stated numbers."""
    import pandas as pd

    transport, trials = source.settings.transport, source.read("trials")
    trial = trials.iloc[_choose(trials, transport)]
    rows = []
    for side, amounts in (("supply", transport.supplies), ("demand", transport.demands)):
        for node, stated in amounts.items():
            amount = trial.get(f"{side}.{node}", stated.value)
            rows.append((side, node, node, amount, trial[f"price.{side}.{node}"]))
    for source_node, target in transport.arcs:
        cost = trial.get(f"cost.{source_node}.{target}", transport.arcs[source_node, target].value)
        rows.append(("flow", source_node, target, trial[f"flow.{source_node}.{target}"], cost))
    return pd.DataFrame(rows, columns=["kind", "from", "to", "amount", "price"])


def _choose(trials: pd.DataFrame, transport: Transport) -> int:
    """Return the place of the answer whose swept numbers are nearest to those that are stated, the first of equals."""
    stated = {f"supply.{node}": q.value for node, q in transport.supplies.items()}
    stated |= {f"demand.{node}": q.value for node, q in transport.demands.items()}
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
    for way in sides["flow"].itertuples():
        low, high = rows["supply"][way[2]], rows["demand"][way[3]]
        _draw_way(axes, low, high, float(way.amount), float(way.price), float(largest))
    for kind, x, colour in (("supply", 0.0, "C0"), ("demand", 1.0, "C1")):
        for node, y in zip(sides[kind].itertuples(), heights[kind], strict=True):
            axes.plot(x, y, "o", color=colour, markersize=11)
            word = "sends at most" if kind == "supply" else "wants"
            text = f"{node[2]}\n{word} {node.amount:.6g}\nprice {node.price + 0.0:.4g}".replace("price -", "price −")
            away, side = (-14, "right") if kind == "supply" else (14, "left")
            axes.annotate(text, (x, y), (away, 0), textcoords="offset points", ha=side, va="center", fontsize=8)
    axes.set(xlim=(-0.42, 1.42), ylim=(0, n_rows))


def _spread(count: int, n_rows: int) -> list[float]:
    """Return heights for nodes, the first at the top, evenly over the rows."""
    return [n_rows * (1 - (place + 0.5) / count) for place in range(count)]


def _draw_way(axes: Axes, low: float, high: float, amount: float, cost: float, largest: float) -> None:
    """Draw one way; one that is not used is thin and grey."""
    is_used = amount > 0
    width = 0.8 + 5 * amount / largest if is_used else 0.7
    axes.plot([0, 1], [low, high], color="#4a7a96" if is_used else "#cccccc", linewidth=width, alpha=0.55 if is_used else 1, zorder=0)
    if is_used:
        place = 0.3
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.9}
        text = f"{amount:.6g} at {cost:.4g}"
        axes.text(place, low + place * (high - low), text, ha="center", va="center", fontsize=8, bbox=box)


def write_caption(name: str, study: Study) -> str:
    """Say what is drawn."""
    swept = [axis for block in study.sweep or [] for axis in block if axis != "algorithm"]
    which = ", for the trial nearest the stated numbers" if swept else ""
    return (
        f"{name}: the cheapest transport{which}. Lines: amount and cost of a unit, as wide as the amount; grey ways are not used. "
        "Price: what one more unit wanted would cost, or (below 0) one more unit of supply would save; where several plans are equally "
        "cheap, this is one of them."
    )


def describe(data: pd.DataFrame) -> str:
    """Describe the drawn data."""
    flows = data[(data["kind"] == "flow") & (data["amount"] > 0)]
    listed = ", ".join(f"{way[2]} to {way[3]} {way.amount:.6g}" for way in flows.head(12).itertuples())
    return f"A network of {len(data) - (data['kind'] == 'flow').sum()} places: {listed or 'nothing is sent'}."


FIGURE = Figure("optimize", suits, prepare, draw, write_caption, describe)
