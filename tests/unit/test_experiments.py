"""Several records of one system, noise that is estimated, priors, missing values, and starts that fail: against closed forms."""

import numpy as np
import pandas as pd
import pytest

from phaseflow.config import load_config
from phaseflow.errors import ConfigError
from phaseflow.plan import Plan
from phaseflow.plugins import load_plugin
from phaseflow.problems._posterior import Posterior
from tests.contracts.small import make_tables

# x' = -k x: x(t) = x_0 exp(-k t).
TEXT = """\
seed: 1
data: {one: {file: one.csv}, two: {file: two.csv}}
systems: {decay: {equations: {x: -k*x + c}, parameters: {k: 1, c: 0}, initial: {x: 2}}}
optimize:
  it:
    calibrate:
      system: decay
      time: t
      observe: {x: x, double: 2*x}
      experiments:
        one: {to: data.one}
        two: {to: data.two, parameters: {c: k/2}, initial: {x: {start: 1, lower: 0.1, upper: 10}}}
      parameters: {k: {start: 1, lower: 0.1, upper: 10, scale: log}}
      OPTIONS
"""
TIMES = np.array([0.1, 0.35, 0.9, 2.0])
TRUE_K, TRUE_X = 0.7, 3.0


def predict(k, x):
    one = 2 * np.exp(-k * TIMES)
    two = 0.5 + (x - 0.5) * np.exp(-k * (TIMES - TIMES[0]))
    # The initial value holds at the first time of the record.
    one = 2 * np.exp(-k * (TIMES - TIMES[0]))
    return np.stack([one, 2 * one], axis=1), np.stack([two, 2 * two], axis=1)


def prepare(folder, options, noise=0.05):
    random = np.random.default_rng(4)
    frames = []
    for name, values in zip(("one", "two"), predict(TRUE_K, TRUE_X), strict=True):
        seen = values * np.exp(noise * random.standard_normal(values.shape))
        frame = pd.DataFrame({"t": TIMES, "x": seen[:, 0], "double": seen[:, 1]})
        frame.loc[1, "double"] = np.nan
        (frame.drop(columns="double") if name == "two" else frame).to_csv(folder / f"{name}.csv", index=False)
        frames.append(np.array(frame.to_numpy()[:, 1:]))
    frames[1][:, 1] = np.nan
    (folder / "config.yaml").write_text(TEXT.replace("OPTIONS", options))
    config = load_config(folder / "config.yaml")
    tables = Plan(config).reads("optimize", "it")
    return load_plugin("problems", "calibrate").prepare(config.studies["it"], tables), frames


@pytest.mark.parametrize("method", ["taylor", "LSODA"])
def test_records_share_what_is_sought_and_keep_their_own(tmp_path, method):
    solve, _ = prepare(tmp_path, f"method: {method}", noise=0)
    assert solve.sought.names == ("k", "x_0_two")
    solution = solve({"start": 0, "algorithm": "gauss_newton"}, np.random.default_rng(0))
    assert solution.status == "converged"
    assert solution.point == pytest.approx([TRUE_K, TRUE_X], rel=1e-9 if method == "taylor" else 1e-6)
    assert set(solution.tables["curves"]["curve"]) == {"one: x", "one: double", "two: x", "two: double"}


LIKELIHOODS = {
    "error: normal\n      sigma: {x: s, double: 0.1 + s*double}\n      noise: {s: {start: 0.1, lower: 0.01, upper: 1, scale: log}}": (
        lambda y, f, c, s: (
            (y - f) ** 2 / (2 * (s if c == 0 else 0.1 + s * f) ** 2) + np.log((s if c == 0 else 0.1 + s * f) * np.sqrt(2 * np.pi))
        )
    ),
    "error: lognormal\n      sigma: s\n      noise: {s: {start: 0.1, lower: 0.01, upper: 1, scale: log}}": (
        lambda y, f, _, s: np.log(y / f) ** 2 / (2 * s**2) + np.log(y * s * np.sqrt(2 * np.pi))
    ),
    "error: laplace\n      sigma: s*(1 + t)\n      noise: {s: {start: 0.1, lower: 0.01, upper: 1, scale: log}}": None,
}


@pytest.mark.parametrize("options", LIKELIHOODS)
def test_a_likelihood_with_estimated_noise_is_that_of_the_closed_form(tmp_path, options):
    solve, observed = prepare(tmp_path, options)
    posterior = Posterior(solve.model, solve.misfit)

    def find_value(k, x, s):
        value = 0.0
        for seen, predicted in zip(observed, predict(k, x), strict=True):
            for row, column in zip(*np.nonzero(np.isfinite(seen)), strict=True):
                y, f = seen[row, column], predicted[row, column]
                size = s * (1 + TIMES[row])
                of_laplace = abs(y - f) / size + np.log(2 * size)
                value += LIKELIHOODS[options](y, f, column, s) if LIKELIHOODS[options] else of_laplace
        return value

    point = np.array([0.8, 2.7, 0.12])
    look = posterior.look(solve.sought.to_scale(point))
    assert look.value == pytest.approx(find_value(*point), rel=1e-11)
    for place in range(3):
        step = np.where(np.arange(3) == place, 1e-5, 0.0)
        shifted = [point + sign * step if place == 1 else point * np.exp(sign * step) for sign in (1, -1)]
        # Central differences: 1e-10 from the step, 1e-11 from rounding.
        assert look.gradient[place] == pytest.approx((find_value(*shifted[0]) - find_value(*shifted[1])) / 2e-5, rel=1e-6, abs=1e-7)
    solution = solve({"start": 0, "algorithm": "gauss_newton"}, np.random.default_rng(0))
    assert solution.status == "converged"
    assert all(find_value(*(solution.point * factor)) > solution.value - 1e-9 for factor in 1 + 0.01 * np.vstack([np.eye(3), -np.eye(3)]))


def test_a_prior_is_a_part_of_the_value(tmp_path):
    plain, _ = prepare(tmp_path, "sigma: 0.1")
    text = TEXT.replace("scale: log}}", "scale: log, prior: {lognormal: [-0.5, 0.2]}}}")
    (tmp_path / "config.yaml").write_text(text.replace("OPTIONS", "sigma: 0.1"))
    config = load_config(tmp_path / "config.yaml")
    believing = load_plugin("problems", "calibrate").prepare(config.studies["it"], Plan(config).reads("optimize", "it"))
    place = plain.sought.to_scale(np.array([0.8, 2.7]))
    values = [Posterior(it.model, it.misfit).look(place) for it in (plain, believing)]
    extra = (np.log(0.8) + 0.5) ** 2 / (2 * 0.2**2) + np.log(0.2 * np.sqrt(2 * np.pi) * 0.8)
    assert values[1].value - values[0].value == pytest.approx(extra, rel=1e-10)
    # By log(k): the normal's slope, and 1 of log(k) itself.
    assert values[1].gradient[0] - values[0].gradient[0] == pytest.approx((np.log(0.8) + 0.5) / 0.2**2 + 1, rel=1e-9)


def test_the_intervals_of_a_linear_model_are_those_of_its_covariance(tmp_path):
    solve, observed = prepare(tmp_path, "sigma: 0.1")
    solution = solve({"start": 0, "algorithm": "gauss_newton"}, np.random.default_rng(0))
    k, x = solution.point
    rows = []
    for seen, number in zip(observed, (0, 1), strict=True):
        # Derivatives by log(k) and x_0_two, by central differences of the closed form.
        by_k = (predict(k * np.exp(1e-6), x)[number] - predict(k * np.exp(-1e-6), x)[number]) / 2e-6
        by_x = (predict(k, x + 1e-6)[number] - predict(k, x - 1e-6)[number]) / 2e-6
        rows.append(np.stack([by_k[np.isfinite(seen)], by_x[np.isfinite(seen)]], axis=1))
    jacobian = np.concatenate(rows) / 0.1
    deviation = np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    assert np.log(solution.evidence["k_high"] / k) == pytest.approx(1.959964 * deviation[0], rel=1e-5)
    assert solution.evidence["x_0_two_high"] - x == pytest.approx(1.959964 * deviation[1], rel=1e-5)


def test_a_start_that_fails_is_drawn_again_and_counted(tmp_path):
    # x' = k x**2 from 1 ends at t = 1/k: every k above 1/2 fails, nine tenths of the bounds.
    times = np.linspace(0, 2, 9)
    pd.DataFrame({"t": times, "x": 1 / (1 - 0.4 * times)}).to_csv(tmp_path / "d.csv", index=False)
    text = """\
data: {d: {file: d.csv}}
systems: {blow: {equations: {x: k*x**2}, parameters: {k: 1}, initial: {x: 1}}}
optimize: {it: {calibrate: {to: data.d, system: blow, time: t, observe: {x: x}, max_steps: 1000,
  parameters: {k: {start: 4, lower: 0, upper: 5}}}, sweep: {starts: 8}}}
"""
    (tmp_path / "config.yaml").write_text(text)
    study = load_config(tmp_path / "config.yaml").studies["it"]
    solve = load_plugin("problems", "calibrate").prepare(study, {"data.d": tmp_path / "d.csv"})
    redrawn = []
    for start in range(8):
        solution = solve({"start": start, "algorithm": "gauss_newton"}, np.random.default_rng(0))
        assert solution.status == "converged"
        assert solution.point == pytest.approx([0.4], rel=1e-6)
        redrawn.append(solution.evidence["redrawn"])
    assert redrawn[0] > 0
    # Each draw succeeds once in ten: eight starts need about 72 more than eight.
    assert 20 < sum(redrawn) < 200


def test_simulated_records_with_other_parameters_know_the_truth(tmp_path):
    text = """\
simulate:
  slow: {system: lotka_volterra, time: {stop: 10, samples: 21}}
  fast: {system: lotka_volterra, time: {stop: 10, samples: 21}, parameters: {alpha: 0.9}, initial: {u: 20}}
optimize:
  it:
    calibrate:
      observe: {u: u, v: v}
      experiments: {slow: {to: simulate.slow}, fast: {to: simulate.fast}}
      parameters: {beta: {start: 0.03, lower: 0.01, upper: 0.1}, gamma: {start: 0.7, lower: 0.1, upper: 2}}
"""
    (tmp_path / "config.yaml").write_text(text)
    plan = Plan(load_config(tmp_path / "config.yaml"))
    make_tables(plan, tmp_path)
    trials = pd.read_csv(tmp_path / "results/optimize/it.csv")
    assert trials["error"].max() < 1e-7


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("OPTIONS", "sigma: {x: 0.1}", "the column 'double' has no size"),
        ("OPTIONS", "sigma: s", "needs 's', which is not"),
        ("OPTIONS", "noise: {s: {start: 1}}", "'s' does not occur in `sigma`"),
        ("c: k/2", "c: kk/2", "needs 'kk', which is not sought"),
        ("c: k/2", "d: 1", "there is no parameter 'd'"),
        ("to: data.two", "to: data.tow", "did you mean 'data.two'?"),
        ("      experiments:", "      to: data.one\n      experiments:", "exactly one of to, experiments and petab"),
        ("scale: log}}", "scale: log, prior: {normal: [1, 0.1]}}}", "need a likelihood"),
        ("scale: log}}", "scale: log, prior: {normal: [1, 0]}}}", "must be greater than 0"),
        ("scale: log}}", "scale: log, prior: {}}}", "exactly one of normal, lognormal"),
    ],
)
def test_a_mistake_says_what_is_wanted(tmp_path, old, new, message):
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text("t,x,double\n0,1,2\n1,2,3\n")
    assert old in TEXT
    (tmp_path / "config.yaml").write_text(TEXT.replace(old, new).replace("OPTIONS", ""))
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "config.yaml")
    assert message in str(error.value)


def test_a_profile_of_least_squares_that_is_a_parabola_has_its_ends_where_the_covariance_says(tmp_path):
    # x = a + b t is linear in its parameters: the interval of the profile is that of Student's distribution.
    times, seen = np.linspace(0, 1, 12), np.random.default_rng(1).standard_normal(12)
    pd.DataFrame({"t": times, "x": 1 + 2 * times + 0.3 * seen}).to_csv(tmp_path / "d.csv", index=False)
    text = """\
data: {d: {file: d.csv}}
systems: {line: {equations: {x: b}, parameters: {b: 1}, initial: {x: 0}}}
optimize: {it: {calibrate: {to: data.d, system: line, time: t, observe: {x: x}, profile: true,
  parameters: {b: {start: 1, lower: -9, upper: 9}}, initial: {x: {start: 0, lower: -9, upper: 9}}}}}
"""
    (tmp_path / "config.yaml").write_text(text)
    plan = Plan(load_config(tmp_path / "config.yaml"))
    make_tables(plan, tmp_path)
    curves = pd.read_parquet(tmp_path / "results/optimize/it/curves.parquet")
    trials = pd.read_csv(tmp_path / "results/optimize/it.csv")
    for name in ("b", "x_0"):
        ends = curves[(curves["curve"] == f"profile of {name}") & curves["observed"].notna()]["at"]
        # Between two refits the square root of the rise is straight for a parabola.
        assert ends.to_numpy() == pytest.approx(trials[[f"{name}_low", f"{name}_high"]].to_numpy()[0], rel=1e-5)


def test_a_profile_without_an_end_says_so(tmp_path):
    times = np.linspace(0, 3, 12)
    pd.DataFrame({"t": times, "x": np.exp(-0.5 * times) * np.exp(0.05 * np.sin(9 * times))}).to_csv(tmp_path / "d.csv", index=False)
    text = """\
data: {d: {file: d.csv}}
systems: {decay: {equations: {x: -p*q*x}, parameters: {p: 1, q: 1}, initial: {x: 1}}}
optimize: {it: {calibrate: {to: data.d, system: decay, time: t, observe: {x: x}, sigma: 0.05, profile: {parameters: [p], points: 12},
  parameters: {p: {start: 1, lower: 0.1, upper: 10, scale: log}, q: {start: 0.3, lower: 1e-3, upper: 100, scale: log}}}}}
"""
    (tmp_path / "config.yaml").write_text(text)
    plan = Plan(load_config(tmp_path / "config.yaml"))
    make_tables(plan, tmp_path)
    curves = pd.read_parquet(tmp_path / "results/optimize/it/curves.parquet")
    profile = curves[curves["curve"] == "profile of p"]
    # p*q alone is seen: every p within the bounds fits as well.
    assert profile["observed"].isna().all()
    assert profile["at"].min() == pytest.approx(0.1)
    assert profile["at"].max() == pytest.approx(10)
    assert np.ptp(profile["value"]) < 1e-6
