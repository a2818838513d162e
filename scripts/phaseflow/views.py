"""What a figure lets its reader look around in: small plain data that the page's script turns, points at and reads off.

The figure itself stays as it is for print and for readers without scripts; a view adds nothing that the figure's data lacks.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_MOST_POINTS = 16_000
_MOST_CELLS = 40_000
# Coordinates are stored with 16 bits: a part in 65,000 of the range, which no screen resolves.
_LARGEST = 32_767
# Values are read off with so many digits.
_DIGITS = 5


def make_orbit(names: Sequence[str], curves: Sequence[Array]) -> dict[str, Any] | None:
    """Return curves in space to be turned; None where there is nothing to turn.

    Parameters
    ----------
    names : of the three axes.
    curves : each of shape (n_points, 3).
    """
    curves = [curve[np.isfinite(curve).all(axis=1)] for curve in curves]
    total = sum(map(len, curves))
    if total < 2:
        return None
    thinned = [curve[:: -(-total // _MOST_POINTS)] for curve in curves]
    points = np.concatenate(thinned)
    low, high = points.min(axis=0), points.max(axis=0)
    scaled = np.round(((points - low) / np.where(high > low, high - low, 1) * 2 - 1) * _LARGEST).astype("<i2")
    return {
        "kind": "orbit",
        "names": list(names),
        "ranges": [[_round(a), _round(b)] for a, b in zip(low, high, strict=True)],
        "lengths": [len(curve) for curve in thinned],
        "points": base64.b64encode(scaled.tobytes()).decode(),
    }


def make_readings(panels: Sequence[Any], name: str, at: ArrayLike, lines: Mapping[str, ArrayLike]) -> dict[str, Any] | None:
    """Return values to be read off along the horizontal axis; None where there are none, or too many to carry.

    Parameters
    ----------
    panels : matplotlib's axes that share the horizontal axis, drawn.
    name : what runs along it.
    at : shape (n_values,).
    lines : for each name its values there.
    """
    places = np.asarray(at, dtype=np.float64)
    if not 1 <= len(places) * len(lines) <= _MOST_CELLS:
        return None
    order = np.argsort(places, kind="stable")
    values = {line: _round_all(np.asarray(column, dtype=np.float64)[order]) for line, column in lines.items()}
    return {"kind": "readings", **_place(panels), "name": name, "at": _round_all(places[order]), "lines": values}


def make_cells(axes: Any, names: tuple[str, str, str], across: ArrayLike, up: ArrayLike, values: Array) -> dict[str, Any] | None:
    """Return a map whose cells can be read off; None where there are too many to carry.

    Parameters
    ----------
    names : of the horizontal axis, of the vertical one and of the value.
    values : shape (len(up), len(across)).
    """
    if values.size > _MOST_CELLS:
        return None
    columns, rows = _round_all(np.asarray(across, dtype=np.float64)), _round_all(np.asarray(up, dtype=np.float64))
    limits = {"limits": list(map(float, axes.get_xlim())), "heights": list(map(float, axes.get_ylim()))}
    return {
        "kind": "cells",
        **_place([axes]),
        **limits,
        "names": list(names),
        "at": columns,
        "up": rows,
        "values": _round_all(values.ravel()),
    }


def _place(panels: Sequence[Any]) -> dict[str, Any]:
    """Return where the panels are, as parts of the figure's width and height from its upper left, and what they span."""
    boxes = [axes.get_position() for axes in panels]
    left, right = min(box.x0 for box in boxes), max(box.x1 for box in boxes)
    bottom, top = min(box.y0 for box in boxes), max(box.y1 for box in boxes)
    shown = [_round(number) for number in (left, 1 - top, right - left, top - bottom)]
    return {"box": shown, "limits": list(map(float, panels[0].get_xlim())), "is_log": panels[0].get_xscale() == "log"}


def _round_all(values: Array) -> list[float | None]:
    return [_round(value) if np.isfinite(value) else None for value in values]


def _round(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
