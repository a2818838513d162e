"""One contract for every measure: it fills the columns that the settings list, for every member, also for one that fails."""

import numpy as np
import pytest

from phaseflow.measures import Measured
from phaseflow.plugins import list_plugins, load_plugin
from phaseflow.settings.scenarios import Scenario
from tests.unit.tasks import integrate, make_task

SYSTEM = {"equations": {"x": "y", "y": "a*y**2 - x"}, "parameters": {"a": 0}, "initial": {"x": 1, "y": 0.5}}
ASKED = {
    "lyapunov": "all",
    "extrema": "x",
    "section": {"when": "x"},
    "fixed_points": True,
    "periodic_orbit": {"period": 6},
    "correlation_dimension": {"points": 1000},
    "return_times": True,
    "energy": "x**2 + y**2",
}


def measure(name, members):
    """Return the scenario and the columns of members that differ in the parameter a: with a = 5 a member runs away."""
    wanted = {name: ASKED[name], **({"section": ASKED["section"]} if name == "return_times" else {})}
    scenario = Scenario.model_validate({"system": SYSTEM, "time": {"stop": 30}, "measure": wanted})
    asked = scenario.measure.asked
    events = [event for key in asked for event in load_plugin("measures", key).locate(asked[key], scenario.definition)]
    task = make_task(SYSTEM, [0, 30], members=len(members), events=events, parameters={"a": members})
    found = {key: load_plugin("measures", key).measure(asked[key], task, integrate(task)) for key in asked}
    parts = [part if isinstance(part, Measured) else Measured(part) for part in found.values()]
    return scenario, {name: column for part in parts for name, column in part.columns.items()}


def test_every_measure_is_here():
    assert sorted(ASKED) == list_plugins("measures")


@pytest.mark.parametrize("name", list(ASKED))
def test_a_measure_fills_the_columns_that_it_lists(name):
    scenario, columns = measure(name, [0.0, 5.0])
    assert sorted(columns) == sorted(scenario.list_measures())
    for column in columns.values():
        assert column.shape == (2,)
        assert column.dtype in (np.float64, object)


@pytest.mark.parametrize("name", list(ASKED))
def test_a_member_is_the_same_alone(name):
    (_, together), (_, alone) = measure(name, [0.0, 5.0, 0.125]), measure(name, [0.125])
    for column, values in together.items():
        assert values[2] == alone[column][0] or (values[2] != values[2] and alone[column][0] != alone[column][0])
