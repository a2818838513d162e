"""Test problems of the literature as expressions, with their published stationary points.

Sources: MGH - More, Garbow and Hillstrom (1981), ACM TOMS 7, 17-41; JY - Jamil and Yang (2013), Int. J. Mathematical Modelling and
Numerical Optimisation 4, 150-194; DS - Dixon and Szego (1978), Towards Global Optimisation 2; SB - Surjanovic and Bingham, Virtual
Library of Simulation Experiments; MB - Mueller and Brown (1979), Theor. Chim. Acta 53, 75-93. A point is given to the digits printed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A stationary point: its place, its value (None where it is not printed), and what it is."""

    name: str
    text: str
    point: tuple[float, ...]
    value: float | None
    kind: str = "unique_minimum"
    bounds: tuple[float, float] | None = None
    # How exactly the literature prints point and value.
    off: float = 1e-5

    @property
    def names(self) -> list[str]:
        """The names of the variables."""
        return [f"x{place}" for place in range(len(self.point))]


def add(terms) -> str:
    return " + ".join(f"({term})" for term in terms)


def x(i: int) -> str:
    return f"x{i}"


def rosenbrock(n: int) -> str:
    return add(f"100*(x{i + 1} - x{i}**2)**2 + (1 - x{i})**2" for i in range(n - 1))


def trid(n: int) -> str:
    return add(f"(x{i} - 1)**2" for i in range(n)) + " - " + f"({add(f'x{i}*x{i - 1}' for i in range(1, n))})"


def dixon_price(n: int) -> str:
    return "(x0 - 1)**2 + " + add(f"{i + 1}*(2*x{i}**2 - x{i - 1})**2" for i in range(1, n))


def zakharov(n: int) -> str:
    inner = add(f"{(i + 1) / 2}*x{i}" for i in range(n))
    return f"{add(f'x{i}**2' for i in range(n))} + ({inner})**2 + ({inner})**4"


def levy(n: int) -> str:
    w = [f"(1 + (x{i} - 1)/4)" for i in range(n)]
    middle = add(f"({a} - 1)**2*(1 + 10*sin(pi*{a} + 1)**2)" for a in w[:-1])
    return f"sin(pi*{w[0]})**2 + {middle} + ({w[-1]} - 1)**2*(1 + sin(2*pi*{w[-1]})**2)"


def rastrigin(n: int) -> str:
    return add(f"10 + x{i}**2 - 10*cos(2*pi*x{i})" for i in range(n))


def griewank(n: int) -> str:
    return "1 + " + add(f"x{i}**2/4000" for i in range(n)) + " - " + "*".join(f"cos(x{i}/sqrt({i + 1}))" for i in range(n))


def michalewicz(n: int) -> str:
    return "-(" + add(f"sin(x{i})*sin({i + 1}*x{i}**2/pi)**20" for i in range(n)) + ")"


def schwefel(n: int) -> str:
    return f"418.9829*{n} - ({add(f'x{i}*sin(sqrt(abs(x{i})))' for i in range(n))})"


def sinc_shubert() -> str:
    return "*".join("(" + add(f"{k}*cos({k + 1}*x{i} + {k})" for k in range(1, 6)) + ")" for i in range(2))


_SHEKEL_A = [[4] * 4, [1] * 4, [8] * 4, [6] * 4, [3, 7, 3, 7], [2, 9, 2, 9], [5, 5, 3, 3], [8, 1, 8, 1], [6, 2, 6, 2], [7, 3.6, 7, 3.6]]
_SHEKEL_C = [0.1, 0.2, 0.2, 0.4, 0.4, 0.6, 0.3, 0.7, 0.5, 0.5]


def shekel(m: int) -> str:
    rows = zip(_SHEKEL_A[:m], _SHEKEL_C[:m], strict=True)
    return "-(" + add(f"1/({add(f'(x{i} - {a})**2' for i, a in enumerate(row))} + {c})" for row, c in rows) + ")"


_HARTMANN_ALPHA = [1.0, 1.2, 3.0, 3.2]
_HARTMANN3 = (
    [[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]],
    [[0.3689, 0.1170, 0.2673], [0.4699, 0.4387, 0.7470], [0.1091, 0.8732, 0.5547], [0.0381, 0.5743, 0.8828]],
)
_HARTMANN6 = (
    [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]],
    [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886], [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650], [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ],
)  # fmt: skip


def hartmann(tables) -> str:
    rows = zip(_HARTMANN_ALPHA, *tables, strict=True)
    return (
        "-("
        + add(f"{c}*exp(-({add(f'{a}*(x{i} - {p})**2' for i, (a, p) in enumerate(zip(A, P, strict=True)))}))" for c, A, P in rows)
        + ")"
    )


_BARD = [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
_KOWALIK_Y = [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
_KOWALIK_U = [4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]


def bard() -> str:
    return add(f"({y} - (x0 + {u}/({16 - u}*x1 + {min(u, 16 - u)}*x2)))**2" for u, y in enumerate(_BARD, 1))


def kowalik() -> str:
    rows = zip(_KOWALIK_Y, _KOWALIK_U, strict=True)
    return add(f"({y} - x0*(({u})**2 + ({u})*x1)/(({u})**2 + ({u})*x2 + x3))**2" for y, u in rows)


def brown_dennis() -> str:
    return add(f"((x0 + {i}/5*x1 - exp({i}/5))**2 + (x2 + x3*sin({i}/5) - cos({i}/5))**2)**2" for i in range(1, 21))


def biggs_exp6() -> str:
    y = "(exp(-{t}) - 5*exp(-10*({t})) + 3*exp(-4*({t})))"
    return add(
        f"(x2*exp(-({t})*x0) - x3*exp(-({t})*x1) + x5*exp(-({t})*x4) - {y.format(t=t)})**2" for t in [f"{i}/10" for i in range(1, 14)]
    )


def variably_dimensioned(n: int) -> str:
    inner = add(f"{i + 1}*(x{i} - 1)" for i in range(n))
    return f"{add(f'(x{i} - 1)**2' for i in range(n))} + ({inner})**2 + ({inner})**4"


def penalty_1(n: int) -> str:
    return f"{add(f'1e-5*(x{i} - 1)**2' for i in range(n))} + ({add(f'x{i}**2' for i in range(n))} - 0.25)**2"


MUELLER_BROWN = add(
    f"{A}*exp({a}*(x0 - {p})**2 + {b}*(x0 - {p})*(x1 - {q}) + {c}*(x1 - {q})**2)"
    for A, a, b, c, p, q in [
        (-200, -1, 0, -10, 1, 0), (-100, -1, 0, -10, 0, 0.5), (-170, -6.5, 11, -6.5, "(-0.5)", 1.5), (15, 0.7, 0.6, 0.7, "(-1)", 1),
    ]
)  # fmt: skip
HIMMELBLAU = "(x0**2 + x1 - 11)**2 + (x0 + x1**2 - 7)**2"
CAMEL6 = "(4 - 2.1*x0**2 + x0**4/3)*x0**2 + x0*x1 + (-4 + 4*x1**2)*x1**2"
BRANIN = "(x1 - 5.1/(4*pi**2)*x0**2 + 5/pi*x0 - 6)**2 + 10*(1 - 1/(8*pi))*cos(x0) + 10"
GOLDSTEIN = (
    "(1 + (x0 + x1 + 1)**2*(19 - 14*x0 + 3*x0**2 - 14*x1 + 6*x0*x1 + 3*x1**2))"
    "*(30 + (2*x0 - 3*x1)**2*(18 - 32*x0 + 12*x0**2 + 48*x1 - 36*x0*x1 + 27*x1**2))"
)
COLVILLE = (
    "100*(x0**2 - x1)**2 + (x0 - 1)**2 + (x2 - 1)**2 + 90*(x2**2 - x3)**2 + 10.1*((x1 - 1)**2 + (x3 - 1)**2) + 19.8*(x1 - 1)*(x3 - 1)"
)
HELICAL = "100*((x2 - 10*atan2(x1, x0)/(2*pi))**2 + (sqrt(x0**2 + x1**2) - 1)**2) + x2**2"
TREFETHEN = "exp(sin(50*x0)) + sin(60*exp(x1)) + sin(70*sin(x0)) + sin(sin(80*x1)) - sin(10*(x0 + x1)) + (x0**2 + x1**2)/4"
EGGHOLDER = "-(x1 + 47)*sin(sqrt(abs(x1 + x0/2 + 47))) - x0*sin(sqrt(abs(x0 - (x1 + 47))))"
FREUDENSTEIN = "(-13 + x0 + ((5 - x1)*x1 - 2)*x1)**2 + (-29 + x0 + ((x1 + 1)*x1 - 14)*x1)**2"

SMOOTH = [
    Published("sphere", "x0**2 + x1**2 + x2**2", (0, 0, 0), 0),
    Published("quadratic", "x0**2 + 10*x1**2 + x0*x1", (0, 0), 0),
    Published("rosenbrock 2 (MGH 1)", rosenbrock(2), (1, 1), 0),
    Published("rosenbrock 20", rosenbrock(20), (1,) * 20, 0),
    Published("himmelblau, first (JY 65)", HIMMELBLAU, (3, 2), 0),
    Published("himmelblau, second", HIMMELBLAU, (-2.805118, 3.131312), 0, off=1e-6),
    Published("himmelblau, third", HIMMELBLAU, (-3.779310, -3.283186), 0, off=1e-6),
    Published("himmelblau, fourth", HIMMELBLAU, (3.584428, -1.848126), 0, off=1e-6),
    Published("himmelblau's maximum", HIMMELBLAU, (-0.270845, -0.923039), 181.617, "stationary", off=1e-3),
    Published("himmelblau's saddle", HIMMELBLAU, (0.0866775, 2.884255), None, "saddle"),
    Published("beale (MGH 5)", "(1.5 - x0 + x0*x1)**2 + (2.25 - x0 + x0*x1**2)**2 + (2.625 - x0 + x0*x1**3)**2", (3, 0.5), 0),
    Published("booth (JY 17)", "(x0 + 2*x1 - 7)**2 + (2*x0 + x1 - 5)**2", (1, 3), 0),
    Published("matyas (JY 71)", "0.26*(x0**2 + x1**2) - 0.48*x0*x1", (0, 0), 0),
    Published("mccormick (JY 72)", "sin(x0 + x1) + (x0 - x1)**2 - 1.5*x0 + 2.5*x1 + 1", (-0.54719, -1.54719), -1.9133, off=1e-4),
    Published("branin, first (DS)", BRANIN, (3.14159265, 2.275), 0.397887, off=1e-6),
    Published("branin, second", BRANIN, (-3.14159265, 12.275), 0.397887, off=1e-6),
    Published("branin, third", BRANIN, (9.42477796, 2.475), 0.397887, off=1e-6),
    Published("six-hump camel (DS)", CAMEL6, (0.08984201, -0.71265640), -1.03162845, off=1e-7),
    Published("six-hump camel's saddle", CAMEL6, (0, 0), 0, "saddle"),
    Published("three-hump camel", "2*x0**2 - 1.05*x0**4 + x0**6/6 + x0*x1 + x1**2", (0, 0), 0),
    Published("goldstein-price (DS)", GOLDSTEIN, (0, -1), 3),
    Published("goldstein-price, local", GOLDSTEIN, (1.2, 0.8), 840),
    Published("goldstein-price, local 2", GOLDSTEIN, (1.8, 0.2), 84),
    Published("goldstein-price, local 3", GOLDSTEIN, (-0.6, -0.4), 30),
    Published("colville", COLVILLE, (1, 1, 1, 1), 0),
    Published("styblinski-tang", add(f"(x{i}**4 - 16*x{i}**2 + 5*x{i})/2" for i in range(3)), (-2.903534,) * 3, -39.16617 * 3, off=2e-5),
    Published("rastrigin 2", rastrigin(2), (0, 0), 0),
    Published("rastrigin 5, local", rastrigin(5), (0.99495864, 0, 0, 0, 0), 0.99495906, off=1e-7),
    Published("griewank 3", griewank(3), (0, 0, 0), 0),
    Published("levy 4", levy(4), (1, 1, 1, 1), 0),
    Published("levy 13", "sin(3*pi*x0)**2 + (x0 - 1)**2*(1 + sin(3*pi*x1)**2) + (x1 - 1)**2*(1 + sin(2*pi*x1)**2)", (1, 1), 0),
    Published("zakharov 4", zakharov(4), (0, 0, 0, 0), 0),
    Published("dixon-price 4", dixon_price(4), (1, 2**-0.5, 2**-0.75, 2**-0.875), 0, off=1e-12),
    Published("trid 6", trid(6), (6, 10, 12, 12, 10, 6), -50),
    Published("trid 10", trid(10), (10, 18, 24, 28, 30, 30, 28, 24, 18, 10), -210),
    Published("easom", "-cos(x0)*cos(x1)*exp(-(x0 - pi)**2 - (x1 - pi)**2)", (3.14159265, 3.14159265), -1, off=1e-7),
    Published(
        "cross-in-tray",
        "-0.0001*(abs(sin(x0)*sin(x1)*exp(abs(100 - sqrt(x0**2 + x1**2)/pi))) + 1)**0.1",
        (1.3494066, 1.3494066),
        -2.06261187,
        off=1e-6,
    ),
    Published("holder table", "-abs(sin(x0)*cos(x1)*exp(abs(1 - sqrt(x0**2 + x1**2)/pi)))", (8.05502, 9.66459), -19.2085, off=1e-4),
    Published("schaffer 2", "0.5 + (sin(x0**2 - x1**2)**2 - 0.5)/(1 + 0.001*(x0**2 + x1**2))**2", (0, 0), 0),
    Published(
        "schaffer 4", "0.5 + (cos(sin(abs(x0**2 - x1**2)))**2 - 0.5)/(1 + 0.001*(x0**2 + x1**2))**2", (0, 1.25313), 0.292579, off=1e-5
    ),
    Published("schwefel 2", schwefel(2), (420.968746, 420.968746), 0, off=1e-4),
    Published("shubert (JY 133)", sinc_shubert(), (-7.0835, 4.8580), -186.7309, off=1e-4),
    Published("michalewicz 2", michalewicz(2), (2.20290552, 1.57079633), -1.8013034, off=1e-7),
    Published("hartmann 3 (DS)", hartmann(_HARTMANN3), (0.114614, 0.555649, 0.852547), -3.86278, off=1e-4),
    Published("hartmann 6 (DS)", hartmann(_HARTMANN6), (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573), -3.32237, off=1e-5),
    Published("shekel 5 (DS)", shekel(5), (4.00004, 4.00013, 4.00004, 4.00013), -10.1532, off=1e-4),
    Published("shekel 7 (DS)", shekel(7), (4.0006, 4.0007, 3.9995, 3.9996), -10.4029, off=1e-4),
    Published("shekel 10 (DS)", shekel(10), (4.00075, 4.00059, 3.99966, 3.99951), -10.5364, off=1e-4),
    Published("bohachevsky 1", "x0**2 + 2*x1**2 - 0.3*cos(3*pi*x0) - 0.4*cos(4*pi*x1) + 0.7", (0, 0), 0),
    Published("bohachevsky 2", "x0**2 + 2*x1**2 - 0.3*cos(3*pi*x0)*cos(4*pi*x1) + 0.3", (0, 0), 0),
    Published("bohachevsky 3", "x0**2 + 2*x1**2 - 0.3*cos(3*pi*x0 + 4*pi*x1) + 0.3", (0, 0), 0),
    Published("freudenstein-roth (MGH 2)", FREUDENSTEIN, (5, 4), 0),
    Published("freudenstein-roth, local", FREUDENSTEIN, (11.4128, -0.896805), 48.9842, off=1e-4),
    Published(
        "powell badly scaled (MGH 3)", "(10000*x0*x1 - 1)**2 + (exp(-x0) + exp(-x1) - 1.0001)**2", (1.09815933e-5, 9.10614674), 0, off=1e-7
    ),
    Published("brown badly scaled (MGH 4)", "(x0 - 1e6)**2 + (x1 - 2e-6)**2 + (x0*x1 - 2)**2", (1e6, 2e-6), 0),
    Published(
        "jennrich-sampson (MGH 6)",
        add(f"(2 + 2*{i} - exp({i}*x0) - exp({i}*x1))**2" for i in range(1, 11)),
        (0.257825, 0.257825),
        124.362,
        off=1e-3,
    ),
    Published("helical valley (MGH 7)", HELICAL, (1, 0, 0), 0),
    Published("bard (MGH 8)", bard(), (0.08241, 1.13304, 2.34370), 8.21487e-3, off=1e-5),
    Published("kowalik-osborne (MGH 15)", kowalik(), (0.192807, 0.191282, 0.123057, 0.136062), 3.07505e-4, off=1e-5),
    Published("brown-dennis (MGH 16)", brown_dennis(), (-11.59444, 13.20363, -0.403439, 0.236779), 85822.2, off=1e-1),
    Published("biggs exp6 (MGH 18)", biggs_exp6(), (1, 10, 1, 5, 4, 3), 0),
    Published("variably dimensioned 6 (MGH 25)", variably_dimensioned(6), (1,) * 6, 0),
    Published("penalty 1 (MGH 23)", penalty_1(4), (0.250007, 0.250007, 0.250007, 0.250007), 2.24997e-5, off=1e-5),
    Published("adjiman (JY 2)", "cos(x0)*sin(x1) - x0/(x1**2 + 1)", (2, 0.10578), -2.02181, bounds=(-1, 2), off=1e-5),
    Published("eggholder (JY 53)", EGGHOLDER, (512, 404.2319), -959.6407, bounds=(-512, 512), off=1e-3),
    Published(
        "bird (JY 16)",
        "sin(x0)*exp((1 - cos(x1))**2) + cos(x1)*exp((1 - sin(x0))**2) + (x0 - x1)**2",
        (4.70104, 3.15294),
        -106.764537,
        off=2e-5,
    ),
    Published("brent (JY 20)", "(x0 + 10)**2 + (x1 + 10)**2 + exp(-x0**2 - x1**2)", (-10, -10), 0),
    Published("cube (JY 41)", "100*(x1 - x0**3)**2 + (1 - x0)**2", (1, 1), 0),
    Published(
        "el-attar (JY 51)",
        "(x0**2 + x1 - 10)**2 + (x0 + x1**2 - 7)**2 + (x0**2 + x1**3 - 1)**2",
        (3.40918683, -2.17143304),
        1.712780354,
        off=1e-6,
    ),
    Published("egg crate (JY 52)", "x0**2 + x1**2 + 25*(sin(x0)**2 + sin(x1)**2)", (0, 0), 0),
    Published("exponential (JY 54)", "-exp(-0.5*(x0**2 + x1**2 + x2**2))", (0, 0, 0), -1),
    Published("parsopoulos (JY 85)", "cos(x0)**2 + sin(x1)**2", (1.57079633, 0), 0, off=1e-7),
    Published("trefethen (JY 150)", TREFETHEN, (-0.02440307923, 0.2106124261), -3.306868647, off=1e-8),
    Published("zettl (JY 173)", "(x0**2 + x1**2 - 2*x0)**2 + 0.25*x0", (-0.02989597760285287, 0), -0.003791237220468656, off=1e-8),
    Published("zirilli (JY 174)", "0.25*x0**4 - 0.5*x0**2 + 0.1*x0 + 0.5*x1**2", (-1.0465, 0), -0.3523, off=3e-4),
    Published("mueller-brown, first (MB)", MUELLER_BROWN, (-0.558224, 1.441726), -146.700, off=1e-3),
    Published("mueller-brown, second", MUELLER_BROWN, (0.623499, 0.028038), -108.167, off=1e-3),
    Published("mueller-brown, third", MUELLER_BROWN, (-0.050011, 0.466694), -80.768, off=1e-3),
    Published("mueller-brown's first saddle", MUELLER_BROWN, (-0.822002, 0.624313), -40.665, "saddle", off=1e-3),
    Published("mueller-brown's second saddle", MUELLER_BROWN, (0.212487, 0.292988), -72.249, "saddle", off=1e-3),
]

# Minima at which the Hessian is singular, or the function not smooth: what a certificate needs is not there.
DEGENERATE = {
    "powell singular (MGH 13)": ("(x0 + 10*x1)**2 + 5*(x2 - x3)**2 + (x1 - 2*x2)**4 + 10*(x0 - x3)**4", (0, 0, 0, 0), "singular"),
    "a fourth power": ("x0**4 + x1**2", (0, 0), "singular"),
    "a valley": ("(x0 - x1)**2", (1, 1), "singular"),
    "box three-dimensional (MGH 12), its line of minima": (
        add(f"(exp(-{i}/10*x0) - exp(-{i}/10*x1) - x2*(exp(-{i}/10) - exp(-{i})))**2" for i in range(1, 6)), (2.5, 2.5, 0), "singular",
    ),
    "monkey saddle": ("x0**3 - 3*x0*x1**2", (0, 0), "singular"),
    "ackley": ("-20*exp(-0.2*sqrt((x0**2 + x1**2)/2)) - exp((cos(2*pi*x0) + cos(2*pi*x1))/2) + 20 + e", (0, 0), "not smooth"),
    "drop-wave": ("-(1 + cos(12*sqrt(x0**2 + x1**2)))/(0.5*(x0**2 + x1**2) + 2)", (0, 0), "not smooth"),
    "bukin 6": ("100*sqrt(abs(x1 - 0.01*x0**2)) + 0.01*abs(x0 + 10)", (-10, 1), "not smooth"),
    "alpine 1": ("abs(x0*sin(x0) + 0.1*x0) + abs(x1*sin(x1) + 0.1*x1)", (0, 0), "not smooth"),
    "minimax": ("max(x0**2 + x1, x0**2 - x1)", (0, 0), "switch"),
    "a jump": ("where(x0 >= 0, x0**2 + x1**2, 1 + x1**2)", (0, 0), "switch"),
}  # fmt: skip
