"""Facility location and linear programs that are written out: brute force, known optima, infeasible and unbounded ones, mistakes."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from phaseflow.config import load_config
from phaseflow.errors import ConfigError
from phaseflow.plugins import load_plugin
from phaseflow.trials import _complete_evidence

FURNITURE = {
    "maximize": "60*desks + 30*tables + 20*chairs",
    "parameters": {"lumber": 48, "finishing": 20, "carpentry": 8},
    "variables": {"desks": {}, "tables": {"upper": 5}, "chairs": {}},
    "constraints": {
        "wood": "8*desks + 6*tables + chairs <= lumber",
        "paint": "4*desks + 2*tables + 1.5*chairs <= finishing",
        "work": "2*desks + 1.5*tables + 0.5*chairs <= carpentry",
    },
}
TOWNS = {
    "sites": {"a": {"capacity": 10, "fixed": 7}, "b": {"capacity": 6, "fixed": 2}, "c": {"capacity": 8, "fixed": 4}},
    "demand": {"u": 4, "v": 3, "w": 5},
    "cost": {"a": {"u": 1, "v": 2, "w": 1.5}, "b": {"u": 2, "v": 1, "w": 3}, "c": {"u": 1.5, "v": 2.5, "w": 1}},
}


def load(folder, program, **study):
    (folder / "config.yaml").write_text(json.dumps({"optimize": {"it": {"program": program, **study}}}))
    return load_config(folder / "config.yaml").studies["it"]


def solve(folder, program, **changes):
    study = load(folder, program)
    kind = load_plugin("kinds", "program")
    trial = {name: axis.base for name, axis in kind.axes(study).items()} | changes
    solution = load_plugin("problems", "program").prepare(study, {})(trial, None)
    return solution, dict(zip(kind.columns(study), solution.point.tolist(), strict=True))


def test_a_textbook_program_has_its_exact_optimum_and_prices(tmp_path):
    # Winston (2004), Operations Research, sec. 4.5 (Dakota Furniture): 280 with 2 desks and 8 chairs; prices 0, 10, 10.
    solution, point = solve(tmp_path, {"linear": FURNITURE})
    assert (solution.status, solution.value, solution.certificate.kind) == ("converged", 280, "exact_optimal")
    assert point == {"desks": 2, "tables": 0, "chairs": 8}
    assert [solution.evidence[f"price.{name}"] for name in ("wood", "paint", "work")] == [0, 10, 10]
    assert "the greatest value of the numbers as written is 280:" in solution.certificate.reason


def test_a_price_is_the_slope_when_a_parameter_is_swept(tmp_path):
    base, _ = solve(tmp_path, {"linear": FURNITURE})
    more, _ = solve(tmp_path, {"linear": FURNITURE}, finishing=20.5)
    assert more.value - base.value == 0.5 * base.evidence["price_more.paint"]


def test_a_program_too_large_for_exact_arithmetic_says_so_and_has_the_solvers_prices(tmp_path, monkeypatch):
    exact, _ = solve(tmp_path, {"linear": FURNITURE})
    monkeypatch.setattr("phaseflow.problems._exact_optimum.MOST_TIGHT", 0)
    solution, _ = solve(tmp_path, {"linear": FURNITURE})
    assert (solution.status, solution.certificate.kind) == ("converged", "none")
    assert solution.certificate.reason == "more than 0 constraints at their bounds are too many for exact arithmetic"
    assert "gap_proven" not in solution.evidence
    # Two basic variables of three digits each: errors of a few ulps.
    assert solution.value == pytest.approx(exact.value, rel=1e-13)
    assert solution.evidence["price.paint"] == pytest.approx(10, rel=1e-13)
    assert max(solution.evidence["kkt_residual"], solution.evidence["feasibility"]) < 1e-11
    whole, _ = solve(tmp_path, {"facility": TOWNS})
    assert "the point is in floating point: more than 0" in whole.certificate.reason


def test_a_degenerate_program_too_large_for_two_sides_has_one_price(tmp_path, monkeypatch):
    program = {"minimize": "x + 3*y", "variables": {"x": {}, "y": {}}, "constraints": {"room": "x <= 4", "need": "x + y >= 4"}}
    both, _ = solve(tmp_path, {"linear": program})
    assert (both.evidence["price_less.need"], both.evidence["price_more.need"]) == (1, 3)
    assert "price.need" not in both.evidence
    monkeypatch.setattr("phaseflow.problems._exact_optimum._MOST_PRICED", 0)
    one, _ = solve(tmp_path, {"linear": program})
    assert 1 <= one.evidence["price.need"] <= 3
    assert "price_more.need" not in one.evidence


def test_a_number_is_exact_as_written_and_a_swept_one_as_the_table_shows_it(tmp_path):
    program = {"linear": {"minimize": "x", "variables": {"x": {}}, "parameters": {"b": "1/3"}, "constraints": {"c": "x >= b"}}}
    assert "is 1/3:" in solve(tmp_path, program)[0].certificate.reason
    assert "is 1/10:" in solve(tmp_path, program, b=0.1)[0].certificate.reason
    assert "is 3333/10000:" in solve(tmp_path, program, b=0.3333)[0].certificate.reason


def test_what_tolerances_hide_is_seen_in_exact_arithmetic(tmp_path):
    # HiGHS keeps constraints to 1e-7, and takes bounds of 1e20 for infinite.
    narrow = {
        "minimize": "x",
        "variables": {"x": {}},
        "parameters": {"b": "1/3"},
        "constraints": {"low": "x >= b", "high": "x <= 333333333/1000000000"},
    }
    solution, _ = solve(tmp_path, {"linear": narrow})
    assert solution.status == "infeasible"
    assert "proven in exact arithmetic" in solution.certificate.reason
    wide = {"maximize": "x", "variables": {"x": {}}, "constraints": {"c": "x <= 1e30"}}
    solution, point = solve(tmp_path, {"linear": wide})
    assert (solution.status, solution.certificate.kind, point["x"]) == ("converged", "exact_optimal", 1e30)


def test_the_best_of_a_maximum_is_the_greatest(tmp_path):
    table = pd.DataFrame({"value": [1.0, 3.0, 2.0], "status": "converged", "feasibility": 0.0})
    program = {"linear": FURNITURE}
    assert _complete_evidence(load(tmp_path, program), table)["gap_best_seen"].tolist() == [2, 0, 1]
    least = {"linear": {"minimize": "x", "variables": {"x": {}}}}
    assert _complete_evidence(load(tmp_path, least), table)["gap_best_seen"].tolist() == [0, 2, 1]


def test_bounds_can_be_left_out_and_swept(tmp_path):
    program = {
        "minimize": "x + y",
        "variables": {"x": {"lower": "none"}, "y": {"lower": -2, "upper": 9}},
        "constraints": {"c": "x - y >= 1"},
    }
    solution, point = solve(tmp_path, {"linear": program})
    assert (solution.value, point) == (-3, {"x": -1, "y": -2})
    assert solve(tmp_path, {"linear": program}, **{"lower.y": 3.0})[0].value == 7
    crossed, _ = solve(tmp_path, {"linear": program}, **{"lower.y": 10.0})
    assert (crossed.status, crossed.message) == ("infeasible", "bounds with nothing between them: y between 10 and 9")


def test_coefficients_may_be_any_expression_of_parameters(tmp_path):
    program = {
        "minimize": "(a + 1)*x/4 + sqrt(b)*y - 1",
        "variables": {"x": {}, "y": {}},
        "parameters": {"a": 3, "b": 4},
        "constraints": {"c": "2*(x + y) - x == a**2"},
    }
    # Least x + 2 y - 1 with x + 2 y = 9.
    assert solve(tmp_path, {"linear": program})[0].value == 8


def test_a_coefficient_that_is_no_number_fails_the_trial_by_its_name(tmp_path):
    program = {"minimize": "x/(a - 1)", "variables": {"x": {}}, "parameters": {"a": 2}}
    solution, _ = solve(tmp_path, {"linear": program}, a=1.0)
    assert (solution.status, solution.message) == ("failed", "the coefficient 1/(a - 1) is not a finite number")
    assert solve(tmp_path, {"linear": program})[0].value == 0


def test_knapsacks_are_those_of_brute_force(tmp_path):
    random = np.random.default_rng(4)
    for _ in range(10):
        worth, weight = random.integers(1, 30, 7), random.integers(1, 20, 7)
        room = int(weight.sum() // 2)
        spans = {f"x{i}": {"upper": 1, "integer": True} for i in range(7)}
        load_ = " + ".join(f"{w}*x{i}" for i, w in enumerate(weight))
        gain = " + ".join(f"{v}*x{i}" for i, v in enumerate(worth))
        program = {"linear": {"maximize": gain, "variables": spans, "constraints": {"room": f"{load_} <= {room}"}}}
        best = max(np.dot(pick, worth) for pick in itertools.product((0, 1), repeat=7) if np.dot(pick, weight) <= room)
        solution, point = solve(tmp_path, program)
        assert solution.value == best
        assert set(point.values()) <= {0, 1}
        assert solution.evidence["gap_proven"] == pytest.approx(0, abs=1e-6)
        assert solution.evidence["best_bound"] >= best - 1e-6
        assert "in floating point" in solution.certificate.reason
        assert not any(name.startswith("price") for name in solution.evidence)


def list_plans(stated, *, single_source):
    """Yield the cost of every plan that opens some sites, and sends whole units or all from one site."""
    sites, towns = list(stated["sites"]), list(stated["demand"])
    for opened in itertools.product((0, 1), repeat=len(sites)):
        fixed = sum(stated["sites"][s]["fixed"] for s, is_open in zip(sites, opened, strict=True) if is_open)
        ways = [list(split_units(stated["demand"][town], len(sites), single_source=single_source)) for town in towns]
        for plan in itertools.product(*ways):
            loads = np.sum(plan, axis=0)
            room = [stated["sites"][s]["capacity"] * is_open for s, is_open in zip(sites, opened, strict=True)]
            if (loads <= room).all():
                sent = sum(
                    n * stated["cost"][s][town] for town, part in zip(towns, plan, strict=True) for s, n in zip(sites, part, strict=True)
                )
                yield fixed + sent


def split_units(units, n_parts, *, single_source):
    for part in itertools.product(range(units + 1), repeat=n_parts):
        if sum(part) == units and (not single_source or max(part) == units):
            yield part


@pytest.mark.parametrize("single_source", [False, True])
def test_facility_location_is_that_of_brute_force(tmp_path, single_source):
    # With whole capacities and demands some optimal plan sends whole units (the flows of a network).
    best = min(list_plans(TOWNS, single_source=single_source))
    solution, point = solve(tmp_path, {"facility": TOWNS | {"single_source": single_source}})
    assert solution.value == best
    for town, wanted in TOWNS["demand"].items():
        assert sum(point[f"flow.{site}.{town}"] for site in TOWNS["sites"]) == wanted
    for name, site in TOWNS["sites"].items():
        assert sum(point[f"flow.{name}.{town}"] for town in TOWNS["demand"]) <= site["capacity"] * point[f"open.{name}"]


def test_costs_of_all_that_is_wanted_are_costs_of_units_times_the_demand(tmp_path):
    whole = {site: {town: cost * TOWNS["demand"][town] for town, cost in row.items()} for site, row in TOWNS["cost"].items()}
    stated = {key: value for key, value in TOWNS.items() if key != "cost"}
    by_unit, of_all = solve(tmp_path, {"facility": TOWNS}), solve(tmp_path, {"facility": stated | {"cost_of_all": whole}})
    assert of_all[1] == by_unit[1]
    assert of_all[0].value == by_unit[0].value


def test_a_facility_problem_that_cannot_be_served_says_what_would_do(tmp_path):
    solution, _ = solve(tmp_path, {"facility": TOWNS}, **{"demand.w": 20.0})
    # All sites send 24, and 27 are wanted; the largest number gives, since the same amount is the least part of it.
    assert solution.status == "infeasible"
    assert solution.message == "no answer keeps all constraints; one does with demand.w 17 instead of 20 (3 less)"
    assert "proven in exact arithmetic" in solution.certificate.reason


def test_a_program_that_only_whole_numbers_make_infeasible_says_so(tmp_path):
    program = {"minimize": "x", "variables": {"x": {"integer": True}}, "constraints": {"low": "x >= 1/4", "high": "x <= 3/4"}}
    solution, _ = solve(tmp_path, {"linear": program})
    assert solution.status == "infeasible"
    # From 1/4 down to 0 is all of it, from 3/4 up to 1 a third.
    assert solution.message == "no answer keeps all constraints; one does with high 1 instead of 0.75 (0.25 more)"
    assert "in floating point" in solution.certificate.reason


def test_an_unbounded_program_has_a_status_and_a_direction(tmp_path):
    program = {"maximize": "x + y", "variables": {"x": {}, "y": {}, "z": {}}, "constraints": {"c": "x - y + z <= 2"}}
    for spans in ({}, {"x": {"integer": True}}):
        solution, _ = solve(tmp_path, {"linear": program | {"variables": program["variables"] | spans}})
        assert (solution.status, solution.message) == ("unbounded", "the value improves for ever along x, y")


def test_a_time_limit_ends_a_trial_with_a_status_and_what_is_known(tmp_path):
    random = np.random.default_rng(1)
    sites = {f"s{i}": {"capacity": int(random.integers(60, 120)), "fixed": int(random.integers(50, 200))} for i in range(30)}
    demand = {f"d{j}": int(random.integers(5, 30)) for j in range(60)}
    cost = {site: {town: round(float(random.random() * 10), 2) for town in demand} for site in sites}
    stated = {"single_source": True, "sites": sites, "demand": demand, "cost": cost}
    # The solver looks at the clock before its first node: no answer is known then.
    solution, _ = solve(tmp_path, {"facility": stated, "time_limit_s": 1e-9})
    assert solution.status == "time_limit"
    assert np.isnan(solution.value)
    assert solution.certificate.reason == "a limit was met before there was an answer"


def test_sites_from_a_table_say_the_same_as_numbers(tmp_path):
    (tmp_path / "sites.csv").write_text("site,capacity,fixed\na,10,7\nb,6,2\nc,8,4\n")
    config = {"data": {"sites": {"file": "sites.csv"}}, "optimize": {"it": {"program": {"facility": TOWNS | {"sites": "data.sites"}}}}}
    (tmp_path / "tables.json").write_text(json.dumps(config))
    assert load_config(tmp_path / "tables.json").studies["it"].program == load(tmp_path, {"facility": TOWNS}).program
    (tmp_path / "sites.csv").write_text("site,capacity,fixed\na,10,-7\nb,6,2\nb,8,4\n")
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "tables.json")
    assert "data.sites, line 2: -7 is not a number of 0 or more" in str(error.value)
    assert "data.sites, line 4: b comes twice" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"maximize": "desks*tables"}, "the term 'desks*tables' is not linear in desks, tables"),
        ({"maximize": "desks + tables**2"}, "the term 'tables**2' is not linear in tables"),
        ({"constraints": {"c": "exp(desks) <= lumber"}}, "the term 'exp(desks)' is not linear in desks"),
        ({"constraints": {"c": "1/desks <= tables"}}, "the term '1/desks' is not linear in desks"),
        ({"constraints": {"c": "desks < tables"}}, "write <=, >= or =="),
        ({"constraints": {"c": "lumber <= finishing"}}, "has no variable in it"),
        ({"maximize": "desk"}, "it is neither a variable nor a parameter; did you mean 'desks'?"),
        ({"maximize": "desks + t"}, "the time has no meaning here"),
        ({"minimize": "desks"}, "exactly one of minimize, maximize"),
        ({"variables": FURNITURE["variables"] | {"sofas": {}}}, "'sofas' occurs in no expression"),
        ({"variables": FURNITURE["variables"] | {"desks": {"lower": 4, "upper": 3}}}, "the lower bound 4 is above the upper bound 3"),
        ({"variables": FURNITURE["variables"] | {"desks": {"lower": "nil"}}}, "a number is wanted, or none for no bound"),
        ({"parameters": FURNITURE["parameters"] | {"desks": 3}}, "'desks' is a variable"),
        ({"parameters": FURNITURE["parameters"] | {"value": 3}, "maximize": "value*desks"}, "'value' is a column of every table"),
    ],
)
def test_a_mistake_in_a_linear_program_says_what_is_wanted(tmp_path, changes, message):
    with pytest.raises(ConfigError) as error:
        load(tmp_path, {"linear": FURNITURE | changes})
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("changes", "sweep", "message"),
    [
        ({"cost": None}, {}, "exactly one of cost (of one unit) and cost_of_all"),
        ({"cost": {"d": {"u": 1}}}, {}, "there is no site 'd'"),
        ({"cost": {"a": {"z": 1}}}, {}, "there is no demand 'z'"),
        ({}, {"algorithm": ["highs_ipm"]}, "there is no algorithm 'highs_ipm'"),
        ({}, {"fixed.a": [-1]}, "-1 must be 0 or greater"),
        ({}, {"fixed.d": [1]}, "'fixed.d' cannot be swept"),
    ],
)
def test_a_mistake_in_a_facility_problem_says_what_is_wanted(tmp_path, changes, sweep, message):
    stated = {key: value for key, value in (TOWNS | changes).items() if value is not None}
    with pytest.raises(ConfigError) as error:
        load(tmp_path, {"facility": stated}, **({"sweep": sweep} if sweep else {}))
    assert message in str(error.value)
