"""The exact core of linear programs: optima against scipy and duality, slopes against solving again, infeasible and unbounded ones."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

from phaseflow.problems import _simplex
from phaseflow.problems._elastic import explain
from phaseflow.problems._exact_optimum import find_optimum, find_prices, is_proven
from phaseflow.problems._highs import solve
from phaseflow.problems._linear_program import ONE, ZERO, Constraint, LinearProgram, Unknown, to_double

EPSILON = fmpq(1, 10**6)


def draw_program(seed):
    """Return a small program with bounds on some sides, equations among its constraints, and numbers that often meet in one vertex."""
    random = np.random.default_rng(seed)

    def draw(low, high):
        return fmpq(int(random.integers(low, high)), int(random.integers(1, 4)))

    n, m = random.integers(1, 7, 2)
    unknowns = []
    for j in range(n):
        lower = None if random.random() < 0.2 else draw(-3, 2)
        upper = None if random.random() < 0.4 else (ZERO if lower is None else lower) + int(random.integers(0, 6))
        unknowns.append(Unknown(f"x{j}", draw(-5, 6), lower, upper))
    constraints = []
    for i in range(m):
        terms = {j: value for j in range(n) if random.random() < 0.7 and (value := draw(-3, 4))}
        bound, side = draw(-4, 8), random.integers(3)
        lower, upper = (None if side == 0 else bound), (None if side == 1 else bound)
        constraints.append(Constraint(f"c{i}", terms, lower, upper, bound))
    return LinearProgram(unknowns, constraints)


def find(program):
    answer = solve(program, "highs")
    return answer, find_optimum(program, np.nan_to_num(answer.point), answer.prices)


def shift(program, row, by):
    """Return the program with the bound of one constraint moved."""
    moved = program.constraints[row]
    moved = replace(moved, lower=None if moved.lower is None else moved.lower + by, upper=None if moved.upper is None else moved.upper + by)
    return replace(program, constraints=[*program.constraints[:row], moved, *program.constraints[row + 1 :]])


def check_duality(program, optimum):
    """Check that the point keeps all bounds, and that prices of the right sign earn exactly what it costs (strong duality)."""
    basis, n = optimum.basis, len(program.unknowns)
    for value, lower, upper in zip(basis.values, program.lower, program.upper, strict=True):
        assert lower is None or value >= lower
        assert upper is None or value <= upper
    for i, constraint in enumerate(program.constraints):
        assert basis.values[n + i] == sum((c * optimum.point[j] for j, c in constraint.terms.items()), ZERO)
    prices = basis.find_prices(program.cost)
    reduced = [
        cost - sum((c.terms.get(j, ZERO) * y for c, y in zip(program.constraints, prices, strict=True)), ZERO)
        for j, cost in enumerate(program.cost)
    ]
    earned = program.constant
    for slope, lower, upper in zip([*reduced, *prices], program.lower, program.upper, strict=True):
        bound = lower if slope > 0 else upper
        if slope != 0:
            assert bound is not None
            earned += slope * bound
    assert earned == program.find_cost(optimum.point)


def test_random_programs_end_as_highs_says_and_optima_are_dual_to_their_prices():
    ends = []
    for seed in range(400):
        program = draw_program(seed)
        answer, optimum = find(program)
        ends.append(optimum.status)
        if optimum.status == "optimal":
            check_duality(program, optimum)
            value = np.dot([to_double(c) for c in program.cost], answer.point)
            # HiGHS keeps bounds to 1e-7, and prices and coefficients of these programs stay below 1e2.
            assert value == pytest.approx(to_double(program.find_cost(optimum.point)), abs=1e-5)
        else:
            assert answer.status == "failed"
            assert f"problem is {optimum.status}" in answer.message
    assert {end: ends.count(end) > 40 for end in ends} == {"optimal": True, "infeasible": True, "unbounded": True}


def tighten(program, optimum):
    """Return the program with the bounds of all constraints moved to the optimum, which stays one, and is degenerate."""
    values = optimum.basis.values[optimum.basis.n :]
    tight = [
        replace(c, lower=None if c.lower is None else value, upper=None if c.upper is None else value)
        for c, value in zip(program.constraints, values, strict=True)
    ]
    return replace(program, constraints=tight)


def test_slopes_on_both_sides_are_those_of_solving_again():
    n_bends = 0
    for seed in range(250):
        program = draw_program(seed)
        answer, optimum = find(program)
        if optimum.status != "optimal":
            continue
        if seed % 5:
            program = tighten(program, optimum)
            optimum = find_optimum(program, answer.point, answer.prices)
        least = program.find_cost(optimum.point)
        for row, price in enumerate(find_prices(program, optimum.basis)):
            n_bends += price.less != price.more
            for sign, found in ((-1, price.less), (1, price.more)):
                moved = shift(program, row, sign * EPSILON)
                again = find_optimum(moved, answer.point, answer.prices)
                # The least cost is piecewise linear, with bends at rationals much farther apart than epsilon.
                slope = np.inf if again.status == "infeasible" else to_double((moved.find_cost(again.point) - least) / EPSILON)
                assert sign * found == slope
    assert n_bends > 20


def test_a_degenerate_vertex_has_known_slopes():
    # Least x + 3 y with x <= 4 and x + y >= b: the slope is 1 below b = 4 and 3 above it.
    for b, slopes in ((3, (1, 1)), (4, (1, 3)), (5, (3, 3))):
        unknowns = [Unknown("x", ONE), Unknown("y", 3 * ONE)]
        room = Constraint("room", {0: ONE}, None, 4 * ONE, 4 * ONE)
        need = Constraint("need", {0: ONE, 1: ONE}, b * ONE, None, b * ONE)
        program = LinearProgram(unknowns, [room, need])
        prices = find_prices(program, find(program)[1].basis)
        assert (prices[1].less, prices[1].more) == slopes
    # At b = 4 less room costs 2 a unit, since y replaces x, and more room saves nothing.
    program = LinearProgram(unknowns, [room, replace(need, lower=4 * ONE)])
    assert (find_prices(program, find(program)[1].basis)[0].less, find_prices(program, find(program)[1].basis)[0].more) == (-2, 0)


def test_an_optimum_is_found_from_a_wrong_start():
    for seed in range(120):
        program = draw_program(seed)
        _, optimum = find(program)
        random = np.random.default_rng(seed)
        nowhere = random.normal(size=len(program.unknowns)), random.normal(size=len(program.constraints))
        again = find_optimum(program, *nowhere)
        assert again.status == optimum.status
        if again.status == "optimal":
            assert program.find_cost(again.point) == program.find_cost(optimum.point)


def test_beales_program_does_not_cycle():
    # Beale (1955): the simplex method with the largest coefficient goes in a circle of six; the optimum is -1/20.
    cost = [fmpq(-3, 4), fmpq(150), fmpq(-1, 50), fmpq(6)]
    rows = [[fmpq(1, 4), fmpq(-60), fmpq(-1, 25), fmpq(9)], [fmpq(1, 2), fmpq(-90), fmpq(-1, 50), fmpq(3)], [ZERO, ZERO, ONE, ZERO]]
    constraints = [
        Constraint(str(i), {j: c for j, c in enumerate(row) if c}, None, bound, bound)
        for i, (row, bound) in enumerate(zip(rows, (ZERO, ZERO, ONE), strict=True))
    ]
    program = LinearProgram([Unknown(f"x{j}", c) for j, c in enumerate(cost)], constraints)
    optimum = find_optimum(program, np.zeros(4), np.zeros(3))
    assert program.find_cost(optimum.point) == fmpq(-1, 20)
    check_duality(program, optimum)


def test_a_point_and_prices_that_are_a_little_off_prove_nothing():
    for seed in range(60):
        program = draw_program(seed)
        _, optimum = find(program)
        if optimum.status != "optimal":
            continue
        prices = optimum.basis.find_prices(program.cost)
        assert is_proven(program, optimum.point, prices)
        for place, cost in enumerate(program.cost):
            moved = [x + EPSILON * (j == place) for j, x in enumerate(optimum.point)]
            assert not cost or not is_proven(program, moved, prices)
        if any(price.less != price.more for price in find_prices(program, optimum.basis)):
            continue
        # Where the slopes on both sides agree everywhere there is only one set of prices that is optimal.
        for place in range(len(prices)):
            assert not is_proven(program, optimum.point, [y + EPSILON * (i == place) for i, y in enumerate(prices)])


def test_a_budget_of_pivots_ends_the_search():
    program = LinearProgram([Unknown("x", -ONE, ZERO, ONE)], [])
    basis = _simplex.Basis(program, [_simplex.Place.LOWER], program.lower, program.upper)
    with pytest.raises(_simplex.PivotsExhaustedError):
        _simplex.improve(basis, program.cost, _simplex.Budget(0))


def test_what_would_have_to_give_makes_an_infeasible_program_feasible_and_less_does_not():
    n_infeasible = 0
    for seed in range(400):
        program = draw_program(seed)
        answer, optimum = find(program)
        if optimum.status != "infeasible":
            continue
        n_infeasible += 1
        found = explain(program, answer.message)
        assert found.status == "infeasible"
        assert "proven in exact arithmetic" in found.reason
        named = dict(part.split(" instead of ")[0].rsplit(" ", 1) for part in found.message.split("one does with ")[1].split("), "))
        for share, is_enough in ((fmpq(1), True), (fmpq(99, 100), False)):
            constraints = []
            for constraint in program.constraints:
                if constraint.name in named:
                    # The message has ten digits; a little more than it says is enough.
                    amount = abs(fmpq(*Fraction(named[constraint.name]).as_integer_ratio()) - constraint.stated) * share
                    amount += fmpq(1, 10**8) if is_enough else 0
                    lower, upper = constraint.lower, constraint.upper
                    constraint = replace(
                        constraint, lower=None if lower is None else lower - amount, upper=None if upper is None else upper + amount
                    )
                constraints.append(constraint)
            eased = replace(program, constraints=constraints, unknowns=[replace(u, cost=ZERO) for u in program.unknowns])
            assert (find(eased)[1].status == "optimal") == is_enough
    assert n_infeasible > 100


def test_an_unbounded_program_names_the_way():
    unknowns = [Unknown("x", -ONE), Unknown("y", ZERO), Unknown("z", ONE, ZERO, ONE)]
    program = LinearProgram(unknowns, [Constraint("c", {0: ONE, 1: -ONE}, None, ONE, ONE)])
    found = explain(program, "")
    assert (found.status, found.message) == ("unbounded", "the value improves for ever along x, y")


def test_bounds_that_cross_are_named():
    program = LinearProgram([Unknown("x", ONE, 3 * ONE, 2 * ONE)], [])
    assert explain(program, "").message == "bounds with nothing between them: x between 3 and 2"
    narrow = LinearProgram([Unknown("x", ONE, ONE / 4, 3 * ONE / 4, is_integer=True)], [])
    assert explain(narrow, "").message == "bounds with nothing between them: x between 0.25 and 0.75"
