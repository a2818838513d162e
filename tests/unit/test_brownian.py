"""Brownian paths: refined they are the same paths, and they have the law of Brownian motion."""

import numpy as np
import pytest

from phaseflow.dynamics.brownian import BrownianPaths, count_levels

STREAMS = np.arange(50, dtype=np.uint64)


def walk(durations, levels, streams=STREAMS, signs=None, n_processes=2, part="samples", seed=4):
    paths = BrownianPaths(seed, streams, signs, n_processes, part)
    return np.array(list(paths.walk(np.asarray(durations, dtype=float), levels)))


@pytest.mark.parametrize("levels", [0, 1, 3, 8, 10])
def test_a_refined_path_goes_through_the_same_points(levels):
    durations = [0.5, 0.25, 2.0]
    coarse, fine = walk(durations, levels), walk(durations, levels + 1)
    assert fine.shape == (3 * 2 ** (levels + 1), 2, 50)
    # The two halves of an increment of size 1 sum to it up to one rounding.
    assert fine[0::2] + fine[1::2] == pytest.approx(coarse, abs=1e-15)


def test_increments_are_independent_normals_of_the_steps_variance():
    increments = walk([0.5, 2.0] * 40, 5, np.arange(400, dtype=np.uint64)).reshape(80, 32, 800)
    for length, part in ((0.5, increments[0::2]), (2.0, increments[1::2])):
        normals = part.reshape(-1, 800) / np.sqrt(length / 32)
        n = normals.size  # 1,024,000; every bound is five standard errors
        assert abs(normals.mean()) < 5 / np.sqrt(n)
        assert normals.var() == pytest.approx(1, abs=5 * np.sqrt(2 / n))
        assert (normals**4).mean() == pytest.approx(3, abs=5 * np.sqrt(96 / n))
        for lag in (1, 2, 16, 32):  # neighbours in a pair, in the tree, and in the next stretch
            assert abs((normals[lag:] * normals[:-lag]).mean()) < 5 / np.sqrt(n - lag * 800)
        assert abs(np.corrcoef(normals[:, :400].ravel(), normals[:, 400:].ravel())[0, 1]) < 5 / np.sqrt(n / 2)


def test_a_path_is_its_members_own_whatever_its_neighbours():
    together = walk([1.0] * 300, 2)
    assert np.array_equal(walk([1.0] * 300, 2, STREAMS[[7]])[..., 0], together[..., 7])
    assert np.array_equal(walk([1.0] * 300, 2, STREAMS[[30, 7, 2]])[..., 1], together[..., 7])


def test_a_path_does_not_depend_on_how_many_stretches_follow():
    assert np.array_equal(walk([1.0] * 7, 9), walk([1.0] * 200, 9)[: 7 * 512])


def test_streams_seeds_parts_and_levels_are_different_paths():
    base = walk([1.0], 0)
    others = [walk([1.0], 0, seed=5), walk([1.0], 0, part="transient"), walk([1.0], 0, STREAMS + np.uint64(50))]
    others.append(np.array(list(BrownianPaths(4, STREAMS, None, 2, "samples").draw_apart(1, 2))))
    assert not any(np.isin(other, base).any() for other in others)
    fine = np.abs(walk([1.0], 3) / np.sqrt(1 / 8))
    assert len(np.unique(fine)) == fine.size


def test_a_mirrored_path_has_the_opposite_sign_to_the_last_bit():
    signs = np.where(np.arange(50) % 2, -1.0, 1.0)
    assert np.array_equal(walk([1.0, 0.1], 4, signs=signs), walk([1.0, 0.1], 4) * signs)


@pytest.mark.parametrize(("longest", "step", "levels"), [(1, 1, 0), (1, 2, 0), (1, 0.1, 4), (1, 0.125, 3), (0.3, 0.3 / 64, 6), (3, 1, 2)])
def test_the_step_is_the_longest_power_of_two_that_is_allowed(longest, step, levels):
    assert count_levels(longest, step) == levels
