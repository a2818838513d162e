"""Programs of the literature: OR-Library's facility location, and Dantzig's transportation problem from the miles and the freight rate."""

import json
from fractions import Fraction

import pytest

from phaseflow.config import load_config
from phaseflow.plugins import load_plugin
from tests.acceptance.reference import find_reference, read_cases


def solve(statement, folder, **changes):
    """Return the solution of a study whose program is stated by a dictionary."""
    (folder / "config.yaml").write_text(json.dumps({"optimize": {"it": {"program": statement}}}))
    study = load_config(folder / "config.yaml").studies["it"]
    trial = {name: axis.base for name, axis in load_plugin("kinds", "program").axes(study).items()} | changes
    return load_plugin("problems", "program").prepare(study, {})(trial, None), study


def state_facility(stated):
    """Return an instance of OR-Library, whose costs are those of all that a customer wants."""
    n_sites, n_customers = len(stated["capacity"]), len(stated["demand"])
    return {
        "facility": {
            "sites": {f"s{i}": {"capacity": stated["capacity"][i], "fixed": stated["fixed_cost"][i]} for i in range(n_sites)},
            "demand": {f"c{j}": stated["demand"][j] for j in range(n_customers)},
            "cost_of_all": {f"s{i}": {f"c{j}": stated["cost"][i][j] for j in range(n_customers)} for i in range(n_sites)},
        }
    }


CAPS = [case for case in read_cases("supply") if case.id.startswith("cap")]


@pytest.mark.parametrize("stated", CAPS)
def test_facility_location_reaches_the_published_optimum_and_closes_the_gap(stated, tmp_path):
    solution, study = solve(state_facility(stated), tmp_path)
    assert solution.status == "converged"
    # The point keeps all constraints exactly, so its value is that of the published plan to the last digit that is printed.
    assert solution.value == stated["f_opt"]
    # HiGHS works to a relative tolerance of 1e-9 or better in the bound.
    assert solution.evidence["gap_proven"] <= 1e-9 * stated["f_opt"]
    assert solution.evidence["feasibility"] == 0
    names = load_plugin("kinds", "program").columns(study)
    served = dict.fromkeys((f"c{j}" for j in range(len(stated["demand"]))), 0.0)
    for name, amount in zip(names, solution.point, strict=True):
        if name.startswith("flow."):
            served[name.split(".")[2]] += amount
    assert list(served.values()) == pytest.approx(stated["demand"], rel=1e-12)


@pytest.mark.parametrize("stated", CAPS[:1])
def test_more_demand_than_all_sites_can_send_names_what_would_have_to_give(stated, tmp_path):
    solution, _ = solve(state_facility(stated), tmp_path, **{"demand.c0": 100_000.0})
    rest = sum(stated["demand"]) - stated["demand"][0]
    room = sum(stated["capacity"])
    # All that the others want is served, and what is left of the capacity goes to the one that wants too much.
    assert solution.status == "infeasible"
    assert f"demand.c0 {room - rest:g} instead of 100000" in solution.message


def test_dantzigs_problem_from_miles_and_rate_has_its_exact_optimum(tmp_path):
    stated = json.loads(find_reference("supply/dantzig_trnsport.json").read_text())
    senders, takers = stated["supply_names"], stated["demand_names"]
    # 90 dollars a case and thousand miles, in thousands of dollars; what is written is divided exactly.
    miles = dict(zip(senders, stated["distance_1000miles"], strict=True))
    cost = {node: {to: f"{stated['freight']}*{far}/1000" for to, far in zip(takers, row, strict=True)} for node, row in miles.items()}
    supply, demand = dict(zip(senders, stated["supply"], strict=True)), dict(zip(takers, stated["demand"], strict=True))
    solution, _ = solve({"transport": {"supply": supply, "demand": demand, "cost": cost}}, tmp_path)
    assert solution.certificate.kind == "exact_optimal"
    assert f"is {Fraction(6147, 40)}:" in solution.certificate.reason
    assert solution.value == stated["f_opt"] == 153.675
