"""Starts: random, on a Latin hypercube, or along a Sobol sequence; the same whatever their number."""

import numpy as np
import pytest

from phaseflow.kinds import lay_out_trials
from phaseflow.problems._sampling import spread_start
from phaseflow.seeds import open_stream
from phaseflow.settings.studies import Study

LOWER, UPPER, FIRST = np.array([0.0, -2.0, -np.inf]), np.array([1.0, 2.0, np.inf]), np.array([0.5, 1.0, 30.0])


def spread(sampling, numbers, count, seed=7):
    return np.array([spread_start(sampling, open_stream(seed, 3), k, count, FIRST, LOWER, UPPER) for k in numbers])


@pytest.mark.parametrize("sampling", ["random", "sobol", "latin_hypercube"])
def test_the_first_start_is_the_given_one_and_the_others_lie_within_the_bounds(sampling):
    starts = spread(sampling, range(33), 32)
    assert starts[0].tolist() == FIRST.tolist()
    assert len({tuple(start) for start in starts}) == 33
    assert (starts[1:, :2] >= LOWER[:2]).all()
    assert (starts[1:, :2] <= UPPER[:2]).all()
    # Without bounds: normal about 30 with a standard deviation of 30, the mean of 32 within four standard errors.
    assert np.mean(starts[1:, 2]) == pytest.approx(30, abs=4 * 30 / np.sqrt(32))
    assert (spread(sampling, range(33), 32) == starts).all()
    assert (spread(sampling, range(1, 33), 32, seed=8) != starts[1:]).any()


def test_every_32nd_of_each_variable_has_one_start_of_a_latin_hypercube():
    starts = spread("latin_hypercube", range(1, 33), 32)
    for place in range(2):
        cells = np.floor((starts[:, place] - LOWER[place]) / (UPPER[place] - LOWER[place]) * 32).astype(int)
        assert sorted(cells) == list(range(32))


def test_every_32nd_of_each_variable_has_one_of_the_first_32_points_of_a_sobol_sequence():
    starts = spread("sobol", range(1, 33), 0)
    for place in range(2):
        cells = np.floor((starts[:, place] - LOWER[place]) / (UPPER[place] - LOWER[place]) * 32).astype(int)
        assert sorted(cells) == list(range(32))
    # In two dimensions, too: one in each cell of an 8 x 4 grid (a (0, 5, 2)-net in base 2).
    cells = np.floor((starts[:, :2] - LOWER[:2]) / (UPPER[:2] - LOWER[:2]) * [8, 4])
    assert len({tuple(cell) for cell in cells}) == 32


def make_study(sampling, count):
    variables = {"x": {"start": 0, "lower": -1, "upper": 1}}
    return Study.model_validate({"minimize": "x**2", "variables": variables, "sampling": sampling, "sweep": {"starts": count}})


@pytest.mark.parametrize(("sampling", "is_kept"), [("random", True), ("sobol", True), ("latin_hypercube", False)])
def test_a_trial_is_the_same_one_among_more_unless_its_start_is_made_for_their_number(sampling, is_kept):
    few, many = (lay_out_trials(make_study(sampling, count)) for count in (5, 9))
    assert (set(few.ids) <= set(many.ids)) == is_kept
    assert (set(few.streams) == set(many.streams)) == is_kept


def test_how_starts_are_spread_is_part_of_what_a_trial_is():
    ids = [set(lay_out_trials(make_study(sampling, 5)).ids) for sampling in (None, "random", "sobol", "latin_hypercube")]
    assert ids[0] == ids[1]
    assert not ids[1] & ids[2]
    assert not ids[2] & ids[3]
