"""What a scenario is expected to cost, from its settings alone, and how many of its members make a job.

A rough model, right to a factor of ten for systems whose time scale is about 1: no result depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phaseflow.settings.scenarios import Scenario

# A unit of time of Lorenz's system by Taylor's method on one core, and how many times more other work takes.
_SECONDS_A_UNIT = 4e-6
_MEASURED, _ESTIMATED, _REFERENCED, _BY_SCIPY = 5, 3, 1000, 200
# A job is to take about so long where there are members enough for that many jobs and more.
_SECONDS_A_JOB = 30
_JOBS = 12
_LARGEST_CHUNK = 6_400
_ROWS = 2_000_000
# Where there are few members: so many a job.
_FEW = {"reference": 25, "measured": 200}


def estimate_seconds(scenario: Scenario) -> float:
    """Return the seconds that one member of a resolved scenario takes."""
    time, method = scenario.time, scenario.solver.method
    span = time.stop.value - time.start.value + time.transient.value
    weight = len(scenario.definition.equations) / 3 * (_MEASURED if scenario.measure else 1)
    weight *= {"reference": _REFERENCED, "estimate": _ESTIMATED}.get(scenario.certify.method or "none", 1)
    return span * weight * _SECONDS_A_UNIT * (_BY_SCIPY if method not in (None, "taylor") else 1)


def count_rows(scenario: Scenario) -> int:
    """Return how many rows of trajectories a member of a resolved scenario has, 1 where none are kept."""
    return (scenario.time.samples or 1) if scenario.keeps_trajectories else 1


def size_chunk(scenario: Scenario, n_members: int) -> int:
    """Return about how many of a sweep's members make a job of a resolved scenario.

    It holds at most two million rows of four states, and is doubled from its least size, so that one value more changes it seldom.
    """
    most = min(_LARGEST_CHUNK, _ROWS // (count_rows(scenario) * max(1, len(scenario.definition.equations) // 4)))
    kind = "reference" if scenario.certify.method == "reference" else "measured" if scenario.measure else ""
    size = max(1, min(_FEW.get(kind, _LARGEST_CHUNK), most))
    limit = min(most, n_members // _JOBS, _SECONDS_A_JOB / max(estimate_seconds(scenario), 1e-9))
    while 2 * size <= limit:
        size *= 2
    return size
