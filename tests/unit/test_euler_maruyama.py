"""Euler-Maruyama against closed forms: moments, and the order of convergence on shared Brownian paths."""

import numpy as np
import pytest

from phaseflow.seeds import open_stream
from tests.unit.tasks import integrate, make_task

GBM, OU = "geometric_brownian_motion", "ornstein_uhlenbeck"


def test_moments_of_geometric_brownian_motion_are_within_monte_carlo_error():
    n = 20_000
    samples = integrate(make_task(GBM, [0, 1], members=n, method="euler_maruyama", step=0.01)).samples[:, -1, 0]
    mean, deviation = 100 * np.exp(0.07), 100 * np.exp(0.07) * np.sqrt(np.exp(0.04) - 1)
    # Four standard errors, and the method's own weak error, which for the mean is (1 + mu h)**(1/h) against exp(mu).
    assert abs(samples.mean() - mean) < 4 * deviation / np.sqrt(n) + 100 * abs(1.0007**100 - np.exp(0.07))
    assert samples.std() == pytest.approx(deviation, rel=4 / np.sqrt(n) + 0.01)


def test_ornstein_uhlenbeck_forgets_its_start_and_becomes_stationary():
    n = 10_000
    samples = integrate(make_task(OU, [0, 8], members=n, method="euler_maruyama", step=0.02)).samples[:, -1, 0]
    # The stationary variance of the scheme is sigma**2 / (2 kappa - kappa**2 h), that of the equation sigma**2 / (2 kappa).
    assert samples.var() == pytest.approx(0.25 / (2 - 0.02), rel=4 * np.sqrt(2 / n))
    assert abs(samples.mean() - np.exp(-8)) < 4 * np.sqrt(0.125 / n)


def test_the_strong_order_is_a_half():
    """On the Brownian path that a member draws, the error falls as the square root of the step."""
    n, errors = 2_000, []
    for count in (16, 64, 256):
        task = make_task(GBM, [0, 1], members=n, method="euler_maruyama", step=1 / count, parameters={"sigma": np.full(n, 1.0)})
        found = integrate(task).samples[:, -1, 0]
        paths = []
        for stream in task.streams:
            random = open_stream(0, int(stream))
            random.standard_normal(1)
            paths.append(random.standard_normal((count, 1)).sum() / np.sqrt(count))
        exact = 100 * np.exp(0.07 - 0.5 + np.array(paths))
        errors.append(np.abs(found - exact).mean())
    orders = np.diff(np.log(errors)) / np.log(1 / 4)
    # The paths differ from one step to the next, so each mean error has a Monte Carlo error of a few per cent.
    assert orders == pytest.approx([0.5, 0.5], abs=0.1)


def test_states_that_name_the_same_process_share_it():
    system = {
        "equations": {"x": "0", "y": "0", "z": "0"},
        "noise": {"x": {"W": "1"}, "y": {"W": "2"}, "z": {"V": "1"}},
        "initial": {"x": 0, "y": 0, "z": 0},
    }
    samples = integrate(make_task(system, [0, 1, 2], members=1000, method="euler_maruyama", step=0.5)).samples
    assert np.allclose(samples[..., 1], 2 * samples[..., 0])
    assert abs(np.corrcoef(samples[:, -1, 0], samples[:, -1, 2])[0, 1]) < 5 / np.sqrt(1000)


def test_a_path_is_its_members_own():
    together = integrate(make_task(GBM, [0, 1], members=5, method="euler_maruyama", step=0.1)).samples
    task = make_task(GBM, [0, 1], members=5, method="euler_maruyama", step=0.1)
    from dataclasses import replace

    alone = integrate(replace(task, initial=task.initial[3:4], parameters=task.parameters[3:4], streams=task.streams[3:4]))
    assert np.array_equal(together[3], alone.samples[0])
    other = integrate(replace(task, seed=1)).samples
    assert not np.any(other[:, 1] == together[:, 1])


def test_without_noise_it_is_eulers_method():
    system = {"equations": {"x": "-x"}, "noise": {"x": {"W": "0"}}, "initial": {"x": 1}}
    result = integrate(make_task(system, [0, 1], method="euler_maruyama", step=0.25))
    assert result.samples[0, 1, 0] == pytest.approx(0.75**4)
    assert result.steps[0] == 4
