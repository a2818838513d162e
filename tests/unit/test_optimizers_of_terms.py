"""The ways to pick terms against problems whose picks are known."""

import numpy as np
import pytest

from phaseflow.models._optimizers import OPTIMIZERS
from phaseflow.models._weak_form import WeakForm

# Shares of the two derivatives that the four terms have; squares sum to one.
SHARES = np.array([[0.8, 0.1], [0.0, 0.7], [0.6, 0.0], [0.0, np.sqrt(0.5)]])
NESTED = [(0, 0), (3, 1), (1, 1), (2, 0), (0, 1)]


def make_weak(shares, seed=0):
    """Columns at right angles to each other, of lengths that differ by up to 1,000, and derivatives with these shares of them."""
    orthogonal, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(50, len(shares))))
    places = np.arange(50)
    return WeakForm(orthogonal * np.geomspace(1, 1e3, len(shares)), orthogonal @ shares * [1e-2, 1e5], places, np.zeros_like(places))


def keep(terms):
    support = np.zeros(SHARES.shape, dtype=bool)
    support[tuple(np.transpose(terms))] = True
    return support


@pytest.mark.parametrize("name", ["ssr", "frols"])
@pytest.mark.parametrize("n_terms", range(1, 6))
def test_columns_at_right_angles_come_in_the_order_of_their_shares(name, n_terms):
    assert np.array_equal(OPTIMIZERS[name].select(make_weak(SHARES), n_terms), keep(NESTED[:n_terms]))


@pytest.mark.parametrize(("strength", "n_terms"), [(0.05, 5), (0.5, 4), (0.65, 3), (0.75, 1)])
def test_columns_at_right_angles_are_kept_above_the_threshold(strength, n_terms):
    assert np.array_equal(OPTIMIZERS["stlsq"].select(make_weak(SHARES), strength), keep(NESTED[:n_terms]))


@pytest.mark.parametrize(("strength", "n_terms"), [(0.015, 5), (0.3, 4), (0.57, 3), (0.99, 2)])
def test_the_adaptive_lasso_of_such_columns_is_a_threshold_of_squares(strength, n_terms):
    # Of each equation the terms are left whose squared share is above that share of the largest square: 0.64 and 0.5.
    assert np.array_equal(OPTIMIZERS["lasso"].select(make_weak(SHARES), strength), keep(NESTED[:n_terms]))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_strengths_lead_from_many_terms_to_few(name):
    weak, optimizer = make_weak(SHARES), OPTIMIZERS[name]
    counts = sorted(int(optimizer.select(weak, strength).sum()) for strength in optimizer.list_strengths(SHARES.size).tolist())
    assert counts[0] <= 1
    assert counts[-1] >= 5


def test_a_column_that_depends_on_others_is_not_added_twice():
    weak = make_weak(SHARES)
    doubled = WeakForm(np.column_stack([weak.features, weak.features[:, 0] * 2]), weak.slopes, weak.places, weak.members)
    assert OPTIMIZERS["frols"].select(doubled, 10).sum() == 8


def test_adding_and_dropping_differ_where_two_terms_hide_one_another():
    # The derivative is the difference of two columns nearly alike; a third column looks more like it than either.
    base = np.linalg.qr(np.random.default_rng(1).normal(size=(50, 3)))[0]
    features = np.column_stack([base[:, 0] + 0.01 * base[:, 1], base[:, 0] - 0.01 * base[:, 1], base[:, 1] + base[:, 2]])
    weak = WeakForm(features, (features[:, 0] - features[:, 1])[:, None], np.arange(50), np.zeros(50, dtype=np.int64))
    assert OPTIMIZERS["ssr"].select(weak, 2)[:, 0].tolist() == [True, True, False]
    assert OPTIMIZERS["frols"].select(weak, 1)[:, 0].tolist() == [False, False, True]
