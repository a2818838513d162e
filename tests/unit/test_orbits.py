"""Fixed points and periodic orbits as measures, and the table that they go into."""

import numpy as np
import pandas as pd
import pytest

from phaseflow.assembly import gather_members
from phaseflow.config import load_config
from phaseflow.ensemble import simulate_chunk
from phaseflow.measures.fixed_points import MEASURE as FIXED_POINTS
from phaseflow.measures.periodic_orbit import MEASURE as PERIODIC_ORBIT
from phaseflow.paths import list_tables
from phaseflow.plan import Plan
from phaseflow.settings.measures import PeriodicOrbit
from tests.unit.tasks import integrate, make_task


def measure(plugin, asked, task):
    return plugin.measure(asked, task, integrate(task))


def test_lorenz63_has_one_fixed_point_and_then_three():
    rho = np.array([0.5, 10.0, 28.0])
    found = measure(FIXED_POINTS, True, make_task("lorenz63", [0, 20], members=3, parameters={"rho": rho}))
    # The origin is stable below rho = 1, the pair beside it from there to 470/19 = 24.7.
    assert found.columns["fixed_points"].tolist() == [1, 3, 3]
    assert found.columns["fixed_points_stable"].tolist() == [1, 2, 0]
    assert [orbit.number for orbit in found.orbits] == [1, 1, 2, 3, 1, 2, 3]
    side = np.sqrt(8 / 3 * 27)
    assert found.orbits[-1].state == pytest.approx([side, side, 27], abs=1e-12)
    assert max(orbit.residual for orbit in found.orbits) < 1e-11


def test_a_member_that_runs_away_still_has_its_fixed_points():
    task = make_task({"equations": {"x": "x**2 - 1"}, "initial": {"x": 2}}, [0, 10])
    found = measure(FIXED_POINTS, True, task)
    assert [(orbit.state[0], orbit.stability) for orbit in found.orbits] == [
        (pytest.approx(-1, abs=1e-15), "stable"),
        (pytest.approx(1, abs=1e-15), "unstable"),
    ]


def test_points_of_a_line_are_told_from_isolated_ones():
    task = make_task({"equations": {"S": "-S*I", "I": "S*I - I"}, "initial": {"S": 2, "I": 0.1}}, [0, 5])
    found = measure(FIXED_POINTS, True, task)
    assert found.columns["fixed_points_singular"][0] == found.columns["fixed_points"][0] > 3


def test_a_field_that_dies_away_far_out_has_no_fixed_point():
    force = "-{}/(x**2 + y**2)**(3/2)"
    equations = {"x": "u", "y": "v", "u": force.format("x"), "v": force.format("y")}
    task = make_task({"equations": equations, "initial": {"x": 1, "y": 0, "u": 0, "v": 1.1}}, [0, 50])
    assert measure(FIXED_POINTS, True, task).columns["fixed_points"].tolist() == [0]


def test_a_periodic_orbit_is_found_from_the_state_after_the_transient():
    asked = PeriodicOrbit.model_validate({"period": 6.5})
    task = make_task("van_der_pol", [0, 1], transient=30, parameters={"mu": 1})
    found = measure(PERIODIC_ORBIT, asked, task)
    assert found.columns["orbit_status"].tolist() == ["found"]
    assert found.columns["orbit_period"][0] == pytest.approx(6.66328686, abs=6e-9)
    # The transient has ended on the cycle: 30 time units damp by 8.6e-4 each turn of 6.66.
    assert np.abs(found.orbits[0].state - integrate(task).samples[0, 0]).max() < 1e-10
    # Liouville: the other multiplier is exp of the divergence's integral, and below one.
    assert found.columns["orbit_multiplier"][0] == pytest.approx(8.5970e-4, rel=1e-4)


def test_what_was_not_found_has_a_status_and_no_number():
    asked = PeriodicOrbit.model_validate({"period": 1.56})
    found = measure(PERIODIC_ORBIT, asked, make_task({"equations": {"x": "x**2"}, "initial": {"x": 2}}, [0, 0.1]))
    assert found.columns["orbit_status"].tolist() == ["not_finite"]
    assert all(np.isnan(found.columns[f"orbit_{name}"][0]) for name in ("period", "residual", "unit_error", "multiplier"))
    assert found.orbits == []


CONFIG = """\
simulate:
  scan: {system: lorenz63, time: {stop: 2}, initial: {x: -13.76, y: -19.58, z: 27}, sweep: {rho: [0.5, 28, 10]}, chunk: %d,
         measure: {fixed_points: true, periodic_orbit: {period: 1.56}}}
  none: {system: lorenz63, time: {stop: 2}}
"""


def make_tables(folder, chunk):
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG % chunk)
    plan = Plan(load_config(folder / "config.yaml"))
    for name in plan.config.scenarios:
        pieces = {kind: [folder / path for path in files] for kind, files in plan.pieces("simulate", name).items()}
        for number, files in enumerate(zip(*pieces.values(), strict=True)):
            simulate_chunk(plan.block("simulate", name), number, *files)
        gather_members(plan.block("simulate", name), pieces, *(folder / path for path in list_tables("simulate", name).values()))
    return {name: {kind: folder / path for kind, path in list_tables("simulate", name).items()} for name in plan.config.scenarios}


def test_the_table_of_orbits_is_in_the_plans_order_and_the_same_for_every_chunk_size(tmp_path):
    one, other = make_tables(tmp_path / "one", 1)["scan"], make_tables(tmp_path / "three", 3)["scan"]
    assert one["orbits"].read_bytes() == other["orbits"].read_bytes()
    assert one["members"].read_bytes() == other["members"].read_bytes()
    orbits, members = pd.read_parquet(one["orbits"]), pd.read_parquet(one["members"])
    parts = [f"eigenvalue_{place}_{part}" for place in (1, 2, 3) for part in ("re", "im")]
    assert list(orbits) == ["member", "kind", "number", "period", "x", "y", "z", "residual", "stability", "unit_error", *parts]
    assert orbits["member"].drop_duplicates().tolist() == members["member"].tolist()
    chaotic = orbits[orbits["member"] == members["member"][1]]
    assert chaotic["kind"].tolist() == ["fixed_point"] * 3 + ["periodic_orbit"]
    assert chaotic["period"].isna().tolist() == [True] * 3 + [False]
    assert chaotic["unit_error"].isna().tolist() == [True] * 3 + [False]
    assert chaotic["period"].iloc[-1] == members["orbit_period"][1] == pytest.approx(1.558652210716175, abs=1e-12)
    assert members["fixed_points"].tolist() == [1, 3, 3]
    assert (members["orbit_status"] == "found").tolist() == [False, True, False]


def test_where_no_orbit_is_asked_for_the_table_is_empty(tmp_path):
    tables = make_tables(tmp_path / "one", 1)["none"]
    assert pd.read_parquet(tables["orbits"]).empty
    assert "fixed_points" not in pd.read_parquet(tables["members"])
