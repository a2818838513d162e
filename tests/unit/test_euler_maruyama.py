"""Euler-Maruyama against closed forms: moments, and the orders of convergence on refined Brownian paths."""

from dataclasses import replace

import numpy as np
import pytest

from tests.unit.tasks import integrate, make_task

GBM, OU = "geometric_brownian_motion", "ornstein_uhlenbeck"


def find_ends(system, members, **options):
    return integrate(make_task(system, [0, 1], members=members, **options)).samples[:, -1, 0]


def measure_orders(errors):
    """Return the orders seen between neighbouring steps, each half the one before."""
    return -np.diff(np.log2(errors))


def test_moments_of_geometric_brownian_motion_are_within_monte_carlo_error():
    n = 20_000
    samples = find_ends(GBM, n, method="euler_maruyama", step=1 / 128)
    mean, deviation = 100 * np.exp(0.07), 100 * np.exp(0.07) * np.sqrt(np.exp(0.04) - 1)
    # Four standard errors, and the method's own weak error, which for the mean is (1 + mu h)**(1/h) against exp(mu).
    assert abs(samples.mean() - mean) < 4 * deviation / np.sqrt(n) + 100 * abs((1 + 0.07 / 128) ** 128 - np.exp(0.07))
    assert samples.std() == pytest.approx(deviation, rel=4 / np.sqrt(n) + 0.01)


def test_ornstein_uhlenbeck_forgets_its_start_and_becomes_stationary():
    n = 10_000
    samples = integrate(make_task(OU, [0, 8], members=n, method="euler_maruyama", step=1 / 64)).samples[:, -1, 0]
    # The stationary variance of the scheme is sigma**2 / (2 kappa - kappa**2 h), that of the equation sigma**2 / (2 kappa).
    assert samples.var() == pytest.approx(0.25 / (2 - 1 / 64), rel=4 * np.sqrt(2 / n))
    assert abs(samples.mean() - np.exp(-8)) < 4 * np.sqrt(0.125 / n)


def test_the_strong_order_is_a_half_where_noise_depends_on_the_state():
    volatile = {"sigma": np.full(4_000, 1.0)}
    exact = find_ends(GBM, 4_000, method="exact", parameters=volatile)
    steps = [2.0**-k for k in range(4, 10)]
    found = [find_ends(GBM, 4_000, method="euler_maruyama", step=step, parameters=volatile) for step in steps]
    errors = [np.abs(ends - exact).mean() for ends in found]
    # The same paths at every step: the mean of 4,000 errors is known to about 2 %, and over 5 halvings the slope to 0.02; the next
    # term of the error, of order 1, adds about as much.
    assert measure_orders(errors).mean() == pytest.approx(0.5, abs=0.06)


def test_the_strong_order_is_one_where_noise_is_additive():
    """The finest run takes the place of the exact path, whose noise integral the increments do not determine."""
    steps = [2.0**-k for k in range(4, 8)]
    truth = find_ends(OU, 1_000, method="euler_maruyama", step=2.0**-13)
    errors = [np.abs(find_ends(OU, 1_000, method="euler_maruyama", step=step) - truth).mean() for step in steps]
    # The error of the finest run is a 64th of the least error here, which moves the last slope by 2 %.
    assert measure_orders(errors) == pytest.approx([1, 1, 1], abs=0.06)


@pytest.mark.parametrize("method", ["euler_maruyama", "milstein"])
def test_the_weak_order_is_one_beyond_monte_carlo_error(method):
    """The exact paths on the same increments are a control variate: the difference has little variance."""
    n, growth = 40_000, {"mu": np.full(40_000, 1.5), "sigma": np.full(40_000, 0.4)}
    exact = find_ends(GBM, n, method="exact", parameters=growth)
    biases = []
    for count in (4, 8, 16):
        difference = find_ends(GBM, n, method=method, step=1 / count, parameters=growth) - exact
        deviation = difference.std() / np.sqrt(n)
        # Both methods have the mean (1 + mu h)**(1/h).
        truth = 100 * ((1 + 1.5 / count) ** count - np.exp(1.5))
        assert abs(difference.mean() - truth) < 4 * deviation
        assert abs(difference.mean()) > 10 * deviation, "the bias is seen beyond its standard error"
        biases.append(abs(difference.mean()))
    # (1 + mu h)**(1/h) approaches its limit with slopes 0.82 and 0.90 here, before it reaches 1.
    slopes = -np.diff(np.log2([np.exp(1.5) - (1 + 1.5 / count) ** count for count in (4, 8, 16)]))
    assert measure_orders(biases) == pytest.approx(slopes, abs=0.1)
    assert measure_orders(biases)[-1] == pytest.approx(1, abs=0.2)


def test_states_that_name_the_same_process_share_it():
    system = {
        "equations": {"x": "0", "y": "0", "z": "0"},
        "noise": {"x": {"W": "1"}, "y": {"W": "2"}, "z": {"V": "1"}},
        "initial": {"x": 0, "y": 0, "z": 0},
    }
    samples = integrate(make_task(system, [0, 1, 2], members=1000, method="euler_maruyama", step=0.5)).samples
    assert np.allclose(samples[..., 1], 2 * samples[..., 0])
    assert abs(np.corrcoef(samples[:, -1, 0], samples[:, -1, 2])[0, 1]) < 5 / np.sqrt(1000)


CURVED = {
    "equations": {"x": "sin(x) - exp(-y)", "y": "tanh(x*y) - y**1.7*0.1"},
    "noise": {"x": {"W": "sigma*cos(x)"}, "y": {"V": "log(2 + x**2)*sigma", "W": "erf(x)/(1 + y**2)"}},
    "parameters": {"sigma": 0.1},
    "initial": {"x": 1, "y": 1},
}


@pytest.mark.parametrize(("system", "method"), [(CURVED, "euler_maruyama"), (GBM, "milstein"), (GBM, "exact"), (OU, "exact")])
def test_a_path_is_its_members_own_whatever_its_neighbours(system, method):
    """The bits are the same alone, among others in another order, and beyond the size of a block."""
    task = make_task(system, [0, 0.5, 1], members=1_300, method=method, transient=0.3, parameters={"sigma": np.linspace(0.1, 0.3, 1_300)})
    together = integrate(task).samples
    for places in ([3], [1_299], [5, 3, 1_299, 700, 64], list(range(1_250, 1_300)), list(range(17, 1_200, 7))):
        assert np.array_equal(integrate(task.select(np.array(places))).samples, together[places], equal_nan=True)
    assert not np.any(integrate(replace(task, seed=1)).samples[:, 1] == together[:, 1])


def test_the_transient_has_a_path_of_its_own_that_refines_too():
    runs = [integrate(make_task(GBM, [0, 1], members=500, method="milstein", step=h, transient=0.7)).samples for h in (1 / 64, 1 / 128)]
    exact = integrate(make_task(GBM, [0, 1], members=500, method="exact", transient=0.7)).samples
    errors = [np.abs(samples - exact).mean(axis=(0, 2)) for samples in runs]
    # Milstein's order 1 at both times: on another path the error would not fall at all.
    assert errors[0] / errors[1] == pytest.approx([2, 2], rel=0.15)


def test_without_noise_it_is_eulers_method():
    system = {"equations": {"x": "-x"}, "noise": {"x": {"W": "0"}}, "initial": {"x": 1}}
    result = integrate(make_task(system, [0, 1], method="euler_maruyama", step=0.25))
    assert result.samples[0, 1, 0] == pytest.approx(0.75**4)
    assert result.steps[0] == 4


def test_a_member_that_fails_is_a_row_with_a_status_and_harms_no_other():
    system = {"equations": {"x": "a*x**3"}, "noise": {"x": {"W": "0.1*x"}}, "parameters": {"a": 1}, "initial": {"x": 1}}
    task = make_task(system, np.linspace(0, 4, 9), members=2, method="euler_maruyama", step=0.01, parameters={"a": [1.0, -1.0]})
    result = integrate(task)
    assert result.status.tolist() == ["not_finite", "ok"]
    assert 0.3 < result.status_time[0] < 1.5  # without noise 1/sqrt(1 - 2t) is infinite at 0.5
    assert np.isnan(result.samples[0, -1]).all()
    assert np.isfinite(result.samples[1]).all()


def test_more_steps_than_allowed_are_not_taken():
    result = integrate(make_task(GBM, [0, 1, 2], method="euler_maruyama", step=1 / 64, max_steps=100))
    assert (result.status[0], result.status_time[0], result.steps[0]) == ("step_limit", 1.0, 64)
    assert np.isfinite(result.samples[0, :2]).all()
    assert np.isnan(result.samples[0, 2]).all()
    assert integrate(make_task(GBM, [0, 1, 2], method="euler_maruyama", step=1e-300)).status[0] == "step_limit"
