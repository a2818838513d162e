"""How well horizons are found: random starts of Lorenz's system, each judged against a run with 256 bits.

Usage: python benchmarks/horizon.py [starts]
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from phaseflow.catalogues import Catalogue
from phaseflow.certificates import find_horizon, judge
from phaseflow.dynamics.precise import PreciseSolver
from phaseflow.engines import Task
from phaseflow.plugins import load_plugin
from phaseflow.settings.methods import Solver

EXPONENT, STOP, ALLOWED, BITS = 0.9056, 45.0, 1e-3, 256


def make_task(n_starts: int) -> Task:
    """Return starts drawn evenly from a box about the attractor."""
    system = Catalogue()["lorenz63"]
    initial = np.random.default_rng(1).uniform([-15, -20, 5], [15, 20, 45], (n_starts, 3))
    parameters = np.array([[quantity.value for quantity in system.parameters.values()]] * n_starts)
    return Task(system, initial, parameters, np.linspace(0, STOP, 1001), 0.0, Solver(), 0, np.arange(n_starts, dtype=np.uint64))


def find_truth(task: Task) -> np.ndarray:
    """Return until when each member is within what is allowed of its run with 256 bits."""
    main = load_plugin("engines", "taylor").integrate(task).samples
    solver, until = PreciseSolver(task, task.times, BITS, BITS, 53), []
    for member, samples in enumerate(main):
        truth = solver.solve(member, lambda _: np.full(3, np.inf)).samples
        until.append(judge(samples, truth, task.times, ALLOWED)[0])
    return np.array(until)


def report(n_starts: int) -> None:
    """Print how early or late the two methods are."""
    task = make_task(n_starts)
    engine, truth = load_plugin("engines", "taylor"), find_truth(task)
    plugins = [load_plugin("certificates", name) for name in ("reference", "estimate")]
    reference, estimate = (find_horizon(plugin, task, engine, ALLOWED).until for plugin in plugins)
    late = (estimate - truth) * EXPONENT
    print(f"{n_starts} starts, true horizons {truth.min():.2f} to {truth.max():.2f}")
    print(f"reference: {np.sum(reference > truth)} later than the truth; least share of it {np.min(reference / truth):.4f}")
    print(
        f"estimate: {np.mean(np.abs(late) <= 1):.1%} within one Lyapunov time; the latest {late.max():.2f}, the earliest {late.min():.2f}"
    )


if __name__ == "__main__":
    report(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
