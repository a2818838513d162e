"""Correlation dimensions against sets whose dimension is known."""

import numpy as np
import pytest

from phaseflow.measures.correlation_dimension import MEASURE, count_pairs, find_dimension
from phaseflow.settings.measures import Measure
from tests.unit.tasks import integrate, make_task

TORUS = {
    "equations": {"a": "b", "b": "-a", "c": "sqrt(2)*d", "d": "-sqrt(2)*c"},
    "initial": {"a": 1, "b": 0, "c": 1, "d": 0},
}


def measure(system, stop, points=10_000, **options):
    asked = Measure.model_validate({"correlation_dimension": {"points": points}}).correlation_dimension
    task = make_task(system, [0, stop], **options)
    return MEASURE.measure(asked, task, integrate(task)).columns


def read_one(columns):
    return columns["correlation_dimension"][0], columns["correlation_dimension_se"][0], columns["correlation_dimension_status"][0]


@pytest.mark.parametrize(
    ("system", "stop", "truth", "largest_error"),
    [("van_der_pol", 500, 1, 0.05), (TORUS, 3000, 2, 0.35), ("lorenz63", 3000, 2.05, 0.1), ("rossler", 10_000, 2.0, 0.3)],
    ids=["cycle", "torus", "lorenz", "rossler"],
)
def test_attractors_have_their_dimension_within_two_errors(system, stop, truth, largest_error):
    value, error, status = read_one(measure(system, stop, transient=50))
    # Lorenz: 2.05 +- 0.01 (Grassberger and Procaccia 1983). Roessler: 1.99 +- 0.07 (Sprott and Rowlands 2001); the dimension of Kaplan
    # and Yorke is 2.01.
    assert status == "found"
    assert abs(value - truth) < 2 * error
    assert error < largest_error


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_noise_fills_the_space_it_has(dimension):
    found = find_dimension(np.random.default_rng(0).uniform(size=(10_000, dimension)), 0)
    # Where points lie within r of the border of the box pairs are missing: the slope falls short by about r a dimension.
    assert abs(found.value - dimension) < 2 * found.error
    assert 0.005 < found.error < 0.2


def test_folds_make_slopes_fall_short_and_the_error_covers_it():
    """The density of the logistic map's points, 1/(pi sqrt(x - x**2)), has C(r) ~ r log(1/r): its dimension is one."""
    points = np.sin(np.pi / 2 * np.random.default_rng(4).random((10_000, 1))) ** 2
    found = find_dimension(points, 0)
    assert found.value < 0.95
    assert abs(found.value - 1) < 2 * found.error
    assert found.error < 0.15


def test_ten_thousand_points_do_not_know_a_high_dimension():
    for dimension in (8, 12):
        found = find_dimension(np.random.default_rng(5).uniform(size=(10_000, dimension)), 0)
        assert (np.isnan(found.value), found.reason) == (True, "no_scaling_region")


def test_units_do_not_matter():
    points = np.random.default_rng(2).uniform(size=(3_000, 2))
    assert find_dimension(points * [1, 2.0**40], 0) == find_dimension(points, 0)


def test_pairs_are_counted_as_by_hand():
    points, radii, window = np.random.default_rng(3).standard_normal((60, 2)), np.array([0.3, 1.0, 2.0]), 4
    found = count_pairs(points, radii, window)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    far = np.abs(np.subtract.outer(np.arange(60), np.arange(60))) > window
    assert found.shape == (10, 3)
    for place, radius in enumerate(radii):
        assert found[:, place].tolist() == [((distances <= radius) & far)[rows : rows + 6].sum() for rows in range(0, 60, 6)]


def test_there_is_no_dimension_without_an_attractor():
    for stop, transient, reason in ((400, 300, "at_rest"), (400, 0, "not_settled")):
        value, error, status = read_one(measure("lorenz63", stop, 2_000, transient=transient, parameters={"rho": 10}))
        assert (np.isnan(value), np.isnan(error), status) == (True, True, reason)
    assert np.isnan(read_one(measure("lorenz63", 4, 2_000))[0])
    assert read_one(measure({"equations": {"x": "x**2"}, "initial": {"x": 1}}, 5, 2_000))[2] == "not_finite"


def test_a_dimension_does_not_depend_on_company():
    rho = np.array([28.0, 40.0, 45.0])
    together = measure("lorenz63", 300, 1_500, members=3, parameters={"rho": rho})
    alone = measure("lorenz63", 300, 1_500, parameters={"rho": rho[1]})
    assert [together[name][1] for name in together] == [alone[name][0] for name in alone]
