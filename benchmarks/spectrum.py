"""How fast Lyapunov spectra are found: 1,000 values of Lorenz's rho against loops over scipy's odeint, on one core.

The loops integrate state and tangents over intervals as long as most of the measure's, and make the tangents orthonormal by QR: with a
right-hand side in numpy, as one writes it, and in plain Python numbers, the fastest there is without a compiler. They run at a few values
of rho, between the measure's runs, and are scaled.

Usage: OMP_NUM_THREADS=1 python benchmarks/spectrum.py [members] [time]
"""

import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from scipy.integrate import odeint

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from phaseflow.catalogues import Catalogue
from phaseflow.engines import Task, start_trajectories
from phaseflow.measures.lyapunov import MEASURE
from phaseflow.settings.methods import Solver

TRANSIENT, INTERVAL, BLOCKS = 50.0, 0.5, 8


def make_task(rho: np.ndarray, span: float) -> Task:
    """Return members of Lorenz's system that differ in rho."""
    system = Catalogue()["lorenz63"]
    values = {name: np.full(len(rho), quantity.value) for name, quantity in system.parameters.items()} | {"rho": rho}
    initial = np.array([[quantity.value for quantity in system.initial.values()]] * len(rho))
    streams = np.arange(len(rho), dtype=np.uint64)
    return Task(system, initial, np.stack(list(values.values()), axis=1), np.array([0.0, span]), TRANSIENT, Solver(), 0, streams)


def slope_in_numpy(state: np.ndarray, _time: float, rho: float) -> np.ndarray:
    """Return the time derivative of the state and of three tangent vectors, the columns of a matrix."""
    x, y, z = state[:3]
    jacobian = np.array([[-10.0, 10.0, 0.0], [rho - z, -1.0, -x], [y, x, -8 / 3]])
    flow = [10.0 * (y - x), x * (rho - z) - y, x * y - 8 / 3 * z]
    return np.concatenate([flow, (jacobian @ state[3:].reshape(3, 3)).ravel()])


def slope_in_numbers(state: np.ndarray, _time: float, rho: float) -> list[float]:
    """Return the same."""
    x, y, z, a, b, c, d, e, f, g, h, i = state.tolist()
    r, beta = rho - z, 8 / 3
    flow = [10.0 * (y - x), x * r - y, x * y - beta * z, 10.0 * (d - a), 10.0 * (e - b), 10.0 * (f - c)]
    rest = [r * a - d - x * g, r * b - e - x * h, r * c - f - x * i]
    return [*flow, *rest, y * a + x * d - beta * g, y * b + x * e - beta * h, y * c + x * f - beta * i]


LOOPS: dict[str, tuple[Callable[..., Any], float]] = {
    "odeint, numpy, 1e-12": (slope_in_numpy, 1e-12),
    "odeint, numbers, 1e-12": (slope_in_numbers, 1e-12),
    "odeint, numbers, 1.49e-8": (slope_in_numbers, 1.49e-8),
}


def find_by_odeint(slope: Callable[..., Any], rho: float, span: float, tolerance: float) -> np.ndarray:
    """Return the exponents of one member."""
    state, logs = np.concatenate([np.ones(3), np.eye(3).ravel()]), np.zeros(3)
    n_before = int(TRANSIENT / INTERVAL)
    for place in range(n_before + int(span / INTERVAL)):
        state = odeint(slope, state, [0, INTERVAL], args=(rho,), rtol=tolerance, atol=tolerance, mxstep=100_000)[-1]
        orthogonal, triangle = np.linalg.qr(state[3:].reshape(3, 3))
        state[3:] = orthogonal.ravel()
        logs += np.log(np.abs(np.diag(triangle))) * (place >= n_before)
    return logs / span


def report(n_members: int, span: float) -> None:
    """Print the times for all members, and the ratios."""
    rho = np.linspace(0, 250, n_members)
    short = make_task(rho[:1], 20.0)
    MEASURE.measure("all", short, start_trajectories(short))
    ours, misses = 0.0, 0.0
    loops, missed = dict.fromkeys(LOOPS, 0.0), dict.fromkeys(LOOPS, 0.0)
    for block in np.array_split(rho, BLOCKS):
        task = make_task(block, span)
        before = process_time()
        columns = MEASURE.measure("all", task, start_trajectories(task)).columns
        ours += process_time() - before
        misses = max(misses, float(np.max(np.asarray(columns["trace_error"], dtype=float))))
        for name, (slope, tolerance) in LOOPS.items():
            before = process_time()
            found = find_by_odeint(slope, float(block[len(block) // 2]), span, tolerance)
            loops[name] += (process_time() - before) * len(block)
            missed[name] = max(missed[name], abs(float(found.sum()) + 41 / 3))
    print(f"{n_members} values of rho from 0 to 250, T = {span:g} after {TRANSIENT:g}; seconds of one core")
    print(f"{'':28}{'time':>9}{'ratio':>8}{'sum off by':>13}")
    print(f"{'measure: {lyapunov: all}':28}{ours:9.1f}{1:8.0f}{misses:13.1e}")
    for name, time in loops.items():
        print(f"{name:28}{time:9.0f}{time / ours:8.0f}{missed[name]:13.1e}")


if __name__ == "__main__":
    report(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, float(sys.argv[2]) if len(sys.argv) > 2 else 1000.0)
