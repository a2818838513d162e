"""The Taylor map against the adaptive engine, higher precision and closed forms; what it does where it would not be safe."""

from dataclasses import replace

import numpy as np
import pytest

from phaseflow.catalogues import Catalogue
from phaseflow.certificates import find_horizon
from phaseflow.engines import start_trajectories
from phaseflow.engines.taylor import BATCH
from phaseflow.engines.taylor import integrate as integrate_adaptively
from phaseflow.engines.taylor_map import ENGINE, Plan, find_ratio, follow, integrate, plan_steps
from phaseflow.plugins import load_plugin
from phaseflow.settings.methods import Solver
from tests.unit.tasks import make_task, resolve, simulate


def make(system, times, **options):
    return make_task(system, times, method="taylor_map", **options)


def run_adaptively(task, tolerance=None):
    solver = task.solver if tolerance is None else task.solver.with_values({"tolerance": tolerance})
    return integrate_adaptively(replace(task, solver=solver.model_copy(update={"method": "taylor"})))


def test_lorenz63_agrees_with_the_published_digits():
    result = integrate(make("lorenz63", np.linspace(0, 20, 501)))
    # Digits from two runs at 100 and 120 digits that agree.
    assert np.abs(result.samples[0, 250] - [-4.9026875411346457, -3.7438729218029196, 24.6908581027905554]).max() < 1e-11
    assert np.abs(result.samples[0, 500] - [13.7931995951286188, 12.9518039361898985, 34.9016086811351429]).max() < 1e-8
    assert result.engine.tolist() == ["taylor_map"]


@pytest.mark.parametrize(("order", "steps"), [(3, 160), (4, 160), (5, 80), (6, 80)])
def test_the_error_falls_with_the_order_of_the_series(order, steps):
    task = make({"equations": {"x": "sin(x*t) + 0.3"}, "initial": {"x": 2}}, [0, 4])
    truth = run_adaptively(task, 1e-16).samples[0, -1]
    errors = []
    for number in (steps, 2 * steps):
        result = start_trajectories(task)
        follow(task, Plan(order, number, 0), result)
        errors.append(np.abs(result.samples[0, -1] - truth).max())
    # Errors of a few hundred units of rounding or more, not yet small enough for the next order to be nothing.
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3)


@pytest.mark.parametrize("name", ["lorenz63", "kepler", "van_der_pol", "driven_pendulum", "selkov"])
def test_a_tail_of_at_most_one_means_an_error_of_at_most_the_tolerance(name):
    tolerance, order = 1e-8, 11
    starts = run_adaptively(make(name, np.linspace(0, 12, 65))).samples[0]
    for step in np.geomspace(0.01, 1.0, 15):
        task = make(name, [0, step], members=len(starts), tolerance=tolerance)
        task.initial[:] = starts
        result = start_trajectories(task)
        tail = follow(task, Plan(order, 1, 0), result)
        truth = run_adaptively(task, 1e-16).samples[:, -1]
        error = np.abs(result.samples[:, -1] - truth).max(axis=1) / np.maximum(1, np.abs(starts).max(axis=1))
        assert (error[tail <= 1] <= tolerance).all()
        if step < 0.012:
            assert (tail <= 1).all()
    assert (tail > 1).any()


def test_the_terms_of_a_geometric_series_above_the_order_sum_to_the_tolerance():
    for order, tolerance in ((3, 0.1), (15, 1e-12), (20, 1e-16)):
        ratio = find_ratio(order, tolerance)
        assert ratio ** (order + 1) / (1 - ratio) == pytest.approx(tolerance, rel=1e-10)


def test_the_harmonic_oscillator_returns_to_its_start():
    times = np.linspace(0, 20 * np.pi, 101)
    result = integrate(make({"equations": {"q": "p", "p": "-q"}, "initial": {"q": 1, "p": 0}}, times, tolerance=1e-15))
    # A hundred steps, each rounded in the last place of two terms or three.
    assert np.abs(result.samples[0, :, 0] - np.cos(times)).max() < 100 * 3 * np.finfo(float).eps


def test_time_and_transient_are_on_the_clock_of_the_trajectory():
    times = np.linspace(3, 9, 13)
    task = make({"equations": {"x": "cos(t)"}, "initial": {"x": 0}}, times, tolerance=1e-15)
    assert integrate(task).samples[0, :, 0] == pytest.approx(np.sin(times) - np.sin(3), abs=1e-14)
    after = integrate(replace(task, transient=2.0))
    assert after.samples[0, :, 0] == pytest.approx(np.sin(times) - np.sin(1), abs=1e-14)
    assert after.engine.tolist() == ["taylor_map"]


@pytest.mark.parametrize("n_members", [1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH, 2200])
def test_a_member_is_the_same_in_any_company(n_members):
    task = make("lorenz63", np.linspace(0, 15, 61), transient=1.0, members=n_members)
    task.parameters[1:, list(task.system.parameters).index("rho")] = np.linspace(20, 35, n_members - 1)
    together, alone = integrate(task), integrate(task.select(np.array([0])))
    assert np.array_equal(together.samples[0], alone.samples[0])
    assert together.details["taylor_tail"][0] == alone.details["taylor_tail"][0]
    last = integrate(task.select(np.array([n_members - 1])))
    assert np.array_equal(together.samples[-1], last.samples[0])


def test_a_member_for_which_the_steps_are_too_long_is_integrated_by_the_adaptive_method():
    task = make("lorenz63", np.linspace(0, 5, 126), members=3, parameters={"rho": [28.0, 250.0, 28.5]})
    result, adaptive = integrate(task), run_adaptively(task)
    assert result.engine.tolist() == ["taylor_map", "taylor", "taylor_map"]
    assert np.array_equal(result.samples[1], adaptive.samples[1])
    assert result.steps[1] == adaptive.steps[1]
    tail = result.details["taylor_tail"]
    assert tail[1] > 1 > max(tail[0], tail[2])
    # What the others are does not depend on it.
    alone = integrate(task.select(np.array([0, 2])))
    assert np.array_equal(result.samples[[0, 2]], alone.samples)


def test_a_member_that_blows_up_harms_no_other():
    system = {"equations": {"x": "a*x**2 + 0.1*cos(x)"}, "parameters": {"a": -1}, "initial": {"x": 1}}
    rates = np.array([-1.0, 4.0, -1.2, -0.9, 5.0])
    task = make(system, np.linspace(0, 2, 41), members=5, parameters={"a": rates}, max_steps=2000)
    result, alone = integrate(task), integrate(task.select(np.flatnonzero(rates < 0)))
    assert (result.status == "ok").tolist() == [True, False, True, True, False]
    assert result.engine.tolist() == ["taylor_map", "taylor", "taylor_map", "taylor_map", "taylor"]
    assert np.array_equal(result.samples[rates < 0], alone.samples)
    assert np.isnan(result.samples[1, -1]).all()


def test_where_the_nominal_problem_cannot_be_solved_all_members_are_integrated_by_the_adaptive_method():
    system = {"equations": {"x": "a*x**2"}, "parameters": {"a": 1}, "initial": {"x": 1}}
    task = make(system, np.linspace(0, 2, 5), members=2, parameters={"a": [-1.0, 1.0]})
    result = integrate(task)
    assert plan_steps(task) is None
    assert result.engine.tolist() == ["taylor", "taylor"]
    assert result.status.tolist() == ["ok", "not_finite"]
    assert np.isnan(result.details["taylor_tail"]).all()


def test_more_steps_than_allowed_are_not_planned():
    task = make("lorenz63", np.linspace(0, 5, 126), max_steps=200)
    assert plan_steps(task) is None
    assert integrate(task).status.tolist() == ["ok"]  # the adaptive method needs fewer


def test_the_plan_depends_on_the_nominal_problem_alone():
    task = make("lorenz63", np.linspace(0, 5, 126), members=2, parameters={"rho": [28.0, 250.0]})
    task.initial[:] += 1
    assert plan_steps(task) == plan_steps(make("lorenz63", np.linspace(0, 5, 126)))


SMOOTH = [name for name in Catalogue() if not Catalogue()[name].noise and name not in {"pollution", "hires", "robertson"}]


@pytest.mark.parametrize("name", SMOOTH)
def test_systems_of_the_catalogue_agree_with_the_adaptive_method(name):
    """All but the stiff ones: errors of at most the tolerance a step, which grow as those of the adaptive run do."""
    tolerance = 1e-8
    task = make(Catalogue()[name].expand(), np.linspace(0, 2, 21), tolerance=tolerance)
    result, truth = integrate(task), run_adaptively(task, 1e-15).samples
    error, adaptive = (np.abs(found.samples - truth).max() for found in (result, run_adaptively(task)))
    assert result.status.tolist() == ["ok"]
    assert error <= 10 * adaptive + result.steps[0] * tolerance * np.abs(truth).max()


@pytest.mark.parametrize("method", ["reference", "estimate"])
def test_a_horizon_is_that_of_the_samples_themselves(method):
    task = make("lorenz63", np.linspace(0, 60, 1501))
    outcome = integrate(task)
    horizon = find_horizon(load_plugin("certificates", method), task, ENGINE, 1e-3, outcome)
    # As for the adaptive method, whose error at t = 20 is about as large.
    assert 30 < horizon.until[0] < 46
    assert horizon.until[0] in task.times
    assert not horizon.is_censored[0]


SCENARIO = {"system": "lorenz63", "time": {"stop": 2, "samples": 51}, "solver": {"method": "taylor_map"}}


def test_the_tables_say_which_engine_in_which_steps_and_how_safe(tmp_path):
    members, _ = simulate(tmp_path, SCENARIO | {"sweep": {"rho": [28, 250]}})
    assert members["engine"].tolist() == ["taylor_map", "taylor"]
    assert members["taylor_order"].min() >= 15
    assert members["steps"][0] == members["taylor_steps"][0] * 50
    assert members["taylor_tail"][0] < 1 < members["taylor_tail"][1]
    assert members["reliable_until"].tolist() == [2, 2]


def test_a_chunk_depends_on_the_nominal_values_only_where_they_plan_the_steps():
    def name(rho, method):
        settings = SCENARIO | {"solver": {"method": method}, "parameters": {"rho": rho}, "sweep": {"rho": [20, 30]}}
        return resolve(settings).list_chunk_settings()

    assert name(28, "taylor") == name(29, "taylor")
    assert name(28, "taylor_map") != name(29, "taylor_map")


def test_the_default_certificate_is_that_of_the_adaptive_method():
    assert resolve(SCENARIO).certify.method == "reference"
    assert resolve(SCENARIO | {"ensemble": {"members": 1000}}).certify.method == "estimate"
    assert Solver.model_validate({"method": "taylor_map"}).method == "taylor_map"


def test_the_tables_do_not_depend_on_how_a_chunk_is_cut(tmp_path, monkeypatch):
    settings = SCENARIO | {"ensemble": {"members": 40, "perturb": {"x": 0.1}}, "certify": "none"}
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole = simulate(tmp_path / "whole", settings)
    monkeypatch.setattr("phaseflow.ensemble._SLICE_VALUES", 3 * 51 * 5)
    cut = simulate(tmp_path / "cut", settings)
    for one, other in zip(whole, cut, strict=True):
        assert one.equals(other)
    assert (tmp_path / "whole" / "0.members").read_bytes() == (tmp_path / "cut" / "0.members").read_bytes()
