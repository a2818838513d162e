"""A periodic orbit: where Newton's method leads from the state at the start and a guess of the period."""

from __future__ import annotations

import numpy as np

from phaseflow.dynamics.cycles import find_cycle
from phaseflow.dynamics.fields import make_field
from phaseflow.dynamics.variational import Flow
from phaseflow.engines import Task, Trajectories
from phaseflow.measures import Column, Measure, Measured, Orbit
from phaseflow.settings.measures import PeriodicOrbit


def measure(asked: PeriodicOrbit, task: Task, trajectories: Trajectories) -> Measured:
    """Return the period, what supports it, and the largest modulus of a multiplier beside the unit one; or why there is none."""
    flow = Flow(make_field(task.system))
    starts = trajectories.samples[:, 0] if task.transient > 0 else task.initial
    period, tolerance, time = asked.period.value, asked.tolerance.value, float(task.times[0])
    cycles = [find_cycle(flow, start, period, values, tolerance, time) for start, values in zip(starts, task.parameters, strict=True)]
    columns = {
        "orbit_period": [cycle.period if cycle.is_found else np.nan for cycle in cycles],
        "orbit_residual": [cycle.residual for cycle in cycles],
        "orbit_unit_error": [cycle.unit_error for cycle in cycles],
        "orbit_multiplier": [max(np.abs(cycle.others.values), default=np.nan) for cycle in cycles],
    }
    arrays: dict[str, Column] = {name: np.array(values, dtype=np.float64) for name, values in columns.items()}
    arrays["orbit_stability"] = np.array([cycle.stability if cycle.is_found else None for cycle in cycles], dtype=object)
    arrays["orbit_status"] = np.array([cycle.reason for cycle in cycles], dtype=object)
    orbits = [
        Orbit(member, "periodic_orbit", 1, c.period, c.state, c.residual, c.stability, c.unit_error, c.multipliers)
        for member, c in enumerate(cycles)
        if c.is_found
    ]
    return Measured(arrays, orbits)


MEASURE = Measure(measure)
