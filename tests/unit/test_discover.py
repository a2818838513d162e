"""Equations discovered: the true terms and coefficients of known systems, and what is said where they cannot be had."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

from phaseflow.catalogues import Catalogue
from phaseflow.config import load_config
from phaseflow.dynamics.libraries import list_features
from phaseflow.errors import ConfigError, DataError
from phaseflow.expressions.arrays import evaluate
from phaseflow.models._weak_form import build_weak_form
from phaseflow.models.discover import MODEL
from phaseflow.seeds import open_stream
from phaseflow.settings.fits import Fit, Library
from phaseflow.settings.systems import System

SEVEN = ["x' : x", "x' : y", "y' : x", "y' : y", "y' : x*z", "z' : z", "z' : x*y"]


def solve_lorenz(stop, n, initial=(1, 1, 1)):
    def slope(_t, u):
        return 10 * (u[1] - u[0]), u[0] * (28 - u[2]) - u[1], u[0] * u[1] - 8 / 3 * u[2]

    times = np.linspace(0, stop, n)
    return times, solve_ivp(slope, (0, stop), initial, method="DOP853", rtol=1e-13, atol=1e-13, t_eval=times).y.T


def make_table(times, values, names="xyz", member=0):
    return pd.DataFrame(values, columns=list(names)).assign(member=member, t=times)


def solve(system, stop, n):
    parameters = {key: quantity.value for key, quantity in system.parameters.items()}

    def slope(_t, state):
        values = parameters | dict(zip(system.equations, state, strict=True))
        return [float(evaluate(formula.tree, values)) for formula in system.equations.values()]

    times = np.linspace(0, stop, n)
    initial = [quantity.value for quantity in system.initial.values()]
    return times, solve_ivp(slope, (0, stop), initial, method="DOP853", rtol=1e-12, atol=1e-12, t_eval=times).y.T


def fit(table, truth="lorenz63", noise=0, seed=0, **discover):
    settings = {"discover": discover, "to": "simulate.a", "noise": noise}
    if truth:
        system = Catalogue()[truth] if isinstance(truth, str) else truth
        settings["truth"] = system.model_dump(mode="json", exclude_none=True)
    return MODEL.fit(Fit.model_validate(settings), table, "source", open_stream(seed, 1))


@pytest.fixture(scope="module")
def coarse():
    """The tour's trajectory: t from 0 to 40 in 1,000 samples."""
    return make_table(*solve_lorenz(40, 1_000))


@pytest.fixture(scope="module")
def fine():
    """Ten time units at dt 0.01."""
    return make_table(*solve_lorenz(10, 1_001))


# The data are right to about 1e-11, the refinement's integrator to 1e-9 of each step.
@pytest.mark.parametrize("name", ["coarse", "fine"])
def test_lorenz_is_found_with_its_seven_terms(name, request):
    found = fit(request.getfixturevalue(name))
    assert found.terms["term"].tolist() == SEVEN
    assert (found.terms["standing"] == "found").all()
    assert found.terms["decided"].all()
    assert found.terms["relative_error"].max() < 1e-8
    assert found.statistics["terms_missing"] == found.statistics["terms_false"] == 0
    # Errors of 1e-9 of a step grow e-fold each Lyapunov time: to 0.4 after about 20.
    assert found.statistics["valid_time_unit"] == "Lyapunov times"
    assert found.statistics["valid_time"] > 15


@pytest.mark.parametrize("name", ["coarse", "fine"])
def test_the_weak_form_alone_is_right_to_seven_digits_without_noise(name, request):
    found = fit(request.getfixturevalue(name), refine=False, ensemble=0)
    assert found.terms["term"].tolist() == SEVEN
    assert found.terms["relative_error"].max() < 1e-6


@pytest.mark.parametrize("is_settled", [False, True])
def test_five_per_cent_of_noise_leaves_the_terms_and_moves_coefficients_by_per_cents(is_settled):
    """20 of 20 seeds do so from either start: benchmarks/discovery.py."""
    start = solve_lorenz(30, 3)[1][-1] if is_settled else (1, 1, 1)
    found = fit(make_table(*solve_lorenz(10, 1_001, start)), noise=0.05, ensemble=10)
    assert found.terms["term"].tolist() == SEVEN
    assert found.terms["relative_error"].max() < 0.05
    # 1,001 residuals: their size is known to 1/sqrt(2002) = 2 %, so four of these are 0.005.
    assert all(abs(size - 0.05) < 0.005 for size in found.statistics["noise_found"].values())
    assert (found.terms["truth"].between(found.terms["ci_low"], found.terms["ci_high"])).sum() >= 5


@pytest.mark.parametrize(("name", "degree", "stop"), [("lotka_volterra", 2, 40), ("van_der_pol", 3, 20), ("rossler", 2, 60)])
@pytest.mark.parametrize("noise", [0, 0.05])
def test_other_systems_are_found_too(name, degree, stop, noise):
    system = Catalogue()[name]
    found = fit(make_table(*solve(system, stop, 1_001), system.equations), name, noise, library={"polynomial": degree}, ensemble=2)
    assert (found.terms["standing"] == "found").all(), found.terms
    assert found.terms["relative_error"].max() < (0.02 if noise else 1e-7)


def test_a_library_may_have_sines_and_terms_of_the_users_own():
    system = System.model_validate(
        {"equations": {"q": "p", "p": "-sin(q) - p/(10*(1 + p**2))"}, "initial": {"q": 2, "p": 0.5}, "parameters": {}}
    )
    library = {"polynomial": 1, "fourier": 2, "terms": ["p/(1 + p**2)"]}
    found = fit(make_table(*solve(system, 30, 601), "qp"), system, library=library, ensemble=0)
    waves = [f"{wave}({inside})" for state in "qp" for inside in (state, f"2*{state}") for wave in ("sin", "cos")]
    assert found.statistics["library"] == ["1", "q", "p", *waves, "p/(1 + p**2)"]
    assert found.terms[["term", "standing"]].to_numpy().tolist() == [
        [name, "found"] for name in ("q' : p", "p' : sin(q)", "p' : p/(1 + p**2)")
    ]
    assert found.terms["estimate"].tolist() == pytest.approx([1, -1, -0.1], rel=1e-6)


def test_terms_that_the_data_cannot_tell_apart_are_undecided():
    # Swings of a tenth of a radian under 10 % of noise: sin(q) and q differ by a thousandth of themselves.
    system = System.model_validate({"equations": {"q": "p", "p": "-sin(q)"}, "initial": {"q": 0.1, "p": 0}})
    found = fit(make_table(*solve(system, 30, 601), "qp"), system, 0.1, library={"polynomial": 1, "terms": ["sin(q)"]}, ensemble=0)
    assert {"p' : q", "p' : sin(q)"} <= set(found.statistics["undecided"])
    assert not found.terms.set_index("term").loc[["p' : q", "p' : sin(q)"], "decided"].any()


@pytest.mark.parametrize("name", ["ssr", "lasso"])
def test_optimizers_that_drop_terms_find_the_seven(fine, name):
    found = fit(fine, optimizers=[name], refine=False, ensemble=5)
    assert found.terms["term"].tolist() == SEVEN
    assert found.statistics["optimizer"] == name
    assert (found.terms["inclusion"] == 1).all()


def test_a_term_that_was_added_too_early_is_dropped_by_the_refinement(fine):
    # Of all terms y**2 alone is most like z', but beside x*y and z it is not wanted.
    assert "z' : y**2" in fit(fine, optimizers=["frols"], refine=False, ensemble=0).terms["term"].tolist()
    assert fit(fine, optimizers=["frols"], ensemble=0).terms["term"].tolist() == SEVEN


def test_the_best_proposal_of_all_optimizers_is_taken(fine):
    found = fit(fine, optimizers=["lasso", "stlsq"], noise=0.02, refine=False, ensemble=0)
    assert set(found.rows["optimizer"]) == {"lasso", "stlsq"}
    chosen = found.rows[found.rows["is_chosen"]]
    assert chosen["optimizer"].tolist() == [found.statistics["optimizer"]]
    assert found.statistics["strength"] == chosen["strength"].item()


def test_noise_is_drawn_from_the_seed_and_of_the_size_asked_for(fine):
    one, again, other = (fit(fine, noise=0.03, seed=seed, refine=False, ensemble=0).terms["estimate"] for seed in (1, 1, 2))
    assert one.equals(again)
    assert not one.equals(other)


def test_a_term_is_included_as_often_as_chance_lets_it(fine):
    found = fit(fine, refine=False, ensemble=20, threshold=0.01)
    assert (found.terms["inclusion"] == 1).all()


def test_members_are_fitted_together_and_no_window_spans_two():
    parts = [make_table(*solve_lorenz(8, 401, initial), member=member) for member, initial in ((7, (1, 1, 1)), (3, (-5, 2, 20)))]
    found = fit(pd.concat(parts), ensemble=0)
    assert found.terms["term"].tolist() == SEVEN
    assert found.statistics["members"] == 2
    assert found.terms["relative_error"].max() < 1e-8


def test_a_true_term_that_is_dropped_and_a_false_one_both_show(fine):
    # y contributes about 0.1 of y', so a threshold of 0.5 drops it; the truth of another system makes all others false.
    found = fit(fine, threshold=0.5, refine=False, ensemble=0).terms.set_index("term")
    assert found.loc["y' : y", "standing"] == "missing"
    assert found.loc["y' : y", ["estimate", "truth"]].tolist() == [0, -1]
    other = fit(fine, "rossler", refine=False, ensemble=0)
    assert other.statistics["terms_false"] > 0
    assert {"missing", "false"} <= set(other.terms["standing"])
    # The constant of the third equation of Roessler's system, in the order of the library.
    assert other.terms[other.terms["equation"] == "z"]["feature"].tolist()[0] == "1"


def test_without_a_truth_no_error_is_claimed(fine):
    found = fit(fine, None, refine=False, ensemble=0)
    assert found.terms["truth"].isna().all()
    assert (found.terms["standing"] == "unknown").all()
    assert found.statistics["is_truth_known"] is False


def test_the_weak_form_is_exact_for_a_sine():
    times = np.linspace(0, 20, 501)
    weak = build_weak_form(
        [np.stack([np.sin(3 * times), np.cos(3 * times)], axis=1)], 0.04, list_features(Library(polynomial=1), ["s", "c"]), 16
    )
    # Aliasing of a test function with seven derivatives, beyond a frequency of 2*pi/0.04, is below 1e-10 of it.
    np.testing.assert_allclose(weak.slopes[:, 0], 3 * weak.features[:, 2], atol=1e-9)
    np.testing.assert_allclose(weak.features[:, 0], 1, rtol=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(t=t["t"] ** 2), "source, column 't': the times must rise in even steps"),
        (lambda t: t.assign(x=1.0), "source: the terms"),
        (lambda t: t.head(60), "60 samples are too few for a window of 16"),
        (lambda t: t.drop(columns="t"), "source has no column 't'"),
        (lambda t: t.assign(y=np.where(t["t"] > 5, np.nan, t["y"])), "column 'y' has no finite value in 500 rows, first in row 502"),
        (lambda t: t.assign(y="no"), "column 'y' does not hold numbers: row 1 has 'no'"),
    ],
)
def test_tables_that_cannot_be_used_are_named(fine, change, message):
    with pytest.raises(DataError) as caught:
        fit(change(fine), refine=False, ensemble=0)
    assert message in str(caught.value) or "column 'x': the state does not vary" in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "scenario", "message"),
    [
        ("discover: {}", "time: {stop: 1}", "fit.f.to: simulate.a keeps no trajectories"),
        ("discover: {}", "time: {stop: 1, samples: 9}, sweep: {rho: [1, 2]}", "the members of simulate.a differ in rho"),
        ("discover: {}, inputs: [x, w]", "time: {stop: 1, samples: 9}", "fit.f.inputs: simulate.a has no column 'w'"),
        ("discover: {}, truth: lorens63", "time: {stop: 1, samples: 9}", "did you mean 'lorenz63'?"),
        (
            "discover: {library: {terms: [sin(w)]}}",
            "time: {stop: 1, samples: 9}",
            "terms[0]: 'sin(w)' needs 'w', which is no state of simulate.a",
        ),
        ("discover: {}, noise: -1", "time: {stop: 1, samples: 9}", "-1 must be 0 or greater"),
        ("discover: {threshold: 0.1, optimizers: [ssr]}", "time: {stop: 1, samples: 9}", "a threshold is of the optimizer stlsq alone"),
        ("discover: {optimizers: [sr4]}", "time: {stop: 1, samples: 9}", "fit.f.discover.optimizers[0]"),
        ("discover: {threshold: 0}", "time: {stop: 1, samples: 9}", "0 must be greater than 0"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path, entry, scenario, message):
    (tmp_path / "c.yaml").write_text(f"simulate: {{a: {{system: lorenz63, {scenario}}}}}\nfit: {{f: {{{entry}, to: simulate.a}}}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.yaml")
    assert message in str(caught.value)


def test_the_truth_is_the_scenarios_own_system(tmp_path):
    text = (
        "simulate: {a: {system: lorenz63, parameters: {rho: 20}, time: {stop: 1, samples: 9}}}\nfit: {f: {discover: {}, to: simulate.a}}\n"
    )
    (tmp_path / "c.yaml").write_text(text)
    assert load_config(tmp_path / "c.yaml").fits["f"].truth.parameters["rho"].value == 20
