"""A network beside its baselines: what is held out stays out, what is random repeats, and a poor run shows as one."""

import numpy as np
import pandas as pd
import pytest

from phaseflow.config import load_config
from phaseflow.errors import ConfigError, DataError
from phaseflow.models.network import MODEL
from phaseflow.seeds import open_stream
from phaseflow.settings.fits import Fit
from tests.unit.test_discover import make_table, solve_lorenz


def fit(table, seed=1, **more):
    settings = {"network": {"layers": [16, 16]}, "inputs": ["x", "y", "z"], "horizon": "0.04", "to": "simulate.a", **more}
    return MODEL.fit(Fit.model_validate(settings), table, "source", open_stream(seed, 7))


@pytest.fixture(scope="module")
def table():
    return make_table(*solve_lorenz(40, 1_000))


@pytest.fixture(scope="module")
def compared(table):
    return fit(table, sweep={"solver": ["lbfgs", "adam", "sgd"]})


def test_every_solver_stands_beside_the_baselines_and_beats_them_on_lorenz(compared):
    terms = compared.terms.set_index("term")
    assert list(terms.index) == ["persistence", "linear", "lbfgs", "adam", "sgd"]
    # Lorenz is nonlinear: one step of 0.04 is not a linear map, and even a poor network learns more than one.
    assert (terms.loc[["lbfgs", "adam", "sgd"], "estimate"] < 0.2 * terms.loc["linear", "estimate"]).all()
    assert terms.loc["linear", "estimate"] < terms.loc["persistence", "estimate"]
    assert terms.loc["persistence", "skill"] == 0
    assert (terms["ci_low"] < terms["estimate"]).all()
    assert (terms["ci_high"] > terms["estimate"]).all()
    assert compared.statistics["horizon_steps"] == 1


def test_persistence_has_the_error_that_the_data_say(table, compared):
    values = table[["x", "y", "z"]].to_numpy()
    spread = values[:800].std(axis=0)
    error = np.sqrt((((values[801:] - values[800:-1]) / spread) ** 2).mean())
    assert compared.terms["estimate"][0] == pytest.approx(error, rel=1e-12)


def test_the_same_seed_gives_the_same_bits_and_a_solver_more_changes_none(table, compared):
    again = fit(table, sweep={"solver": ["adam"]})
    columns = ["estimate", "std_error", "iterations"]
    assert again.terms.set_index("term").loc["adam", columns].equals(compared.terms.set_index("term").loc["adam", columns])
    assert fit(table, seed=2, sweep={"solver": ["adam"]}).terms["estimate"][2] != again.terms["estimate"][2]


def test_the_held_out_part_is_seen_by_no_one(table):
    settings = {"sweep": {"solver": ["adam"]}}
    changed = table.copy()
    changed.loc[900:, ["x", "y", "z"]] *= 100
    one, other = fit(table, **settings), fit(changed, **settings)
    for term in ("linear", "adam"):
        first, second = (found.rows[(found.rows["term"] == term) & (found.rows["t"] < 900 * 40 / 999)] for found in (one, other))
        assert first["predicted"].equals(second["predicted"])


def test_a_solver_that_was_stopped_says_so(table):
    found = fit(table, network={"layers": [4], "max_steps": 3}, sweep={"solver": ["adam", "lbfgs"]}).terms.set_index("term")
    assert not found.loc[["adam", "lbfgs"], "converged"].any()
    assert found.loc["adam", "iterations"] == 3


def test_a_linear_map_is_left_to_linear_autoregression():
    times = np.arange(300) * 0.1
    found = fit(make_table(times, np.stack([np.sin(times), np.cos(times)], axis=1), "xy"), inputs=["x", "y"], horizon="0.3")
    # A rotation is linear: least squares has it to rounding.
    assert found.terms.set_index("term").loc["linear", "estimate"] < 1e-12
    assert found.statistics["best"] == "linear"
    assert found.statistics["horizon_steps"] == 3


def test_members_are_never_joined(table):
    both = pd.concat([table, table.assign(member=5)])
    assert len(fit(both, sweep={"solver": ["adam"]}, network={"layers": [2], "max_steps": 2}).rows) == 2 * 199 * 3 * 3


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (lambda t: t, {"horizon": "0.05"}, "so 0.05 is no whole number of steps; take 0.04004"),
        (lambda t: t.head(60), {}, "11 held-out predictions are too few"),
        (lambda t: t.assign(x=1.0), {}, "column 'x': the state does not vary in the training part"),
        (lambda t: t.drop(columns="z"), {}, "source has no column 'z'"),
    ],
)
def test_tables_that_cannot_be_used_are_named(table, change, settings, message):
    with pytest.raises(DataError) as caught:
        fit(change(table), **settings)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "network: {layers: [4]}, horizon: 1, sweep: {solver: [adm]}",
            "sweep.solver: there is no solver 'adm'; did you mean 'adam'?",
        ),
        ("network: {layers: [4]}, horizon: 1, sweep: {layers: [4]}", "'layers' cannot be swept"),
        ("network: {layers: [4]}, horizon: 1, sweep: {solver: [1]}", "'1' is not a name"),
        ("network: {layers: []}, horizon: 1", "fit.f.network.layers"),
        ("network: {layers: [4]}", "network needs horizon beside it"),
        ("network: {layers: [4]}, horizon: 1, inputs: [w]", "simulate.a has no column 'w'"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path, entry, message):
    text = f"simulate: {{a: {{system: lorenz63, time: {{stop: 1, samples: 9}}}}}}\nfit: {{f: {{{entry}, to: simulate.a}}}}\n"
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.yaml")
    assert message in str(caught.value)
