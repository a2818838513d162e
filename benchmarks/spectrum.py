"""How fast Lyapunov spectra are found: 1,000 values of Lorenz's rho against a loop over scipy's odeint, on one core.

The loop integrates state and tangents with a right-hand side of plain Python numbers, the fastest there is without a compiler, and
makes the tangents orthonormal by QR. It runs at a few values of rho between which the measure's are timed, and is scaled.

Usage: OMP_NUM_THREADS=1 python benchmarks/spectrum.py [members] [time]
"""

import sys
from pathlib import Path
from time import process_time

import numpy as np
from scipy.integrate import odeint

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from phaseflow.catalogues import Catalogue
from phaseflow.engines import Task, start_trajectories
from phaseflow.measures.lyapunov import MEASURE
from phaseflow.settings.methods import Solver

TRANSIENT, INTERVAL, BLOCKS = 50.0, 0.25, 8
TOLERANCES = (1.49e-8, 1e-12)


def make_task(rho: np.ndarray, span: float) -> Task:
    """Return members of Lorenz's system that differ in rho."""
    system = Catalogue()["lorenz63"]
    values = {name: np.full(len(rho), quantity.value) for name, quantity in system.parameters.items()} | {"rho": rho}
    initial = np.array([[quantity.value for quantity in system.initial.values()]] * len(rho))
    streams = np.arange(len(rho), dtype=np.uint64)
    return Task(system, initial, np.stack(list(values.values()), axis=1), np.array([0.0, span]), TRANSIENT, Solver(), 0, streams)


def slope(state: np.ndarray, _time: float, rho: float) -> list[float]:
    """Return the time derivative of the state and of three tangent vectors, the columns of a matrix."""
    x, y, z, a, b, c, d, e, f, g, h, i = state.tolist()
    r, beta = rho - z, 8 / 3
    flow = [10.0 * (y - x), x * r - y, x * y - beta * z, 10.0 * (d - a), 10.0 * (e - b), 10.0 * (f - c)]
    rest = [r * a - d - x * g, r * b - e - x * h, r * c - f - x * i]
    return [*flow, *rest, y * a + x * d - beta * g, y * b + x * e - beta * h, y * c + x * f - beta * i]


def find_by_odeint(rho: float, span: float, tolerance: float) -> np.ndarray:
    """Return the exponents of one member by odeint and QR at the same intervals."""
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
    MEASURE.measure("all", make_task(rho[:1], 20.0), start_trajectories(make_task(rho[:1], 20.0)))
    ours, misses = 0.0, [0.0]
    loops = dict.fromkeys(TOLERANCES, 0.0)
    missed = dict.fromkeys(TOLERANCES, 0.0)
    for block in np.array_split(rho, BLOCKS):
        task = make_task(block, span)
        before = process_time()
        columns = MEASURE.measure("all", task, start_trajectories(task)).columns
        ours += process_time() - before
        misses.append(float(np.max(columns["trace_error"])))
        for tolerance in TOLERANCES:
            before = process_time()
            found = find_by_odeint(float(block[len(block) // 2]), span, tolerance)
            loops[tolerance] += (process_time() - before) * len(block)
            missed[tolerance] = max(missed[tolerance], abs(float(found.sum()) + 41 / 3))
    print(f"{n_members} values of rho from 0 to 250, T = {span:g} after {TRANSIENT:g}; seconds on one core")
    print(f"{'':32}{'time':>9}{'ratio':>9}{'sum off by':>12}")
    print(f"{'measure: {lyapunov: all}':32}{ours:9.1f}{1:9.0f}{max(misses):12.1e}")
    for tolerance in TOLERANCES:
        print(f"{f'loop over odeint, {tolerance:g}':32}{loops[tolerance]:9.0f}{loops[tolerance] / ours:9.0f}{missed[tolerance]:12.1e}")


if __name__ == "__main__":
    report(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, float(sys.argv[2]) if len(sys.argv) > 2 else 1000.0)
