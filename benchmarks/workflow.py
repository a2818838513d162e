"""What the workflow costs beside the work: (wall x cores - the sum of the jobs' work)/(wall x cores).

Usage: python benchmarks/workflow.py [default | sweep | tenth | million ...] [--cores 2]

default: the study in config.yaml. sweep: 100,000 members of Lorenz's system, the largest exponent over T = 100. tenth: a tenth of
them in chunks of the same size. million: 1,000 x 1,000 members, planned and computed over T = 1, then a value added to the slow
axis, then a block appended. All in folders of their own.

A job's work is what it does after its imports, as the last line of its log says. Starting Python, importing, laying out jobs and waiting
for a core are overhead. On a machine that others use, only the share of processor time means something.
"""

import argparse
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SWEEP = """\
simulate:
  sweep:
    system: lorenz63
    time: {stop: 100}
    sweep: {rho: {start: 0, stop: 200, count: 400}, sigma: {start: 2, stop: 20, count: 250}}
    measure: {lyapunov: largest}
"""
GRID = "{rho: {start: 1, stop: 100, count: 1000}, sigma: {start: 1, stop: 20, count: 1000}}"
MILLION = "simulate:\n  million: {{system: lorenz63, time: {{stop: 1}}, sweep: {sweep}, measure: {{lyapunov: largest}}}}\n"


def make_folder(config: str | None) -> Path:
    """Return a new folder with the workflow and a config; the default study where there is none."""
    folder = Path(tempfile.mkdtemp(prefix="phaseflow-bench-"))
    for name in ("Snakefile", "config.yaml", "scripts", "profiles", "envs", "examples"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    if config is not None:
        (folder / "config.yaml").write_text(config, encoding="utf-8")
    return folder


def run(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Run the workflow; return the wall time, the processor time of all its processes, and what it said."""
    start, before = time.perf_counter(), _read_processor_time()
    command = [sys.executable, "-m", "snakemake", *arguments]
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(done.stdout)
    return time.perf_counter() - start, _read_processor_time() - before, done.stdout


def _read_processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def sum_work(folder: Path) -> tuple[float, float, int]:
    """Return the seconds of all jobs' work, by the clock and of a processor, and how many jobs there were."""
    logs = [path.read_text(encoding="utf-8") for path in (folder / "results" / "logs").rglob("*.log")]
    found = [match for text in logs if (match := re.search(r"^done in (\S+) s, (\S+) s of processor time$", text, re.MULTILINE))]
    return sum(float(match[1]) for match in found), sum(float(match[2]) for match in found), len(found)


def report(label: str, folder: Path, cores: int) -> float:
    """Run a folder's study and print what it cost."""
    wall, used, _ = run(folder, f"-c{cores}")
    work, work_used, n_jobs = sum_work(folder)
    print(f"{label}: {wall:.1f} s on {cores} cores, {n_jobs} jobs, {work:.1f} s of work, overhead {1 - work / (wall * cores):.1%}")
    print(f"{label}: {used:.1f} s of processor time, {work_used:.1f} s of it work, overhead {1 - work_used / used:.1%}", flush=True)
    return wall


def count_members(output: str, folder: Path) -> int:
    """Return how many members were computed in a run, by the logs of its chunks."""
    chunks = re.findall(r"^\s+output: results/chunks/million/(\w+)\.trajectories", output, re.MULTILINE)
    texts = [(folder / f"results/logs/simulate/million/{chunk}.log").read_text(encoding="utf-8") for chunk in set(chunks)]
    return sum(int(match[1]) for text in texts if (match := re.search(r"(\d+) members integrated", text)))


def measure_million(cores: int) -> None:
    """Print what planning, computing and changing a million members cost."""
    folder = make_folder(MILLION.format(sweep=GRID))
    wall, _, output = run(folder, "-n", "--quiet", "rules")
    print(f"million: planned and dry-run in {wall:.1f} s, {re.search(r'simulate +([0-9]+)', output)[1]} chunks", flush=True)
    first = report("million", folder, cores)
    print(f"million: the largest process had {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3:.0f} MB", flush=True)
    # The first thousand are the range's own doubles.
    values = ", ".join(map(repr, np.linspace(1, 100, 1000).tolist()))
    steps = [
        ("nothing changed", GRID),
        ("a value added to the slow axis", f"{{rho: [{values}, 50.05], sigma: {{start: 1, stop: 20, count: 1000}}}}"),
        (
            "a block of 10,000 appended",
            f"[{GRID}, {{rho: {{start: 100.5, stop: 150, count: 100}}, sigma: {{start: 1, stop: 20, count: 100}}}}]",
        ),
    ]
    for label, sweep in steps:
        (folder / "config.yaml").write_text(MILLION.format(sweep=sweep), encoding="utf-8")
        wall, _, output = run(folder, f"-c{cores}")
        print(
            f"million: {label}: {wall:.1f} s ({wall / first:.1%} of the first run), {count_members(output, folder)} members computed",
            flush=True,
        )


def main(parts: list[str], cores: int) -> None:
    """Measure the parts that are named."""
    if "default" in parts:
        report("default study", make_folder(None), cores)
    if "sweep" in parts:
        report("sweep of 100,000", make_folder(SWEEP), cores)
    if "tenth" in parts:
        report("a tenth of the sweep", make_folder(SWEEP.replace("count: 400", "count: 40") + "    chunk: 1600\n"), cores)
    if "million" in parts:
        measure_million(cores)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["default", "sweep"], metavar="part")
    parser.add_argument("--cores", type=int, default=2)
    arguments = parser.parse_args()
    main(arguments.parts, arguments.cores)
