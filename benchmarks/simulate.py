"""How fast trajectories are, against other software at matched accuracy: writes docs/speed.md and docs/speed.svg.

10,000 trajectories of Lorenz's system from (1, 1, 1) plus or minus 0.1, 1,000 samples to t = 40. All are timed in turn, several rounds,
on one processor and by its own time, which other work on the machine disturbs least; the best round counts.

Usage: python benchmarks/simulate.py [rounds]
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "benchmarks")]

import disk  # noqa: E402
import peers  # noqa: E402
from disk import MEMBERS, SLICE, TIMES, draw_starts, make_task  # noqa: E402

from phaseflow.certificates import find_horizon  # noqa: E402
from phaseflow.plugins import load_plugin  # noqa: E402
from phaseflow.settings.methods import ENGINES  # noqa: E402

Array = NDArray[np.float64]
# Accuracy is that of so many members up to so late, as the relative 2-norm of the difference to runs with 113 bits.
JUDGED, JUDGED_STOP, MATCHED = 64, 15.0, 1e-9
OWN = ["taylor", "taylor_map"]


@dataclass
class Contender:
    """A way to integrate.

    Attributes
    ----------
    prepare : makes the integrator for a tolerance.
    tolerances : those tried, from the loosest; the first that is accurate enough is taken, else the best.
    members : how many are timed; the rate is that of as many.
    """

    name: str
    prepare: Callable[[float], peers.Integrate]
    tolerances: tuple[float, ...]
    members: int
    tolerance: float = float("nan")
    error: float = float("nan")
    run: peers.Integrate | None = None
    seconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Trajectories a second."""
        return self.members / min(self.seconds)


def ours(method: str) -> Callable[[float], peers.Integrate]:
    """Return one of Phaseflow's own methods as the peers are written."""

    def prepare(tolerance: float) -> peers.Integrate:
        def integrate(initial: Array, times: Array) -> Array:
            for first in range(0, len(initial), SLICE):
                task = make_task(initial[first : first + SLICE], times, {"method": method, "tolerance": tolerance})
                samples = load_plugin("engines", ENGINES[method]).integrate(task).samples
            return samples

        return integrate

    return prepare


CONTENDERS = [
    Contender("scipy odeint, a loop", peers.odeint, (1e-12,), 40),
    Contender("scipy solve_ivp DOP853, a loop", peers.solve_ivp, (1e-13, 2.3e-14), 4),
    Contender("numbalsoda lsoda", peers.numbalsoda_lsoda, (1e-12,), 400),
    Contender("numbalsoda dop853", peers.numbalsoda_dop853, (1e-13, 1e-14), 1_000),
    Contender("diffrax Dopri8, vmap", peers.diffrax_dopri8, (1e-13, 1e-14), 400),
    Contender("heyoka, batches and propagate_grid", peers.heyoka_batch, (1e-12, 1e-13), 4_000),
    Contender("Phaseflow, taylor", ours("taylor"), (1e-12, 1e-13), 4_000),
    Contender("Phaseflow, taylor_map", ours("taylor_map"), (1e-12, 1e-13), MEMBERS),
]


def match(contender: Contender, starts: Array, truth: Array) -> None:
    """Choose the tolerance, and keep the integrator with it; one whose package is not installed has none."""
    times = TIMES[TIMES <= JUDGED_STOP]
    for tolerance in contender.tolerances:
        try:
            contender.tolerance, contender.run = tolerance, contender.prepare(tolerance)
        except (ImportError, OSError) as error:  # a package, or a library below it
            print(f"{contender.name}: not installed ({error})")
            return
        found = contender.run(starts[:JUDGED], times)
        contender.error = float((np.linalg.norm(found - truth, axis=2) / np.linalg.norm(truth, axis=2)).max())
        print(f"{contender.name}: error {contender.error:.1e} at a tolerance of {contender.tolerance:g}", flush=True)
        if contender.error <= MATCHED:
            return


def time_all(starts: Array, rounds: int) -> None:
    """Time every contender in turn, so that all see the same machine."""
    for number in range(rounds + 1):
        for contender in CONTENDERS:
            if contender.run is None:
                continue
            begin = time.process_time()
            contender.run(starts[: contender.members], TIMES)
            # The first round compiles.
            contender.seconds += [time.process_time() - begin] if number else []
        print(f"round {number} of {rounds}", flush=True)


@contextmanager
def one_processor() -> Iterator[None]:
    """Hold this process to one processor."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    yield
    os.sched_setaffinity(0, allowed)


def time_certificates(starts: Array) -> dict[str, float]:
    """Return how many times a member's trajectory by Taylor's method each certificate costs."""
    prices, plain = {}, CONTENDERS[-2]
    for name, members in (("estimate", SLICE), ("reference", 8)):
        task = make_task(starts[:members], TIMES, {"method": "taylor"})
        certificate, engine = load_plugin("certificates", name), load_plugin("engines", "taylor")
        find_horizon(certificate, task.select(np.arange(1)), engine, 1e-3)
        begin = time.process_time()
        find_horizon(certificate, task, engine, 1e-3)
        prices[name] = (time.process_time() - begin) / members * plain.rate
    return prices


def find_truth(starts: Array) -> Array:
    """Return the trajectories of those that are judged, with 113 bits."""
    task = make_task(starts[:JUDGED], TIMES[TIMES <= JUDGED_STOP], {"precision": "quadruple"})
    return load_plugin("engines", "multiprecision").integrate(task).samples


def write_rates() -> str:
    """Return a row a contender."""
    base, rows = CONTENDERS[0].rate, []
    for c in CONTENDERS:
        accuracy = f"{c.error:.1e}" if c.error <= MATCHED else f"{c.error:.1e}, not matched"
        row = f"{c.tolerance:g} | {accuracy} | {c.rate:,.0f} | {c.rate / base:,.1f}" if c.run else "| not installed | |"
        rows.append(f"| {c.name} | {row} |")
    return "\n".join(rows)


def write_seconds(seconds: dict[tuple[str, str], float], commands: dict[str, float]) -> str:
    """Return a row a method to disk."""
    base, rows = CONTENDERS[0].rate, []
    for method in OWN:
        compute, write, both = (seconds[method, kind] for kind in ("compute", "write", "both"))
        ratios = f"{both / max(compute, write):.2f} | {MEMBERS / both:,.0f} | {MEMBERS / both / base:,.0f}"
        rows.append(f"| {method} | {compute:.2f} | {write:.2f} | {both:.2f} | {ratios} | {commands[method]:.1f} |")
    return "\n".join(rows)


def draw(path: Path) -> None:
    """Draw the rates as bars on a scale of tens."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "phaseflow"
    shown = [contender for contender in CONTENDERS if contender.run]
    figure, axes = pyplot.subplots(figsize=(8, 0.45 * len(shown) + 1), layout="constrained")
    colours = ["tab:orange" if c.name.startswith("Phaseflow") else "tab:grey" if c.error > MATCHED else "tab:blue" for c in shown]
    bars = axes.barh([c.name for c in shown], [c.rate for c in shown], color=colours)
    axes.bar_label(bars, [f"{c.rate:,.0f}" for c in shown], padding=3)
    axes.set(xscale="log", xlabel="trajectories a second on one processor (grey: less accurate than 1e-9)", xlim=(1, 2e5))
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


TEXT = """# Speed

Written by `make bench-simulate`: {members:,} trajectories of Lorenz's system from (1, 1, 1) plus or minus 0.1, each of {samples:,} samples
to t = 40.

## Computing, on one processor

The error is the largest relative 2-norm of the difference to runs with 113 bits, over {judged} members up to t = 15. Each program has the
loosest of the tolerances tried with an error of at most 1e-9, if there is one. All are timed in turn, {rounds} rounds, by the
processor's own time, and the best round counts; the slow ones integrate fewer members (a loop over odeint 40), on which their rate does
not depend.

| program | tolerance | error | trajectories a second | times odeint |
|---|---|---|---|---|
{rates}

![Trajectories a second](speed.svg)

`certify: estimate` costs {estimate:.1f} times what the trajectory itself does by `taylor`, `certify: reference` {reference:,.0f} times.

## To disk, by two processes

Seconds of the wall clock for all {members:,} trajectories: computing alone by one process, writing Parquet alone by one process, and
both by two processes, each with half of the members, as two jobs of the workflow do them; the best of {rounds} rounds. The command is
`snakemake -c2` from an empty folder to published tables: the start of Snakemake and of its jobs, planning, compiling and gathering are
in it.

| method | computing | writing | both | both / the longer | trajectories a second | times odeint on one processor | command |
|---|---|---|---|---|---|---|---|
{seconds}

A job with all {members:,} members as one chunk takes {memory:.0f} MB at most. The load of the machine, with two processors, was {load:.1f}.
"""


def report(rounds: int) -> None:
    """Time everything and write the page and its figure."""
    starts = draw_starts()
    truth = find_truth(starts)
    with one_processor():
        for contender in CONTENDERS:
            match(contender, starts, truth)
        time_all(starts, rounds)
        prices = time_certificates(starts)
    seconds = disk.time_parts(OWN, rounds)
    commands = {method: disk.time_command(method) for method in OWN}
    facts = {"members": MEMBERS, "samples": len(TIMES), "judged": JUDGED, "rounds": rounds, "load": os.getloadavg()[1], **prices}
    facts |= {"rates": write_rates(), "seconds": write_seconds(seconds, commands), "memory": max(map(disk.measure_memory, OWN))}
    (ROOT / "docs/speed.md").write_text(TEXT.format(**facts), encoding="utf-8")
    draw(ROOT / "docs/speed.svg")


if __name__ == "__main__":
    report(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
