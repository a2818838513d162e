# ruff: noqa: E501 - a table of numbers
"""The classic functions of global optimisation, as expressions with their bounds, their least value and where it is taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from phaseflow.expressions.quantity import Expression
from phaseflow.problem_sets import Array, Instance, ProblemSet

_DIXON = "Dixon and Szegö (1978), Towards Global Optimization 2, 1-15"
_JAMIL = "Jamil and Yang (2013), Int. J. Mathematical Modelling and Numerical Optimisation 4, 150-194"
_MORE = "Moré, Garbow and Hillstrom (1981), ACM Trans. Math. Softw. 7, 17-41"
_SHEKEL_PLACES = ((4, 4, 4, 4), (1, 1, 1, 1), (8, 8, 8, 8), (6, 6, 6, 6), (3, 7, 3, 7), (2, 9, 2, 9), (5, 5, 3, 3), (8, 1, 8, 1), (6, 2, 6, 2),
                  (7, 3.6, 7, 3.6))  # fmt: skip
_SHEKEL_DEPTHS = (0.1, 0.2, 0.2, 0.4, 0.4, 0.6, 0.3, 0.7, 0.5, 0.5)
_HARTMANN_HEIGHTS = (1.0, 1.2, 3.0, 3.2)
_HARTMANN_3 = (((3, 10, 30), (0.3689, 0.1170, 0.2673)), ((0.1, 10, 35), (0.4699, 0.4387, 0.7470)),
               ((3, 10, 30), (0.1091, 0.8732, 0.5547)), ((0.1, 10, 35), (0.03815, 0.5743, 0.8828)))  # fmt: skip
_HARTMANN_6 = (((10, 3, 17, 3.5, 1.7, 8), (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886)),
               ((0.05, 10, 17, 0.1, 8, 14), (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991)),
               ((3, 3.5, 1.7, 10, 17, 8), (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650)),
               ((17, 8, 0.05, 10, 0.1, 14), (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381)))  # fmt: skip


@dataclass(frozen=True)
class Function:
    """A function of x1 .. xn.

    Attributes
    ----------
    bounds : lower and upper, one pair for all variables or one a variable.
    least : the least value within the bounds.
    at : points where it is taken.
    is_smooth : it has two derivatives at those points.
    """

    formula: str
    dimension: int
    bounds: Sequence[tuple[float, float]]
    least: float
    at: Sequence[Sequence[float]]
    source: str = _JAMIL
    is_smooth: bool = True


def join(term: Callable[[int], str], last: int, first: int = 1, sign: str = " + ") -> str:
    """Return the terms of a sum (or product) from `first` to `last`, each of its number."""
    return sign.join(f"({term(i)})" for i in range(first, last + 1))


def _shekel(wells: int) -> str:
    def well(i: int) -> str:
        return " + ".join([*(f"(x{k} - {a})**2" for k, a in enumerate(_SHEKEL_PLACES[i - 1], 1)), str(_SHEKEL_DEPTHS[i - 1])])

    return "-(" + join(lambda i: f"1/({well(i)})", wells) + ")"


def _hartmann(rows: Sequence[tuple[Sequence[float], Sequence[float]]]) -> str:
    def bump(i: int) -> str:
        widths, places = rows[i - 1]
        inner = " + ".join(f"{w}*(x{k} - {p})**2" for k, (w, p) in enumerate(zip(widths, places, strict=True), 1))
        return f"{_HARTMANN_HEIGHTS[i - 1]}*exp(-({inner}))"

    return "-(" + join(bump, len(rows)) + ")"


def _ackley(n: int) -> str:
    squares, waves = join(lambda i: f"x{i}**2", n), join(lambda i: f"cos(2*pi*x{i})", n)
    return f"-20*exp(-0.2*sqrt(({squares})/{n})) - exp(({waves})/{n}) + 20 + e"


def _levy(n: int) -> str:
    def w(i: int) -> str:
        return f"(1 + (x{i} - 1)/4)"

    inner = join(lambda i: f"({w(i)} - 1)**2*(1 + 10*sin(pi*{w(i)} + 1)**2)", n - 1)
    return f"sin(pi*{w(1)})**2 + {inner} + ({w(n)} - 1)**2*(1 + sin(2*pi*{w(n)})**2)"


def _rosenbrock(n: int) -> str:
    return join(lambda i: f"100*(x{i + 1} - x{i}**2)**2 + (1 - x{i})**2", n - 1)


def _griewank(n: int) -> str:
    return f"1 + ({join(lambda i: f'x{i}**2', n)})/4000 - {join(lambda i: f'cos(x{i}/sqrt({i}))', n, sign='*')}"


def _zakharov(n: int) -> str:
    tilt = join(lambda i: f"{i}*x{i}/2", n)
    return f"{join(lambda i: f'x{i}**2', n)} + ({tilt})**2 + ({tilt})**4"


def _goldstein_price() -> str:
    first = "1 + (x1 + x2 + 1)**2*(19 - 14*x1 + 3*x1**2 - 14*x2 + 6*x1*x2 + 3*x2**2)"
    second = "30 + (2*x1 - 3*x2)**2*(18 - 32*x1 + 12*x1**2 + 48*x2 - 36*x1*x2 + 27*x2**2)"
    return f"({first})*({second})"


def _shubert() -> str:
    return "*".join("(" + join(lambda i, k=k: f"{i}*cos({i + 1}*x{k} + {i})", 5) + ")" for k in (1, 2))  # type: ignore[misc]


def _dixon_price_point(n: int) -> tuple[float, ...]:
    return tuple(2.0 ** (-(2.0**i - 2) / 2.0**i) for i in range(1, n + 1))


def _trid_point(n: int) -> tuple[float, ...]:
    return tuple(float(i * (n + 1 - i)) for i in range(1, n + 1))


FUNCTIONS = {
    "ackley_2": Function(_ackley(2), 2, [(-32.768, 32.768)], 0.0, [[0.0] * 2], is_smooth=False),
    "ackley_10": Function(_ackley(10), 10, [(-32.768, 32.768)], 0.0, [[0.0] * 10], is_smooth=False),
    "alpine_5": Function(join(lambda i: f"abs(x{i}*sin(x{i}) + 0.1*x{i})", 5), 5, [(-10, 10)], 0.0, [[0.0] * 5], is_smooth=False),
    "beale": Function("(1.5 - x1 + x1*x2)**2 + (2.25 - x1 + x1*x2**2)**2 + (2.625 - x1 + x1*x2**3)**2", 2, [(-4.5, 4.5)], 0.0, [[3, 0.5]],
                      _MORE),
    "bohachevsky": Function("x1**2 + 2*x2**2 - 0.3*cos(3*pi*x1) - 0.4*cos(4*pi*x2) + 0.7", 2, [(-100, 100)], 0.0, [[0, 0]]),
    "booth": Function("(x1 + 2*x2 - 7)**2 + (2*x1 + x2 - 5)**2", 2, [(-10, 10)], 0.0, [[1, 3]]),
    "branin": Function("(x2 - 5.1*x1**2/(4*pi**2) + 5*x1/pi - 6)**2 + 10*(1 - 1/(8*pi))*cos(x1) + 10", 2, [(-5, 10), (0, 15)],
                       0.3978873577297384, [[-np.pi, 12.275], [np.pi, 2.275], [3 * np.pi, 2.475]], _DIXON),
    "bukin_6": Function("100*sqrt(abs(x2 - 0.01*x1**2)) + 0.01*abs(x1 + 10)", 2, [(-15, -5), (-3, 3)], 0.0, [[-10, 1]], is_smooth=False),
    "colville": Function("100*(x1**2 - x2)**2 + (x1 - 1)**2 + (x3 - 1)**2 + 90*(x3**2 - x4)**2 + 10.1*((x2 - 1)**2 + (x4 - 1)**2)"
                         " + 19.8*(x2 - 1)*(x4 - 1)", 4, [(-10, 10)], 0.0, [[1] * 4]),
    "cross_in_tray": Function("-0.0001*(abs(sin(x1)*sin(x2)*exp(abs(100 - sqrt(x1**2 + x2**2)/pi))) + 1)**0.1", 2, [(-10, 10)],
                              -2.062611870822737, [[1.349406617153911, 1.349406617153911], [-1.349406617153911, 1.349406617153911]]),
    "dixon_price_10": Function(f"(x1 - 1)**2 + {join(lambda i: f'{i}*(2*x{i}**2 - x{i - 1})**2', 10, 2)}", 10, [(-10, 10)], 0.0,
                               [_dixon_price_point(10)]),
    "drop_wave": Function("-(1 + cos(12*sqrt(x1**2 + x2**2)))/(0.5*(x1**2 + x2**2) + 2)", 2, [(-5.12, 5.12)], -1.0, [[0, 0]],
                          is_smooth=False),
    "easom": Function("-cos(x1)*cos(x2)*exp(-(x1 - pi)**2 - (x2 - pi)**2)", 2, [(-100, 100)], -1.0, [[np.pi, np.pi]]),
    "eggholder": Function("-(x2 + 47)*sin(sqrt(abs(x1/2 + x2 + 47))) - x1*sin(sqrt(abs(x1 - x2 - 47)))", 2, [(-512, 512)],
                          -959.6406627208506, [[512, 404.23180511375776]]),
    "goldstein_price": Function(_goldstein_price(), 2, [(-2, 2)], 3.0, [[0, -1]], _DIXON),
    "griewank_2": Function(_griewank(2), 2, [(-600, 600)], 0.0, [[0.0] * 2]),
    "griewank_10": Function(_griewank(10), 10, [(-600, 600)], 0.0, [[0.0] * 10]),
    "hartmann_3": Function(_hartmann(_HARTMANN_3), 3, [(0, 1)], -3.8627821478207554,
                           [[0.11461433858967198, 0.5556488499718569, 0.8525469535208658]], _DIXON),
    "hartmann_6": Function(_hartmann(_HARTMANN_6), 6, [(0, 1)], -3.322368011415515,
                           [[0.20168951100670543, 0.15001069182345797, 0.476873974221897, 0.27533243049405607, 0.31165161660011324,
                             0.6573005340656203]], _DIXON),
    "himmelblau": Function("(x1**2 + x2 - 11)**2 + (x1 + x2**2 - 7)**2", 2, [(-6, 6)], 0.0,
                           [[3, 2], [-2.805118086952745, 3.131312518250573], [-3.779310253377747, -3.283185991286170],
                            [3.584428340330492, -1.848126526964404]]),
    "holder_table": Function("-abs(sin(x1)*cos(x2)*exp(abs(1 - sqrt(x1**2 + x2**2)/pi)))", 2, [(-10, 10)], -19.208502567886732,
                             [[8.055023475736563, 9.664590019241273], [8.055023475736563, -9.664590019241273], [-8.055023475736563, 9.664590019241273], [-8.055023475736563, -9.664590019241273]]),
    "levy_10": Function(_levy(10), 10, [(-10, 10)], 0.0, [[1.0] * 10]),
    "matyas": Function("0.26*(x1**2 + x2**2) - 0.48*x1*x2", 2, [(-10, 10)], 0.0, [[0, 0]]),
    "mccormick": Function("sin(x1 + x2) + (x1 - x2)**2 - 1.5*x1 + 2.5*x2 + 1", 2, [(-1.5, 4), (-3, 4)], -1.9132229549810367,
                          [[0.5 - np.pi / 3, -0.5 - np.pi / 3]]),
    "michalewicz_2": Function(f"-({join(lambda i: f'sin(x{i})*sin({i}*x{i}**2/pi)**20', 2)})", 2, [(0, np.pi)], -1.8013034100985525,
                              [[2.2029055201726093, 1.5707963267948966]]),
    "michalewicz_5": Function(f"-({join(lambda i: f'sin(x{i})*sin({i}*x{i}**2/pi)**20', 5)})", 5, [(0, np.pi)], -4.687658179088146,
                              [[2.2029055201726093, 1.5707963267948966, 1.2849915705529244, 1.9230584698663628, 1.7204697725658413]]),
    "powell_4": Function("(x1 + 10*x2)**2 + 5*(x3 - x4)**2 + (x2 - 2*x3)**4 + 10*(x1 - x4)**4", 4, [(-4, 5)], 0.0, [[0] * 4], _MORE),
    "rastrigin_2": Function(f"20 + {join(lambda i: f'x{i}**2 - 10*cos(2*pi*x{i})', 2)}", 2, [(-5.12, 5.12)], 0.0, [[0.0] * 2]),
    "rastrigin_10": Function(f"100 + {join(lambda i: f'x{i}**2 - 10*cos(2*pi*x{i})', 10)}", 10, [(-5.12, 5.12)], 0.0, [[0.0] * 10]),
    "rosenbrock_2": Function(_rosenbrock(2), 2, [(-5, 10)], 0.0, [[1.0] * 2], _MORE),
    "rosenbrock_10": Function(_rosenbrock(10), 10, [(-5, 10)], 0.0, [[1.0] * 10], _MORE),
    "salomon_5": Function(f"1 - cos(2*pi*sqrt({join(lambda i: f'x{i}**2', 5)})) + 0.1*sqrt({join(lambda i: f'x{i}**2', 5)})", 5,
                          [(-100, 100)], 0.0, [[0.0] * 5], is_smooth=False),
    "schaffer_2": Function("0.5 + (sin(x1**2 - x2**2)**2 - 0.5)/(1 + 0.001*(x1**2 + x2**2))**2", 2, [(-100, 100)], 0.0, [[0, 0]]),
    "schwefel_2": Function(f"-({join(lambda i: f'x{i}*sin(sqrt(abs(x{i})))', 2)})", 2, [(-500, 500)], -837.9657745448675,
                           [[420.968746359982] * 2]),
    "schwefel_10": Function(f"-({join(lambda i: f'x{i}*sin(sqrt(abs(x{i})))', 10)})", 10, [(-500, 500)], -4189.828872724337,
                            [[420.968746359982] * 10]),
    "shekel_5": Function(_shekel(5), 4, [(0, 10)], -10.153199679058227, [[4.000037152819676, 4.00013327659156, 4.000037152819676, 4.00013327659156]], _DIXON),
    "shekel_7": Function(_shekel(7), 4, [(0, 10)], -10.402940566818661, [[4.000572916185823, 4.000689366185304, 3.9994897088591506, 3.9996061588586315]], _DIXON),
    "shekel_10": Function(_shekel(10), 4, [(0, 10)], -10.536409816692043, [[4.000746531592047, 4.000592934138532, 3.9996633980403223, 3.999509800586807]], _DIXON),
    "shubert": Function(_shubert(), 2, [(-10, 10)], -186.73090883102383, [[-7.08350640765156, 4.85805687885983], [4.85805687885983, -7.08350640765156]]),
    "six_hump_camel": Function("(4 - 2.1*x1**2 + x1**4/3)*x1**2 + x1*x2 + (-4 + 4*x2**2)*x2**2", 2, [(-3, 3), (-2, 2)],
                               -1.0316284534898774, [[0.08984201310031806, -0.7126564030207396], [-0.08984201310031806, 0.7126564030207396]], _DIXON),
    "sphere_10": Function(join(lambda i: f"x{i}**2", 10), 10, [(-5.12, 5.12)], 0.0, [[0.0] * 10]),
    "styblinski_tang_5": Function(f"({join(lambda i: f'x{i}**4 - 16*x{i}**2 + 5*x{i}', 5)})/2", 5, [(-5, 5)], -195.83082851885708,
                                  [[-2.903534027771178] * 5]),
    "sum_of_powers_5": Function(join(lambda i: f"abs(x{i})**{i + 1}", 5), 5, [(-1, 1)], 0.0, [[0.0] * 5], is_smooth=False),
    "three_hump_camel": Function("2*x1**2 - 1.05*x1**4 + x1**6/6 + x1*x2 + x2**2", 2, [(-5, 5)], 0.0, [[0, 0]]),
    "trid_10": Function(f"{join(lambda i: f'(x{i} - 1)**2', 10)} - ({join(lambda i: f'x{i}*x{i - 1}', 10, 2)})", 10, [(-100, 100)], -210.0,
                        [_trid_point(10)]),
    "zakharov_10": Function(_zakharov(10), 10, [(-5, 10)], 0.0, [[0.0] * 10]),
}  # fmt: skip


def _load(name: str) -> Instance:
    function = FUNCTIONS[name]
    bounds = np.array(function.bounds, dtype=np.float64)
    lower, upper = np.broadcast_to(bounds, (function.dimension, 2)).T.copy()
    points = np.array(function.at, dtype=np.float64)
    variables = tuple(f"x{i}" for i in range(1, function.dimension + 1))
    expression = Expression.parse(function.formula)
    return Instance(_place_start(lower, upper), lower, upper, function.least, points, expression=expression, variables=variables)


def _place_start(lower: Array, upper: Array) -> Array:
    """Return a point off the middle and off every symmetry: at the parts of the golden ratio's multiples, variable by variable."""
    parts = np.modf(np.arange(1, len(lower) + 1) * (np.sqrt(5) - 1) / 2)[0]
    start: Array = lower + parts * (upper - lower)
    return start


PROBLEM_SET = ProblemSet(
    f"{len(FUNCTIONS)} functions of 2 to 10 variables with bounds, most of them with many local minima; exact derivatives.",
    "Each with its own: Dixon and Szegö (1978); Moré, Garbow and Hillstrom (1981); Jamil and Yang (2013) for the others",
    {name: function.dimension for name, function in FUNCTIONS.items()},
    _load,
    is_boxed=True,
    has_derivatives=True,
)
