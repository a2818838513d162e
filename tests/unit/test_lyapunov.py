"""Lyapunov exponents against closed forms and published values."""

import numpy as np
import pytest

from phaseflow.dynamics.cycles import find_cycle
from phaseflow.dynamics.fields import make_field
from phaseflow.dynamics.variational import Flow
from phaseflow.engines import start_trajectories
from phaseflow.engines.taylor import BATCH
from phaseflow.measures import lyapunov
from phaseflow.measures._tangents import _compile_renormalisation, _renormalise
from phaseflow.measures.lyapunov import MEASURE, find_dimension, find_power
from tests.unit.tasks import integrate, make_task

HOPF = {
    "equations": {"x": "mu*x - 3*y - x*(x**2 + y**2)", "y": "3*x + mu*y - y*(x**2 + y**2)", "z": "c*z"},
    "parameters": {"mu": 0.5, "c": -4},
    "initial": {"x": 1.5, "y": 0, "z": 1},
}
DRIVEN = {"equations": {"x": "-50*x + y", "y": "-300*y", "z": "0.1*sin(t) - z"}, "initial": {"x": 1, "y": 1, "z": 1}}


def measure(which, task):
    return MEASURE.measure(which, task, integrate(task)).columns


def read(found, member=0):
    """Return the exponents of a member and their errors."""
    places = [place for place in range(1, 10) if f"lyapunov_{place}" in found]
    return tuple(np.array([found[f"lyapunov_{place}{end}"][member] for place in places]) for end in ("", "_se"))


def test_a_linear_system_has_the_real_parts_of_its_eigenvalues():
    system = {"equations": {"x": "-x + 2*y", "y": "-2*x - y", "z": "-3*z"}, "initial": {"x": 1, "y": 0, "z": 1}}
    found = measure("all", make_task(system, [0, 50]))
    # By exp(-50) the state is at the origin, and the exponents are those of the fixed point.
    assert read(found)[0] == pytest.approx([-1, -1, -3], abs=1e-14)
    assert found["lyapunov_from"][0] == "fixed_point"
    assert found["trace_error"][0] < 1e-14
    assert found["kaplan_yorke"][0] == 0


def test_lorenz63_has_the_published_spectrum():
    found = measure("all", make_task("lorenz63", [0, 2000], transient=50))
    # Sprott (2003): 0.9056, 0, -14.5723; a run of T = 2,000 has a standard error of about 0.01.
    for place, truth in enumerate((0.9056, 0.0, -14.5723), 1):
        assert abs(found[f"lyapunov_{place}"][0] - truth) < 4 * max(found[f"lyapunov_{place}_se"][0], 1e-3)
    assert found["lyapunov_1_se"][0] < 0.03
    # The divergence of the field is constant: -(sigma + 1 + beta) = -41/3.
    assert sum(found[f"lyapunov_{place}"][0] for place in (1, 2, 3)) == pytest.approx(-41 / 3, abs=1e-9)
    # 2 + 0.9056/14.5723.
    assert abs(found["kaplan_yorke"][0] - 2.06215) < 4 * found["kaplan_yorke_se"][0] < 0.01


def test_a_long_run_of_lorenz63_has_three_digits_and_says_so():
    found = measure("all", make_task("lorenz63", [0, 10_000], transient=50))
    errors = [found[f"lyapunov_{place}_se"][0] for place in (1, 2, 3)]
    assert max(errors) <= 0.004
    for place, truth in enumerate((0.9056, 0.0, -14.5723), 1):
        assert abs(found[f"lyapunov_{place}"][0] - truth) < 3 * errors[place - 1]
    assert found["trace_error"][0] < 1e-9


def test_intervals_are_short_enough_for_fast_exponents():
    """Over a quarter of a time unit exp(-300 t) is lost in rounding; the sum of the exponents gives it away."""
    found = measure("all", make_task(DRIVEN, [0, 50], transient=5))
    assert read(found)[0] == pytest.approx([-1, -50, -300], abs=1e-8)
    assert found["trace_error"][0] < 1e-9 + 351e-11


def test_the_largest_exponent_is_found_where_equations_decouple():
    """Tangents that begin along the axes would never leave the first equation's own."""
    rates, errors = read(measure("largest", make_task(DRIVEN, [0, 50], transient=5)))
    assert abs(rates[0] + 1) <= errors[0]


def test_the_error_of_an_average_on_a_cycle_is_a_constant_over_the_time():
    """On a circle that is driven, so that it answers with averages, the exponents are 0 and -2 mu; what is left is at most c/T."""
    system = HOPF | {"equations": HOPF["equations"] | {"z": "c*z + sin(t)"}}
    errors = []
    for stop in (100, 400):
        found = measure("all", make_task(system, [0, stop]))
        rates, error = read(found)
        assert found["lyapunov_from"][0] == "average"
        # The error is just that of the constant, to the integration's own.
        assert (np.abs(rates - [0, -1, -4]) <= error + 1e-9).all()
        errors.append(error[1])
    # The approach to the circle, which the halves see, counts once: its error falls as 1/T.
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)


def test_the_largest_alone_agrees_with_the_spectrum():
    # Before rounding has parted the two runs: their errors of 1e-12 grow by exp(0.9 * 12) = 5e4.
    task = make_task("lorenz63", [0, 10], transient=2)
    assert measure("largest", task)["lyapunov_1"][0] == pytest.approx(measure("all", task)["lyapunov_1"][0], abs=1e-6)


@pytest.mark.parametrize("which", ["all", "largest"])
def test_a_fixed_point_answers_with_its_eigenvalues(which):
    rho = np.array([0.2, 0.5, 10.0, 20.0])
    found = measure(which, make_task("lorenz63", [0, 400], transient=60, members=4, parameters={"rho": rho}))
    assert found["lyapunov_from"].tolist() == ["fixed_point"] * 4
    for member, r in enumerate(rho):
        s, b = 10, 8 / 3
        origin = [-b, *np.roots([1, s + 1, s * (1 - r)])]
        # The fixed points beside the origin: Lorenz (1963), eq. 33.
        truth = origin if r < 1 else np.roots([1, s + b + 1, b * (s + r), 2 * s * b * (r - 1)])
        rates, errors = read(found, member)
        assert rates == pytest.approx(np.sort(np.real(truth))[::-1][: len(rates)], abs=1e-12)
        assert errors.max() < 1e-12


def test_a_cycle_answers_with_its_multipliers():
    task = make_task(HOPF, [0, 100], members=2, parameters={"mu": [0.5, 1.0]})
    for which in ("all", "largest"):
        found = measure(which, task)
        assert found["lyapunov_from"].tolist() == ["cycle", "cycle"]
        for member, mu in enumerate((0.5, 1.0)):
            rates, errors = read(found, member)
            # exp(-4 T) and exp(-2 mu T) at T = 2 pi/3, beside a multiplier of one.
            assert rates == pytest.approx([0, -2 * mu, -4][: len(rates)], abs=1e-10)
            assert rates[0] == 0
            assert errors.max() < 1e-9


@pytest.mark.parametrize("mu", [1.0, 10.0])
def test_van_der_pols_cycle_has_the_multipliers_of_newtons_method(mu):
    task = make_task("van_der_pol", [0, 300], transient=100, parameters={"mu": mu})
    found = measure("all", task)
    rates, errors = read(found)
    assert (found["lyapunov_from"][0], rates[0]) == ("cycle", 0)
    assert found["kaplan_yorke"][0] == 1
    # At mu = 10 the multiplier is exp(-311), which no product of doubles has: the mean divergence knows it.
    flow, start = Flow(make_field(task.system)), np.array([2.0, 0.0])
    cycle = find_cycle(flow, start, {1.0: 6.66, 10.0: 19.08}[mu], task.parameters[0])
    assert rates[1] == pytest.approx(cycle.divergence, abs=1e-10)
    assert errors[1] < 1e-10
    if mu == 1:
        assert rates[1] == pytest.approx(np.log(cycle.others.values[0].real) / cycle.period, abs=1e-11)


def test_lorenz63_has_windows_of_stable_cycles_and_chaos_beside_them():
    rho = np.array([28.0, 100.2, 160.0, 350.0])
    found = measure("all", make_task("lorenz63", [0, 400], transient=50, members=4, parameters={"rho": rho}))
    # Sparrow (1982), The Lorenz Equations, ch. 4: stable cycles at 99.524 - 100.795, 145 - 166 and above 214.364.
    assert found["lyapunov_from"].tolist() == ["average", "cycle", "cycle", "cycle"]
    for member in range(4):
        rates, _ = read(found, member)
        assert rates.sum() == pytest.approx(-41 / 3, abs=1e-9)
        assert (rates[0] == 0) == (member > 0)
        assert found["trace_error"][member] < 2e-9


def test_a_slow_approach_is_not_taken_for_its_end():
    # Near rho = 24.74 the spiral to the fixed point takes thousands of turns; at rho = 1 the origin attracts as 1/sqrt(t).
    task = make_task("lorenz63", [0, 100], members=2, parameters={"rho": [24.6, 1.0]})
    task.initial[0] = [8, 8, 23]
    found = measure("all", task)
    assert found["lyapunov_from"].tolist() == ["average", "average"]


def test_chaos_that_will_end_is_chaos_as_long_as_it_lasts():
    """At rho = 22 every trajectory ends at a fixed point, after chaos of a random length."""
    found = measure("all", make_task("lorenz63", [0, 30], members=2, parameters={"rho": [22.0, 23.5]}))
    assert found["lyapunov_from"].tolist() == ["average", "average"]


def test_a_saddle_is_not_an_attractor():
    """A start on the stable manifold of the origin ends there, but a neighbour would not."""
    task = make_task("lorenz63", [0, 20])
    task.initial[0] = [0, 0, 10]
    found = measure("all", task)
    assert found["lyapunov_from"][0] == "average"
    # The eigenvalue of the origin that drives neighbours away, once the tangents have turned to it.
    assert abs(found["lyapunov_1"][0] - (-11 + np.sqrt(121 + 40 * 27)) / 2) <= found["lyapunov_1_se"][0] + 1e-9


def test_a_hamiltonian_system_has_exponents_in_pairs():
    found = measure("all", make_task("henon_heiles", [0, 1000]))
    rates, errors = read(found)
    # Each exponent has its opposite; tangents that begin anywhere show that up to c/T.
    assert (np.abs(rates + rates[::-1]) <= errors + errors[::-1]).all()
    assert found["lyapunov_from"][0] == "average"
    assert found["trace_error"][0] < 1e-12
    # The motion along the flow and across the surface of constant energy.
    assert (np.abs(rates[1:3]) <= 3 * errors[1:3]).all()


def test_an_exponent_of_zero_has_an_error_above_rounding():
    rates, errors = read(measure("all", make_task({"equations": {"q": "p", "p": "-q"}, "initial": {"q": 1, "p": 0}}, [0, 500])))
    assert (np.abs(rates) <= errors).all()
    assert errors.max() < 1e-11


def test_a_large_state_does_not_drown_the_tangents():
    """In other units of the state the exponents are the same: the tangents are as much longer."""
    system = {"equations": {name: f"{slope}" for name, slope in
              (("x", "10*(y - x)"), ("y", "x*(28 - z/k) - y"), ("z", "x*y/k - 8/3*z"))},
              "parameters": {"k": 2**30}, "initial": {"x": 2**30, "y": 2**30, "z": 2**30}}  # fmt: skip
    found = measure("all", make_task(system, [0, 100], transient=10))
    assert found["trace_error"][0] < 1e-9
    assert found["lyapunov_1"][0] == pytest.approx(0.9, abs=0.2)


def test_a_member_that_failed_has_no_exponent_and_harms_no_other():
    system = {"equations": {"x": "a*x**2 - x"}, "parameters": {"a": 0}, "initial": {"x": 1}}
    task = make_task(system, [0, 20], members=3, parameters={"a": [0.0, 2.0, 0.0]})
    found = measure("largest", task)
    assert found["lyapunov_1"][[0, 2]] == pytest.approx([-1, -1], abs=1e-14)
    assert np.isnan(found["lyapunov_1"][1])
    assert found["lyapunov_from"].tolist() == ["fixed_point", None, "fixed_point"]


@pytest.mark.parametrize("which", ["all", "largest"])
def test_an_exponent_does_not_depend_on_company(which):
    rho = np.array([1.0, 10.0, 20.0, 24.1, 28.0, 35.0, 40.0, 45.0, 90.0, 160.0, 220.0])
    together = measure(which, make_task("lorenz63", [0, 60], members=11, parameters={"rho": rho}))
    for member in (1, 4, 9):
        alone = measure(which, make_task("lorenz63", [0, 60], parameters={"rho": rho[member]}))
        for name, values in alone.items():
            assert together[name][member] == values[0]


def test_a_member_whose_tangents_alone_run_away_has_no_exponent():
    """Where the engine had to be told nothing, the tangents are: exp(800) is no double."""
    system = {"equations": {"x": "a*x*(1 - tanh(1e3*(x - 1)))", "y": "y*0"}, "parameters": {"a": 0}, "initial": {"x": 1, "y": 0}}
    task = make_task(system, [0, 10], members=2, parameters={"a": [0.0, 1e308]})
    found = MEASURE.measure("largest", task, start_trajectories(task)).columns
    assert np.isfinite(found["lyapunov_1"][0])
    assert np.isnan(found["lyapunov_1"][1])


def test_a_run_is_repeated_only_while_that_halves_the_error(monkeypatch):
    errors = {0: [1e-3, 0.9e-3], 1: [1e-3, 1e-4, 1e-10], 2: [1e-12], 3: [1e-3, 2e-3], 4: [1, 0.1, 0.01, 1e-3, 1e-4]}
    calls = []

    def average(run, members, interval, tolerance):
        calls.append((members.tolist(), interval, tolerance))
        for member in members:
            found = errors[member].pop(0)
            run.rates[member] = 0.0
            if not run.trace_error[member] <= found:
                run.trace_error[member] = found

    monkeypatch.setattr(lyapunov._Run, "_average", average)
    monkeypatch.setattr(lyapunov._Run, "_choose_intervals", lambda _run, members: np.ones(len(members)))
    run = lyapunov._Run(make_task("lorenz63", [0, 1], members=5), 3)
    run.average(np.arange(5))
    assert [members for members, *_ in calls] == [[0, 1, 2, 3, 4], [0, 1, 3, 4], [1, 4], [4], [4]]
    assert [interval for _, interval, _ in calls] == [4.0**-k for k in range(5)]
    assert run.trace_error.tolist() == [0.9e-3, 1e-10, 1e-12, 1e-3, 1e-4]


def test_intervals_follow_how_fast_tangents_part():
    # Tangents that part by a factor exp(2) an interval may run six times as long, at most a power of two: 4, to exp(8).
    assert find_power(np.tile([1.0, -1.0], (64, 1))) == 4
    assert find_power(np.tile([0.0, -40.0], (64, 1))) == 0.25
    # The largest alone parts from the state, whose size the tolerance is relative to.
    assert find_power(np.full((64, 1), -2.0)) == 4
    assert find_power(np.full((64, 1), 1e-9)) == 64
    assert find_power(np.full((4, 2), np.nan)) == 1


def test_gram_and_schmidts_method_twice_is_as_good_as_qr():
    random, d = np.random.default_rng(0), 3
    vectors = random.standard_normal((d, d, BATCH))
    # Nearly dependent ones, too.
    vectors[2, :, 4:] = vectors[0, :, 4:] + vectors[1, :, 4:] * 0.5 + 1e-12 * vectors[2, :, 4:]
    state = np.concatenate([random.standard_normal((d, BATCH)) * 1e4, vectors.reshape(d * d, BATCH), np.ones((2, BATCH))])
    compiled, reference = np.zeros((2, d * d + 2 + d + 1, BATCH))
    _compile_renormalisation(d, d)(state, outputs=compiled)
    _renormalise(d, d, state, outputs=reference)
    length = np.exp(compiled[d * d + 1])
    assert length == pytest.approx(np.abs(state[:d]).max(axis=0) / 1024, rel=1e-14)
    units = (compiled[: d * d] / length).reshape(d, d, BATCH)
    products = np.einsum("iab,jab->ijb", units, units)
    assert np.abs(products - np.eye(d)[:, :, None]).max() < 1e-14
    # Of a part of 1e-12 the fourth digit is in the rounding.
    assert compiled[d * d + 2 :] == pytest.approx(reference[d * d + 2 :], abs=1e-3)
    assert compiled[d * d + 2 :, :4] == pytest.approx(reference[d * d + 2 :, :4], abs=1e-13)
    assert (compiled[d * d] == 0).all()


def test_the_dimension_of_kaplan_and_yorke():
    errors = np.array([0.004, 0.001, 0.004])
    value, error = find_dimension(np.array([0.9056, 0.0, -14.5723]), errors)
    assert value == pytest.approx(2 + 0.9056 / 14.5723)
    # It is 3 + divergence/14.5723, and the divergence has no error.
    assert error == pytest.approx(0.004 * 13.6667 / 14.5723**2, rel=1e-4)
    assert find_dimension(np.array([-1.0, -2.0]), errors[:2]) == (0, 0)
    assert find_dimension(np.array([1.0, 0.5]), errors[:2]) == (2, 0)
    assert find_dimension(np.array([0.0, -2.0, -3.0]), np.array([0.0, 0.5, 0.5])) == (1, 0)
    assert find_dimension(np.array([0.5, -1.0, -3.0]), np.array([0.01, 0.02, 0.5])) == (1.5, pytest.approx(0.02))
    assert np.isnan(find_dimension(np.array([1.0, np.nan]), errors[:2])).all()
    value, error = find_dimension(np.array([-1e-4, -2.0]), errors[:2])
    assert (value, np.isnan(error)) == (0, True)
