"""The trajectories to disk: computing or writing alone, both by two processes, the whole command, and how much memory a job takes."""

import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from phaseflow.catalogues import Catalogue  # noqa: E402
from phaseflow.engines import Task  # noqa: E402
from phaseflow.ensemble import simulate_chunk  # noqa: E402
from phaseflow.expressions.compiled import use_cache  # noqa: E402
from phaseflow.plugins import load_plugin  # noqa: E402
from phaseflow.settings.block import Block  # noqa: E402
from phaseflow.settings.methods import ENGINES, Solver  # noqa: E402
from phaseflow.settings.scenarios import Scenario  # noqa: E402
from phaseflow.tables import make_trajectory_schema, write_parquet  # noqa: E402

Array = NDArray[np.float64]
MEMBERS, SAMPLES, STOP = 10_000, 1_000, 40.0
TIMES = np.linspace(0, STOP, SAMPLES)
# Members of one table in memory, as in a job.
SLICE = 1_000
STATES = ["x", "y", "z"]
TABLES = ["trajectories", "members", "events", "orbits"]
# Normal perturbations with the standard deviation of even ones between -0.1 and 0.1.
SCENARIO = {
    "system": "lorenz63",
    "time": {"stop": STOP, "samples": SAMPLES},
    "ensemble": {"members": MEMBERS, "perturb": dict.fromkeys(STATES, 0.1 / 3**0.5)},
    "certify": "none",
}


def draw_starts() -> Array:
    """Return the initial states."""
    return 1 + np.random.default_rng(1).uniform(-0.1, 0.1, (MEMBERS, 3))


def make_task(initial: Array, times: Array, solver: dict[str, object]) -> Task:
    """Return the task of integrating Lorenz's system."""
    system = Catalogue()["lorenz63"]
    parameters = np.array([[quantity.value for quantity in system.parameters.values()]] * len(initial))
    streams = np.zeros(len(initial), dtype=np.uint64)
    return Task(system, initial, parameters, times, 0.0, Solver.model_validate(solver), 0, streams)


def run_job(method: str, members: int, seed: int, folder: str) -> None:
    """Do the work of one job of the workflow: compute and write one chunk, which is all of a scenario's members."""
    settings = SCENARIO | {"solver": {"method": method}, "chunk": members}
    settings["ensemble"] = settings["ensemble"] | {"members": members}
    block = Block.of("simulate", "speed", Scenario.model_validate(settings).resolve(Catalogue()), seed)
    simulate_chunk(block, 0, *(Path(folder) / f"{seed}.{table}" for table in TABLES))


def run_part(order: tuple[str, str, int, int, str]) -> float:
    """Compute, write or do both for a number of members, and return the seconds of the wall clock."""
    kind, method, members, number, folder = order
    use_cache(Path(folder) / "compiled")
    task = make_task(draw_starts()[:SLICE], TIMES, {"method": method})
    integrate = load_plugin("engines", ENGINES[method]).integrate
    samples = integrate(task).samples
    columns = [np.repeat(np.arange(SLICE), SAMPLES), np.tile(TIMES, SLICE), *(samples[:, :, k].ravel() for k in range(3))]
    table = pa.concat_tables([pa.table(columns, schema=make_trajectory_schema(STATES))] * (members // SLICE))
    begin = time.perf_counter()
    if kind == "compute":
        for _ in range(members // SLICE):
            integrate(task)
    elif kind == "write":
        write_parquet(Path(folder) / f"{number}.parquet", table, dictionary=("member", "t"))
    else:
        run_job(method, members, number, folder)
    return time.perf_counter() - begin


def time_parts(methods: list[str], rounds: int) -> dict[tuple[str, str], float]:
    """Return the seconds of a process that computes, of one that writes, and of two that do both for half of the members each.

    They are the best of some rounds in which all take their turn.
    """
    best: dict[tuple[str, str], float] = {}
    with tempfile.TemporaryDirectory() as folder, get_context("spawn").Pool(2) as pool:
        for _ in range(rounds):
            for method in methods:
                for kind, processes in (("compute", 1), ("write", 1), ("both", 2)):
                    orders = [(kind, method, MEMBERS // processes, number, folder) for number in range(processes)]
                    seconds = max(pool.map(run_part, orders, chunksize=1))
                    best[method, kind] = min(seconds, best.get((method, kind), np.inf))
    return best


def time_command(method: str) -> float:
    """Return the seconds of `snakemake -c2` from an empty folder to published tables."""
    scenario = SCENARIO | {"solver": {"method": method}}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.yaml").write_text(f"simulate: {{speed: {scenario}}}\n".replace("'", ""))
        command = [sys.executable, "-m", "snakemake", "-c2", "--snakefile", str(ROOT / "Snakefile")]
        begin = time.perf_counter()
        subprocess.run([*command, "results/simulate/speed/members.parquet"], cwd=folder, check=True, capture_output=True)  # noqa: S603
        return time.perf_counter() - begin


def measure_memory(method: str) -> float:
    """Return the most memory in MB of a process that computes and writes all members as one chunk."""
    done = subprocess.run([sys.executable, __file__, method], check=True, capture_output=True, text=True)  # noqa: S603
    return int(done.stdout.split()[-1]) / 1024


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        run_job(sys.argv[1], MEMBERS, 0, place)
    # Careful: what the kernel reports of a finished child may be the parent's.
    print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
