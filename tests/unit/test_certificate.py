"""Certificates of optima: those of the literature, those of polynomials whose stationary points are known, and none that is wrong."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from phaseflow.problems._certificate import Certifier
from phaseflow.problems._conditions import Conditions
from phaseflow.problems._statement import Statement
from phaseflow.problems.minimize import Derivatives
from phaseflow.settings.studies import Study
from tests.unit.optima import DEGENERATE, SMOOTH

NEAR = 1e-3
FIXED = settings(deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def certify(text, point, bounds=None, constraints=None, near=NEAR, bits=240):
    """Certify an answer of a problem in x0, x1, ..."""
    bounds = bounds or [(None, None)] * len(point)
    variables = {f"x{i}": {"start": p, "lower": b[0], "upper": b[1]} for i, (p, b) in enumerate(zip(point, bounds, strict=True))}
    study = Study.model_validate({"minimize": text, "variables": variables, "constraints": constraints})
    derivatives, at = Derivatives(study), np.array(point, dtype=float)
    lower, upper = (np.array(side) for side in zip(*(v.bounds for v in study.variables.values()), strict=True))
    conditions = Conditions(study.constraints or [], derivatives.variables, 1e-6)
    found = conditions.find_multipliers(at, derivatives.find_gradient(at), lower, upper)
    return Certifier(Statement.of(study), bits, near).certify(at, found.slopes, found.conditions), derivatives


@pytest.mark.parametrize("problem", SMOOTH, ids=lambda problem: problem.name)
def test_the_stationary_points_of_the_literature_are_certified_as_what_they_are(problem):
    bounds = [problem.bounds or (None, None)] * len(problem.point)
    certificate, derivatives = certify(problem.text, problem.point, bounds)
    assert certificate.kind == problem.kind, certificate.reason
    size = max(1, *map(abs, problem.point))
    assert certificate.point == pytest.approx(np.array(problem.point), abs=problem.off * size)
    if problem.value is not None:
        assert certificate.value == pytest.approx(problem.value, rel=problem.off, abs=problem.off)
    # The point is a double next to the enclosure, so it is off by its own rounding at most, and not beyond its radius.
    assert certificate.error <= 2.3e-16 * size
    assert certificate.radius > certificate.error
    # Held against derivatives that another engine computes in doubles, over the variables that are at no bound.
    free = [k for k, (low, high) in enumerate(bounds) if problem.point[k] not in (low, high)]
    hessian = derivatives.find_hessian(certificate.point)[np.ix_(free, free)]
    signs = np.sign(np.linalg.eigvalsh(hessian))
    expected = {"unique_minimum": {1}, "saddle": {-1, 1}, "stationary": {-1}}[problem.kind]
    assert set(signs) == expected
    step = np.linalg.solve(hessian, derivatives.find_gradient(certificate.point)[free])
    assert np.abs(step).max() <= 1e-8 * size
    if problem.kind == "unique_minimum":
        # The published point has been rounded, so its value lies above by about the square of that, or by nothing.
        assert 0 <= certificate.gap <= problem.off * max(1, abs(certificate.value))


@pytest.mark.parametrize("off", [0.0, 1e-9, 1e-6])
@pytest.mark.parametrize("name", DEGENERATE)
def test_there_is_no_certificate_where_the_hessian_is_singular_or_the_function_not_smooth(name, off):
    text, point, reason = DEGENERATE[name]
    answer = [p + off * side for p, side in zip(point, (1, -0.7, 0.3, 0.9), strict=False)]
    certificate, _ = certify(text, answer)
    assert certificate.kind == "none"
    # Beside a line of minima Newton's method may also end nowhere.
    assert reason in certificate.reason or (reason == "singular" and "no stationary point" in certificate.reason)
    assert np.isnan(certificate.gap) or certificate.scope == "global"


def make_taylor(entries, cubic, centre, n):
    """Return a polynomial in x0 .. with a stationary point at `centre`, with a given Hessian there and given cubic terms."""
    shifted = [f"(x{i} - ({c}))" for i, c in enumerate(centre)]
    pairs = list(itertools.combinations_with_replacement(range(n), 2))
    triples = list(itertools.combinations_with_replacement(range(n), 3))
    quadratic = [f"({a})*{shifted[i]}*{shifted[j]}{'/2' if i == j else ''}" for (i, j), a in zip(pairs, entries, strict=False)]
    third = [f"({a})*{'*'.join(shifted[k] for k in triple)}" for triple, a in zip(triples, cubic, strict=False)]
    matrix = [[Fraction(0)] * n for _ in range(n)]
    for (i, j), a in zip(pairs, entries, strict=False):
        matrix[i][j] = matrix[j][i] = Fraction(a)
    return " + ".join(quadratic + third), matrix


def find_signs(matrix):
    """Return the signs of the leading minors' quotients by exact elimination; None where the order of pivots must change or one is zero."""
    rows, signs = [list(row) for row in matrix], []
    for k in range(len(rows)):
        if rows[k][k] == 0:
            return None
        signs.append(1 if rows[k][k] > 0 else -1)
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    return signs


def find_determinant(matrix):
    n = len(matrix)
    if n == 1:
        return matrix[0][0]
    return sum((-1) ** j * matrix[0][j] * find_determinant([[row[k] for k in range(n) if k != j] for row in matrix[1:]]) for j in range(n))


SMALL = st.integers(-4, 4)


@settings(FIXED, max_examples=80)
@given(
    st.integers(1, 3), st.lists(SMALL, min_size=6, max_size=6), st.lists(st.integers(-1, 1), min_size=10, max_size=10),
    st.lists(st.sampled_from(["0", "1", "-2.5", "1/3", "0.1"]), min_size=3, max_size=3), st.sampled_from([0.0, 1e-12, 1e-7]),
)  # fmt: skip
def test_a_certificate_tells_the_hessian_of_a_polynomial_whose_stationary_point_is_known(n, entries, cubic, centre, off):
    text, matrix = make_taylor(entries, cubic, centre[:n], n)
    assume(all(any(row) for row in matrix))
    answer = [float(Fraction(c)) + off for c in centre[:n]]
    certificate, _ = certify(text, answer)
    if find_determinant(matrix) == 0:
        assert certificate.kind == "none"
        return
    signs = find_signs(matrix)
    # A zero pivot of a regular matrix stands for two eigenvalues of opposite sign.
    wanted = "saddle" if signs is None or len(set(signs)) == 2 else "unique_minimum" if signs[0] > 0 else "stationary"
    assert certificate.kind == wanted, (text, certificate.reason)
    assert certificate.point == pytest.approx([float(Fraction(c)) for c in centre[:n]], abs=1e-15)


@settings(FIXED, max_examples=40)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=5), st.integers(0, 4), st.sampled_from([0.0, 1e-9, 1e-6]))
def test_a_certificate_tells_each_zero_of_a_slope_with_known_roots(roots, which, off):
    # f' = (x - r1)(x - r2)..., so that f is known to its last coefficient.
    coefficients = [Fraction(1)]
    for root in roots:
        coefficients = [a - root * b for a, b in zip([Fraction(0), *coefficients], [*coefficients, Fraction(0)], strict=True)]
    text = " + ".join(f"({c})*x0**{k + 1}/{k + 1}" for k, c in enumerate(coefficients) if c)
    root = roots[which % len(roots)]
    certificate, _ = certify(text, [root + off])
    if roots.count(root) > 1:
        assert certificate.kind == "none"
        return
    slope = np.prod([root - other for other in roots if other != root])
    assert certificate.kind == ("unique_minimum" if slope > 0 else "stationary"), certificate.reason
    assert certificate.point[0] == pytest.approx(root, abs=1e-15)
    others = [abs(root - other) for other in roots if other != root]
    # What is said to be free of others is.
    assert not others or certificate.radius * max(1, abs(root)) < min(others)


@settings(FIXED, max_examples=40)
@given(st.lists(SMALL, min_size=3, max_size=3), st.lists(SMALL, min_size=2, max_size=2))
def test_the_least_point_of_a_convex_quadratic_in_a_box_is_certified_and_others_are_not(entries, linear):
    a, b, c = abs(entries[0]) + 1, entries[1], abs(entries[2]) + 1
    assume(a * c > b * b)
    text = f"{a}*x0**2/2 + ({b})*x0*x1 + {c}*x1**2/2 + ({linear[0]})*x0 + ({linear[1]})*x1"
    # Every face of the box by itself, in exact numbers; the least of its stationary points within the box is the answer.
    least = min(list_face_points(a, b, c, linear), key=lambda pair: pair[0])
    certificate, _ = certify(text, [float(p) for p in least[1]], [(-1, 1), (-1, 1)])
    assert certificate.kind in ("unique_minimum", "none")
    if certificate.kind == "unique_minimum":
        assert certificate.scope == "global"
        assert certificate.value == pytest.approx(float(least[0]), abs=1e-14)
        assert certificate.least <= float(least[0])
    else:
        assert "bound" in certificate.reason
    corner = [1.0 if least[1][0] < 0 else -1.0, 1.0 if least[1][1] < 0 else -1.0]
    assert certify(text, corner, [(-1, 1), (-1, 1)])[0].kind == "none"


def list_face_points(a, b, c, linear):
    """Yield the value at, and the place of, the stationary point of each face of the box from -1 to 1 that lies in the box."""
    p, q = map(Fraction, linear)
    a, b, c = map(Fraction, (a, b, c))
    places = [((b * q - c * p) / (a * c - b * b), (b * p - a * q) / (a * c - b * b))]
    places += [(side, (-q - b * side) / c) for side in (Fraction(-1), Fraction(1))]
    places += [((-p - b * side) / a, side) for side in (Fraction(-1), Fraction(1))]
    places += list(itertools.product((Fraction(-1), Fraction(1)), repeat=2))
    for x, y in places:
        if abs(x) <= 1 and abs(y) <= 1:
            yield a * x * x / 2 + b * x * y + c * y * y / 2 + p * x + q * y, (x, y)


@pytest.mark.parametrize(
    ("text", "answer", "bounds", "kind"),
    [
        ("x0", [0.0], [(0, 1)], "unique_minimum"),
        ("-x0", [1.0], [(0, 1)], "unique_minimum"),
        ("-x0**2 + x0", [0.0], [(0, 3)], "unique_minimum"),
        ("x0**2", [0.0], [(0, 1)], "unique_minimum"),
        ("x0**2", [1e-9], [(0, 1)], "unique_minimum"),
        ("x0**3", [0.0], [(0, 1)], "none"),
        ("-x0**2", [0.0], [(0, 1)], "none"),
        ("x0", [1.0], [(0, 1)], "none"),
        ("x0**2 - x1**2 + x1", [0.0, 0.0], [(None, None), (0, None)], "unique_minimum"),
        ("-x0**2 + x1", [0.0, 0.0], [(None, None), (0, None)], "saddle"),
        ("(x0 - 1/3)**2 + x1", [1 / 3, 0.0], [("1/3", 1), (0, 1)], "none"),
        ("(x0 - 1/3)**2 + x0 + x1", [1 / 3, 0.0], [("1/3", 1), (0, 1)], "unique_minimum"),
    ],
)
def test_at_a_bound_slopes_must_push_outwards(text, answer, bounds, kind):
    certificate, _ = certify(text, answer, bounds)
    assert certificate.kind == kind, certificate.reason


# Hock and Schittkowski (1981), Test Examples for Nonlinear Programming Codes, by their numbers.
HS71 = "x0*x3*(x0 + x1 + x2) + x2"
CONSTRAINED = {
    "HS6": ("(1 - x0)**2", [1, 1], None, ["10*(x1 - x0**2) == 0"], 0),
    "HS7": ("log(1 + x0**2) - x1", [0, 3**0.5], None, ["(1 + x0**2)**2 + x1**2 == 4"], -(3**0.5)),
    "HS10": ("x0 - x1", [0, 1], None, ["-3*x0**2 + 2*x0*x1 - x1**2 + 1 >= 0"], -1),
    "HS11": ("(x0 - 5)**2 + x1**2 - 25", [1.234772, 1.524664], None, ["x1 >= x0**2"], -8.498464223),
    "HS12": ("x0**2/2 + x1**2 - x0*x1 - 7*x0 - 7*x1", [2, 3], None, ["25 - 4*x0**2 - x1**2 >= 0"], -30),
    "HS14": ("(x0 - 2)**2 + (x1 - 1)**2", [0.82287566, 0.91143783], None, ["x0 - 2*x1 == -1", "x0**2/4 + x1**2 <= 1"], 1.39346498),
    "HS28": ("(x0 + x1)**2 + (x1 + x2)**2", [0.5, -0.5, 0.5], None, ["x0 + 2*x1 + 3*x2 == 1"], 0),
    "HS35": (
        "9 - 8*x0 - 6*x1 - 4*x2 + 2*x0**2 + 2*x1**2 + x2**2 + 2*x0*x1 + 2*x0*x2", [4 / 3, 7 / 9, 4 / 9], [(0, None)] * 3,
        ["x0 + x1 + 2*x2 <= 3"], 1 / 9,
    ),
    "HS43": (
        "x0**2 + x1**2 + 2*x2**2 + x3**2 - 5*x0 - 5*x1 - 21*x2 + 7*x3", [0, 1, 2, -1], None,
        ["8 - x0**2 - x1**2 - x2**2 - x3**2 - x0 + x1 - x2 + x3 >= 0", "10 - x0**2 - 2*x1**2 - x2**2 - 2*x3**2 + x0 + x3 >= 0",
         "5 - 2*x0**2 - x1**2 - x2**2 - 2*x0 + x1 + x3 >= 0"], -44,
    ),
    "HS71": (
        HS71, [1, 4.7429994, 3.8211503, 1.3794082], [(1, 5)] * 4, ["x0*x1*x2*x3 >= 25", "x0**2 + x1**2 + x2**2 + x3**2 == 40"], 17.0140173,
    ),
    "HS76": (
        "x0**2 + x1**2/2 + x2**2 + x3**2/2 - x0*x2 + x2*x3 - x0 - 3*x1 + x2 - x3", [3 / 11, 23 / 11, 0, 6 / 11], [(0, None)] * 4,
        ["x0 + 2*x1 + x2 + x3 <= 5", "3*x0 + x1 + 2*x2 - x3 <= 4", "x1 + 4*x2 >= 1.5"], -4.681818181,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONSTRAINED)
def test_constrained_minima_of_the_literature_are_certified(name):
    text, point, bounds, constraints, value = CONSTRAINED[name]
    certificate, _ = certify(text, [float(p) for p in point], bounds, constraints)
    assert certificate.kind == "unique_minimum", certificate.reason
    assert certificate.point == pytest.approx(np.array(point, dtype=float), abs=1e-6)
    assert certificate.value == pytest.approx(value, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "answer", "constraints", "kind"),
    [
        # On a circle of radius 2, x + y has its least at -sqrt(2), its greatest at sqrt(2).
        ("x0 + x1", [-(2**0.5), -(2**0.5)], ["x0**2 + x1**2 == 4"], "unique_minimum"),
        ("x0 + x1", [2**0.5, 2**0.5], ["x0**2 + x1**2 == 4"], "stationary"),
        ("x0 + x1", [2**0.5, 2**0.5], ["x0**2 + x1**2 <= 4"], "none"),
        # The curvature of the constraint decides: a saddle of the objective is a minimum along the line, or along the other a maximum.
        ("x0**2 - x1**2", [0, 0], ["x1 == 2*x0"], "stationary"),
        ("x0**2 - x1**2", [0, 0], ["x0 == 2*x1"], "unique_minimum"),
        ("x0**2 - x1**2 + x2**2", [0, 0, 0], ["x2 == 0"], "saddle"),
        # Both constraints have the same slope: multipliers are not unique.
        ("x0**2 + x1", [0, 0], ["x1 >= 0", "x1 >= x0**2*0 + 0*x1"], "none"),
        # Zero multipliers: what holds them with equality is not told.
        ("x0**2 + x1**2", [0, 0], ["x0 >= 0"], "none"),
        # The slope of the constraint vanishes where it holds: no multipliers (Fritz John).
        ("x0", [0, 0], ["x1**2 == x0**3"], "none"),
        ("x0**2 + x1**2", [1, 1], ["x0 + x1 == 2", "2*x0 + 2*x1 == 4"], "none"),
    ],
)
def test_what_a_point_under_constraints_is(text, answer, constraints, kind):
    certificate, _ = certify(text, [float(x) for x in answer], None, constraints)
    assert certificate.kind == kind, certificate.reason


@settings(FIXED, max_examples=40)
@given(st.lists(SMALL, min_size=5, max_size=5), st.tuples(SMALL, SMALL, SMALL), st.sampled_from([0.0, 1e-8]))
def test_along_a_line_the_curvature_of_a_quadratic_tells_what_its_stationary_point_is(entries, line, off):
    a, b, c, p, q = map(Fraction, entries)
    u, v, w = map(Fraction, line)
    assume(u or v)
    curvature = a * v * v - 2 * b * u * v + c * u * u
    base = (u * w / (u * u + v * v), v * w / (u * u + v * v))
    slope = -v * (a * base[0] + b * base[1] + p) + u * (b * base[0] + c * base[1] + q)
    along = -slope / curvature if curvature else Fraction(0)
    point = [float(base[0] - v * along), float(base[1] + u * along)]
    text = f"({a})*x0**2/2 + ({b})*x0*x1 + ({c})*x1**2/2 + ({p})*x0 + ({q})*x1 + 0*x0"
    certificate, _ = certify(text, [point[0] + off * float(-v), point[1] + off * float(u)], None, [f"({u})*x0 + ({v})*x1 + 0*x1 == {w}"])
    if curvature == 0:
        assert certificate.kind == "none"
    else:
        assert certificate.kind == ("unique_minimum" if curvature > 0 else "stationary"), certificate.reason
        assert certificate.point == pytest.approx(point, abs=1e-13)


@settings(FIXED, max_examples=25)
@given(st.lists(st.integers(-3, 3), min_size=5, max_size=5))
def test_on_a_circle_certificates_are_those_of_the_angle(entries):
    a, b, c, p, q = entries

    def turn(angle, order):
        # a cos**2 + b cos sin + c sin**2 + p cos + q sin by its Fourier series, without the mean (a + c)/2.
        double = (a - c) / 2 * np.cos(2 * angle + order * np.pi / 2) + b / 2 * np.sin(2 * angle + order * np.pi / 2)
        return 2**order * double + p * np.cos(angle + order * np.pi / 2) + q * np.sin(angle + order * np.pi / 2)

    grid = np.linspace(0.01, 0.01 + 2 * np.pi, 721)
    slopes = turn(grid, 1)
    for low, high in zip(grid[:-1][slopes[:-1] * slopes[1:] < 0], grid[1:][slopes[:-1] * slopes[1:] < 0], strict=True):
        angle = brentq(lambda x: turn(x, 1), low, high, xtol=1e-14)
        # Two stationary points that have nearly met are not told from one.
        if abs(turn(angle, 2)) < 1e-2:
            continue
        text = f"({a})*x0**2 + ({b})*x0*x1 + ({c})*x1**2 + ({p})*x0 + ({q})*x1"
        certificate, _ = certify(text, [float(np.cos(angle)), float(np.sin(angle))], None, ["x0**2 + x1**2 == 1"])
        assert certificate.kind == ("unique_minimum" if turn(angle, 2) > 0 else "stationary"), certificate.reason
        if certificate.scope == "global":
            # The grid's steps of 0.009 miss the least value by at most half the largest curvature, 30, times 0.0044**2.
            assert certificate.value <= turn(grid, 0).min() + (a + c) / 2 + 1e-12
            assert certificate.value >= turn(grid, 0).min() + (a + c) / 2 - 3e-4


def test_an_answer_far_from_the_stationary_point_has_no_certificate():
    rosenbrock = "(1 - x0)**2 + 100*(x1 - x0**2)**2"
    assert certify(rosenbrock, [1 + 1e-5, 1 + 2e-5])[0].kind == "unique_minimum"
    far = certify(rosenbrock, [1.05, 1.1])[0]
    assert far.kind == "none"
    assert "more than near allows" in far.reason
    # Where the Hessian need not be definite between the two, it is the box that is missing.
    assert "no other stationary point between" in certify(rosenbrock, [1.01, 1.02], near=0.1)[0].reason
    # A convex function has one minimum, wherever it is looked for, so the gap is known even so.
    convex = certify("x0**2 + 10*x1**2 + x0*x1", [1.0, 1.0])[0]
    assert (convex.kind, convex.scope) == ("none", "global")
    assert convex.gap == 12


def test_a_minimum_found_exactly_has_no_error_and_one_that_no_double_holds_has():
    exact, _ = certify("x0**2 + 10*x1**2 + x0*x1", [1e-9, -1e-9])
    assert (exact.error, exact.value) == (0, 0)
    assert exact.point.tolist() == [0, 0]
    third, _ = certify("(x0 - 1/3)**2", [1 / 3])
    assert 0 < third.error < 2e-17


def test_two_stationary_points_close_together_are_told_apart():
    for gap in ("1e-6", "1e-12", "1e-20"):
        text = f"x0**3/3 - {gap}*x0**2/2"
        low, high = certify(text, [0.0])[0], certify(text, [float(gap)])[0]
        assert (low.kind, high.kind) == ("stationary", "unique_minimum")
        assert 0 < low.radius < float(gap)
        assert 0 < high.radius < float(gap)
    # Halfway between them, neither is the nearest.
    assert certify("x0**3/3 - 5e-7*x0**2", [5e-7])[0].kind == "none"


def test_the_gap_bounds_what_the_answer_lies_above_the_minimum():
    for off in (0.0, 1e-12, 1e-6, 1e-4):
        certificate, _ = certify("x0**2", [off])
        assert certificate.gap == pytest.approx(off**2, rel=1e-15, abs=0)
        assert Fraction(certificate.gap) >= Fraction(off) ** 2


def test_a_certificate_does_not_depend_on_what_was_certified_before():
    study = Study.model_validate({"minimize": "x0**4 - x0**2", "variables": {"x0": {"start": 0}}})
    answers = [np.array([x]) for x in (0.7071, 0.0, -0.70711, 5.0)]
    zeros = np.zeros(1), np.zeros(0)
    one = [Certifier(Statement.of(study), 240, NEAR).certify(x, *zeros) for x in answers]
    certifier = Certifier(Statement.of(study), 240, NEAR)
    other = [certifier.certify(x, *zeros) for x in reversed(answers)][::-1]
    assert [str(c) for c in one] == [str(c) for c in other]
    assert [c.kind for c in one] == ["unique_minimum", "stationary", "unique_minimum", "none"]
