"""Taylor series of solutions against series known otherwise."""

import heyoka as hy
import numpy as np
import pytest
from mpmath import mp

from phaseflow.dynamics.fields import make_field
from phaseflow.dynamics.taylor_series import expand_solution
from phaseflow.settings.systems import System

ORDER = 14


def expand(equations, initial, parameters=None, step=1.0, time=0.0):
    """Return the terms of all states, of shape (dimension, ORDER + 1)."""
    system = System.model_validate({"equations": equations, "initial": initial, "parameters": parameters or {}})
    field = make_field(system)
    series = expand_solution(system, field, hy.par[len(system.parameters)], ORDER)
    function = hy.cfunc([term for terms in series for term in terms], vars=[variable for variable, _ in field.equations])
    constants = np.array([*(quantity.value for quantity in system.parameters.values()), step])[: function.nparams]
    clock = {"time": time} if function.is_time_dependent else {}
    state = np.array([quantity.value for quantity in system.initial.values()])
    return np.array(function(state, pars=constants, **clock)).reshape(len(equations), ORDER + 1)


# Functions of X, and where their series is taken.
FUNCTIONS = {
    "X**2": (lambda x: x**2, 0.7), "X**7": (lambda x: x**7, 0.7), "X**-3": (lambda x: x**-3, 0.7), "X**0": (lambda x: x**0, 0.7),
    "X**2.5": (lambda x: x ** mp.mpf(2.5), 0.7), "2**X": (lambda x: mp.mpf(2) ** x, 0.7), "X**X": (lambda x: x**x, 0.7),
    "1/X": (lambda x: 1 / x, 0.7), "X/(1 + X)": (lambda x: x / (1 + x), 0.7), "-X*X - 3*X + 1": (lambda x: -x * x - 3 * x + 1, 0.7),
    "sqrt(X)": (mp.sqrt, 0.7), "exp(X)": (mp.exp, 0.7), "log(X)": (mp.log, 0.7),
    "sin(X)": (mp.sin, 0.7), "cos(X)": (mp.cos, 0.7), "tan(X)": (mp.tan, 0.7),
    "asin(X)": (mp.asin, 0.3), "acos(X)": (mp.acos, 0.3), "atan(X)": (mp.atan, 0.7),
    "sinh(X)": (mp.sinh, 0.7), "cosh(X)": (mp.cosh, 0.7), "tanh(X)": (mp.tanh, 0.7),
    "sigmoid(X)": (lambda x: 1 / (1 + mp.exp(-x)), 0.7), "erf(X)": (mp.erf, 0.7),
    "atan2(X, 2 - X**2)": (lambda x: mp.atan2(x, 2 - x**2), 0.7), "atan2(X, -1)": (lambda x: mp.atan2(x, -1), 0.7),
    "atan2(1, X)": (lambda x: mp.atan2(1, x), -0.7),
}  # fmt: skip


@pytest.mark.parametrize("curve", ["x", "(x - x**2/3)"], ids=["line", "curve"])
@pytest.mark.parametrize("text", FUNCTIONS)
def test_a_function_has_its_series(text, curve):
    """With x' = 1 and y' = f(u(x)), term k + 1 of y is term k of f(u), over k + 1."""
    function, start = FUNCTIONS[text]
    terms = expand({"x": "1", "y": text.replace("X", curve)}, {"x": start, "y": 0})[1]
    with mp.workdps(60):
        known = mp.taylor(lambda x: function(x if curve == "x" else x - x**2 / 3), mp.mpf(start), ORDER - 1)
        wanted = [0.0, *(float(value / (power + 1)) for power, value in enumerate(known))]
    # The terms are sums of at most ORDER products of terms whose rounding is relative to the largest of them.
    assert terms == pytest.approx(wanted, rel=1e-11, abs=1e-13 * np.abs(wanted).max())


@pytest.mark.parametrize(("equation", "known"), [
    ("a*x", lambda k: 0.5**k / mp.factorial(k)),
    ("a*x + b*sin(a) - b*sin(a)", lambda k: 0.5**k / mp.factorial(k)),
    ("x**2/2", lambda k: 0.5**k),
    ("x**(1 + 4*a)/3*b/(2/3*b)", lambda k: mp.binomial(-0.5, k) * (-1) ** k),
    ("2**(a + a)/2", lambda k: float(k < 2)),
])  # fmt: skip
def test_a_solution_has_its_series(equation, known):
    """From 1: x' = x/2 gives exp(t/2), x' = x**2/2 gives 1/(1 - t/2), x' = x**3/2 gives (1 - t)**(-1/2), x' = 1 gives 1 + t."""
    terms = expand({"x": equation}, {"x": 1}, {"a": 0.5, "b": 7})[0]
    wanted = [float(known(power)) for power in range(ORDER + 1)]
    assert terms == pytest.approx(wanted, rel=1e-13, abs=1e-15)


def test_the_step_is_in_the_terms():
    full, half = (expand({"x": "y", "y": "-sin(x)*y"}, {"x": 1, "y": 2}, step=step) for step in (1.0, 0.5))
    assert half == pytest.approx(full * 0.5 ** np.arange(ORDER + 1), rel=1e-14)


def test_the_time_is_a_series_too():
    terms = expand({"x": "cos(3*t) + t**2"}, {"x": 0}, time=0.4)[0]
    with mp.workdps(60):
        wanted = [0.0, *(float(v / (k + 1)) for k, v in enumerate(mp.taylor(lambda t: mp.cos(3 * t) + t**2, mp.mpf(0.4), ORDER - 1)))]
    assert terms == pytest.approx(wanted, rel=1e-12, abs=1e-14)


def test_a_whole_power_is_right_where_its_base_is_zero():
    terms = expand({"x": "1", "y": "x**5"}, {"x": 0, "y": 0})[1]
    assert terms.tolist() == [0.0] * 6 + [1 / 6] + [0.0] * 8


def test_a_subexpression_is_computed_once():
    def count(equations):
        system = System.model_validate({"equations": equations, "initial": dict.fromkeys(equations, 1)})
        series = expand_solution(system, make_field(system), hy.par[0], ORDER)
        return len(hy.cfunc([terms[-1] for terms in series], vars=[v for v, _ in make_field(system).equations]).dc)

    same = count({"x": "exp(sin(x*y))", "y": "exp(sin(x*y)) + 1"})
    different = count({"x": "exp(sin(x*y))", "y": "exp(sin(x*y + 2)) + 1"})
    # Of three functions of x*y a half or more is computed once instead of twice; x*y itself always is.
    assert same < 0.75 * different


def test_an_angle_without_digits_is_no_number_and_spoils_no_lane():
    """Careful: the compiled sine of a batch changes last digits where another lane's angle is beyond 1e14 or no number."""
    system = System.model_validate({"equations": {"x": "sin(x) + cos(x)*tan(x)"}, "initial": {"x": 0}})
    field = make_field(system)
    series = expand_solution(system, field, hy.par[0], 6)
    function = hy.cfunc(series[0], vars=[field.equations[0][0]], batch_size=8, force_avx512=True)
    random = np.random.default_rng(3)
    state = random.choice([-1, 1], 8000) * 10 ** random.uniform(-3, 8, 8000)
    alone = function(state[None], pars=np.ones((1, 8000)))
    for large in (1e15, 1e300, np.inf, np.nan):
        beside = state.copy()
        beside[::8] = large
        found = function(beside[None], pars=np.ones((1, 8000)))
        others = np.arange(8000) % 8 != 0
        assert np.array_equal(found[:, others], alone[:, others])
        assert np.isnan(found[1, ::8]).all()
