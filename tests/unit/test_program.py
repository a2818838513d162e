"""Transportation problems: published optima, prices that are derivatives, bounds that hold, and tables as input."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from phaseflow.config import load_config
from phaseflow.errors import ConfigError
from phaseflow.plan import Plan
from phaseflow.plugins import load_plugin
from tests.contracts.small import make_tables

# Dantzig (1963), ch. 3-3, in the units of the GAMS model library (trnsport): least cost 153.675.
DANTZIG = """\
optimize:
  dantzig:
    program:
      transport:
        supply: {Seattle: 350, San-Diego: 600}
        demand: {New-York: 325, Chicago: 300, Topeka: 275}
        cost:
          Seattle: {New-York: 0.225, Chicago: 0.153, Topeka: 0.162}
          San-Diego: {New-York: 0.225, Chicago: 0.162, Topeka: 0.126}
    sweep:
      - {"demand.Topeka": {start: 200, stop: 350, count: 7}, algorithm: [highs, highs_ds, highs_ipm]}
      - {"cost.Seattle.Topeka": [0.1], "supply.Seattle": [350, 10]}
"""


def load(folder, text):
    (folder / "config.yaml").write_text(text)
    return load_config(folder / "config.yaml")


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dantzig")
    make_tables(Plan(load(folder, DANTZIG)), folder)
    return pd.read_csv(folder / "results/optimize/dantzig.csv")


def test_the_published_optimum_is_reached_by_every_method(trials):
    found = trials[(trials["demand.Topeka"] == 275) & (trials["cost.Seattle.Topeka"] == 0.162)]
    assert found["algorithm"].tolist() == ["highs", "highs_ds", "highs_ipm"]
    assert found["value"].tolist() == [153.675] * 3
    assert (found["certificate"] == "exact_optimal").all()
    assert found["certificate_reason"].str.contains("is 6147/40:").all()
    # Dantzig's exact optimum is 6147/40; the bound that is reported holds it.
    exact = Fraction(6147, 40)
    assert all(Fraction(value) - Fraction(gap) <= exact for value, gap in zip(found["value"], found["gap_proven"], strict=True))
    assert (found["gap_proven"] < 1e-11).all()
    assert (found[["feasibility", "gap_best_seen"]] == 0).all(axis=None)
    # Complementary slackness: each product of a price with what is left over vanishes up to rounding.
    assert (found["kkt_residual"] < 1e-11).all()


def test_a_shadow_price_is_what_one_more_unit_costs(trials):
    found = trials[(trials["algorithm"] == "highs") & (trials["cost.Seattle.Topeka"] == 0.162) & (trials["status"] == "converged")]
    steps = found["value"].diff() / found["demand.Topeka"].diff()
    assert steps.dropna().to_numpy() == pytest.approx(found["price_less.demand.Topeka"].iloc[1:].to_numpy(), rel=1e-12)
    assert (found["price_less.demand.Topeka"] == 0.126).all()
    # At 325 the supply is used up: one unit more cannot be had, and there is no one price.
    assert found["price_more.demand.Topeka"].tolist() == [0.126] * 5 + [np.inf]
    assert found["price.demand.Topeka"].isna().tolist() == [False] * 5 + [True]


def test_flows_meet_the_demand_and_a_changed_number_counts(trials):
    found = trials[trials["status"] == "converged"]
    topeka = found["flow.Seattle.Topeka"] + found["flow.San-Diego.Topeka"]
    assert (topeka >= found["demand.Topeka"]).all()
    cheap = found[(found["cost.Seattle.Topeka"] == 0.1) & (found["supply.Seattle"] == 350)]
    # Dearest detour first: Chicago by San-Diego costs 0.009 more, Topeka by San-Diego 0.026 more, so Seattle serves Topeka.
    assert cheap["flow.Seattle.Topeka"].tolist() == [275]
    assert cheap["value"].tolist() == pytest.approx([325 * 0.225 + 275 * 0.1 + 75 * 0.153 + 225 * 0.162], rel=1e-14)


def test_more_demand_than_supply_is_infeasible_with_a_reason(trials):
    found = trials[trials["demand.Topeka"] == 350]
    assert (found["status"] == "infeasible").all()
    # One place gives all that is missing: 25, which is relatively least where the number is largest.
    assert (found["message"] == "no answer keeps all constraints; one does with supply.San-Diego 625 instead of 600 (25 more)").all()
    assert (found["certificate_reason"] == "it is proven in exact arithmetic that no point keeps all constraints").all()
    assert found["value"].isna().all()
    assert trials[trials["supply.Seattle"] == 10]["status"].tolist() == ["infeasible"]


def test_a_place_that_no_way_reaches_is_infeasible(tmp_path):
    text = "optimize: {it: {program: {transport: {supply: {a: 5}, demand: {b: 1, c: 1}, cost: {a: {b: 2}}}}}}\n"
    solve = load_plugin("problems", "program").prepare(load(tmp_path, text).studies["it"], {})
    trial = {"supply.a": 5.0, "demand.b": 1.0, "demand.c": 1.0, "cost.a.b": 2.0, "algorithm": "highs"}
    assert solve(trial, np.random.default_rng(0)).status == "infeasible"


def test_bounds_hold_for_random_problems(tmp_path):
    random = np.random.default_rng(11)
    for _ in range(20):
        supply, demand = random.integers(5, 30, 4), random.integers(1, 5, 5)
        cost = random.random((4, 5)).round(3)
        rows = {f"s{i}": {f"d{j}": float(cost[i, j]) for j in range(5)} for i in range(4)}
        given = {f"s{i}": int(v) for i, v in enumerate(supply)}, {f"d{j}": int(v) for j, v in enumerate(demand)}
        text = f"optimize: {{it: {{program: {{transport: {{supply: {given[0]}, demand: {given[1]}, cost: {rows}}}}}}}}}\n".replace("'", "")
        study = load(tmp_path, text).studies["it"]
        kind = load_plugin("kinds", "program")
        trial = {name: axis.base for name, axis in kind.axes(study).items()}
        solution = load_plugin("problems", "program").prepare(study, {})(trial, random)
        assert 0 <= solution.evidence["gap_proven"] < 1e-12
        assert solution.evidence["feasibility"] == 0
        # Each unit costs at least the cheapest way to its place: a bound from no solver.
        assert solution.value >= (cost.min(axis=0) * demand).sum() - 1e-12


def test_tables_say_the_same_as_numbers(tmp_path):
    (tmp_path / "supply.csv").write_text("node,supply\nSeattle,350\nSan-Diego,600\n")
    (tmp_path / "demand.csv").write_text("node,demand\nNew-York,325\nChicago,300\nTopeka,275\n")
    rows = ["Seattle,New-York,0.225", "Seattle,Chicago,0.153", "Seattle,Topeka,0.162"]
    rows += ["San-Diego,New-York,0.225", "San-Diego,Chicago,0.162", "San-Diego,Topeka,0.126"]
    (tmp_path / "cost.csv").write_text("from,to,cost\n" + "\n".join(rows) + "\n")
    text = """\
data: {supply: {file: supply.csv}, demand: {file: demand.csv}, cost: {file: cost.csv}}
optimize:
  dantzig:
    program: {transport: {supply: data.supply, demand: data.demand, cost: data.cost}}
    sweep: {"demand.Topeka": [275]}
"""
    from_tables, stated = load(tmp_path, text).studies["dantzig"], load(tmp_path, DANTZIG).studies["dantzig"]
    assert from_tables.program == stated.program
    (tmp_path / "demand.csv").write_text("node,demand\nNew-York,-1\nChicago,300\nChicago,275\nTopeca,1\n")
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert "data.demand, line 2: -1 is not a number of 0 or more" in str(error.value)
    assert "data.demand, line 4: Chicago comes twice" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Topeka: 0.162", "Topeca: 0.162", "there is no demand 'Topeca'; did you mean 'Topeka'?"),
        ("demand.Topeka", "demand.Topeca", "did you mean 'demand.Topeka'?"),
        ("highs_ds", "highs_dss", "did you mean 'highs_ds'?"),
        ("Seattle: 350,", "Seattle: -350,", "-350 must be 0 or greater"),
        ("supply: {Seattle: 350, San-Diego: 600}", "supply: data.supply", "there is no table 'data.supply'"),
        ("transport:", "transports:", "did you mean 'transport'?"),
        (
            "transport:",
            "facility: {sites: {a: {capacity: 1, fixed: 1}}, demand: {b: 1}, cost: {a: {b: 1}}}\n      transport:",
            "exactly one of transport, facility, linear",
        ),
    ],
)
def test_a_mistake_says_what_is_wanted(tmp_path, old, new, message):
    assert old in DANTZIG
    with pytest.raises(ConfigError) as error:
        load(tmp_path, DANTZIG.replace(old, new))
    assert message in str(error.value)
