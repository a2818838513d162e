"""Calibration: exact sensitivities, known answers, noise that all algorithms share, and help where a config is wrong."""

import heyoka as hy
import numpy as np
import pandas as pd
import pytest

from phaseflow.catalogues import Catalogue
from phaseflow.config import load_config
from phaseflow.errors import ConfigError, DataError
from phaseflow.plan import Plan
from phaseflow.plugins import load_plugin
from phaseflow.problems._misfits import Misfit
from phaseflow.problems._model import Predicted
from phaseflow.problems._sensitivity import Accuracy, Flow
from tests.contracts.small import make_tables

# Hewitt (1921), as in Howard (2009): years 1900 to 1920, thousands of pelts.
HARE = [30, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22, 25.4, 27.1, 40.3, 57, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6, 16.2, 24.7]
LYNX = [4, 6.1, 9.8, 35.2, 59.4, 41.7, 19, 13, 8.3, 9.1, 7.4, 8, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6]
PELTS = """\
data: {pelts: {file: pelts.csv}}
optimize:
  pelts:
    calibrate:
      to: data.pelts
      system: lotka_volterra
      time: year
      observe: {hare: u, lynx: v}
      error: lognormal
      parameters:
        alpha: {start: 0.5, lower: 1e-3, upper: 2, scale: log}
        beta: {start: 0.02, lower: 1e-4, upper: 1, scale: log}
        gamma: {start: 0.8, lower: 1e-3, upper: 2, scale: log}
        delta: {start: 0.02, lower: 1e-4, upper: 1, scale: log}
      initial: {u: {start: 30, lower: 1, upper: 100}, v: {start: 4, lower: 1, upper: 100, scale: log}}
"""
LORENZ = """\
seed: 5
simulate:
  attractor: {system: lorenz63, time: {stop: 10, samples: 251}}
  many: {system: lorenz63, time: {stop: 1, samples: 5}, ensemble: {members: 2}}
  last: {system: lorenz63, time: {stop: 1}}
optimize:
  it:
    calibrate:
      to: simulate.attractor
      observe: {x: x, z: z}
      times: {stop: 5}
      parameters: {sigma: {start: 9}, rho: {lower: 1, upper: 100, start: 27}, beta: {lower: 0.1, upper: 10, start: 2.5, scale: log}}
"""
NOISY = "    sweep: {algorithm: [scipy_ls_trf, scipy_slsqp], noise: [0.01, 0.1], replicates: 3, starts: 2}\n"


def load(folder, text):
    (folder / "config.yaml").write_text(text)
    return load_config(folder / "config.yaml")


def write_pelts(folder):
    pd.DataFrame({"year": range(1900, 1921), "hare": HARE, "lynx": LYNX}).to_csv(folder / "pelts.csv", index=False)


@pytest.fixture(scope="module")
def lorenz(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lorenz")
    config = load(folder, LORENZ + NOISY)
    make_tables(Plan(config), folder)
    return folder, config


@pytest.mark.parametrize(
    ("method", "tolerance", "absolute"), [("taylor", 1e-15, 1e-15), ("LSODA", 1e-11, 1e-12), ("Radau", 1e-9, 1e-10), ("BDF", 1e-9, 1e-10)]
)
def test_sensitivities_are_those_of_central_differences_in_high_precision(method, tolerance, absolute):
    times, point = np.array([0.0, 0.7, 3.0]), np.array([0.55, 0.028, 33.0, 5.9])
    flow = Flow(Catalogue()["lotka_volterra"], ["alpha", "beta"], ["u", "v"], Accuracy(method, tolerance, absolute, 100_000))
    u, v = hy.make_vars("u", "v")
    # The doubles that the double-precision run has, so that both integrate the same equations.
    gamma, delta = 0.8, 0.024
    equations = [(u, (hy.par[0] - hy.par[1] * v) * u), (v, (-gamma + delta * u) * v)]
    zero = np.array([0, 0]).astype(hy.real128)
    exact = hy.taylor_adaptive(equations, zero, pars=zero, tol=hy.real128("1e-32"), fp_type=hy.real128)

    def follow(shifted):
        exact.time, exact.pars[:], exact.state[:] = hy.real128(0), shifted[:2], shifted[2:]
        return exact.propagate_grid(times.astype(hy.real128))[-1]

    values = np.array([{"alpha": 0.55, "beta": 0.028, "gamma": gamma, "delta": delta}[name] for name in flow.field.parameters])
    states, slopes = flow.differentiate(values, point[2:], times)
    wide = point.astype(hy.real128)
    # Errors of a few hundred steps, each of the tolerance, in states of some tens.
    allowed = 1e-11 if method == "taylor" else 1e4 * tolerance
    assert states == pytest.approx(follow(wide).astype(float), rel=allowed)
    for place in range(4):
        # A step of 1e-10 leaves a relative error of about 1e-20.
        step = np.zeros(4).astype(hy.real128)
        step[place] = hy.real128("1e-10") * wide[place]
        exact_slopes = ((follow(wide + step) - follow(wide - step)) / (2 * step[place])).astype(float)
        assert slopes[:, :, place] == pytest.approx(exact_slopes, rel=allowed, abs=allowed * np.abs(exact_slopes).max())
    assert flow.predict(values, point[2:], times) == pytest.approx(states, rel=allowed)


MISFITS = [
    (0.0, False, "squares"), (0.0, False, "solved"), (0.0, False, "given"), (1.0, False, "solved"), (1.0, False, "given"),
    (1 / np.log(10), False, "given"), (0.0, True, "solved"), (0.0, True, "given"), (1.0, True, "given"),
]  # fmt: skip


def make_misfit(observed, column, logs, is_absolute, sizes):
    return Misfit(observed, column, np.array([1.3, 0.7]), np.full(2, logs), np.full(2, is_absolute), sizes)


@pytest.mark.parametrize(("logs", "is_absolute", "sizes"), MISFITS)
def test_the_gradient_of_a_misfit_is_that_of_differences(logs, is_absolute, sizes):
    random = np.random.default_rng(3)
    observed, predicted, given = np.exp(random.standard_normal((3, 14)))
    slopes, size_slopes = random.standard_normal((2, 14, 3))
    it, step = make_misfit(observed, np.arange(14) % 2, logs, is_absolute, sizes), 1e-6

    def shift(by):
        return Predicted(predicted + slopes @ by, given + size_slopes @ by, slopes, size_slopes)

    found = [(it.find_value(shift(step * e)) - it.find_value(shift(-step * e))) / (2 * step) for e in np.eye(3)]
    # Central differences: the error is of order step**2 and rounding over the step, both about 1e-10 of the values.
    assert it.find_gradient(shift(np.zeros(3))) == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize(("logs", "is_absolute", "sizes"), [row for row in MISFITS if row[2] == "given"])
def test_a_density_integrates_to_one_and_has_its_information(logs, is_absolute, sizes):
    # One observation y of the prediction 1.7 with size 0.4, over all that it could be.
    t = np.linspace(-12, 12, 240_001)
    y = np.exp(0.4 * t / logs) * 1.7 if logs else 1.7 + 0.4 * t
    width = np.gradient(y, t) * (t[1] - t[0])
    slopes, size_slopes = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    total, information = 0.0, np.zeros((2, 2))
    values = Predicted(np.full(len(y), 1.7), np.full(len(y), 0.4), np.repeat(slopes, len(y), 0), np.repeat(size_slopes, len(y), 0))
    column = np.zeros(len(y), dtype=np.intp)
    it = make_misfit(y, column, logs, is_absolute, sizes)
    errors = logs * np.log(y / 1.7) if logs else y - 1.7
    ratio = errors / 0.4
    level = (np.abs(ratio) + np.log(0.8) if is_absolute else ratio**2 / 2 + np.log(0.4 * np.sqrt(2 * np.pi))) + (
        np.log(y / logs) if logs else 0
    )
    assert it.find_value(values) == pytest.approx(level.sum(), rel=1e-12)
    density = np.exp(-level)
    total = (density * width).sum()
    # The rest beyond 12 sizes is exp(-12) of Laplace's distribution; the trapezoids' error is (1e-4)**2 but at its kink.
    assert total == pytest.approx(1, abs=1e-4)
    stretch = -(logs / 1.7 if logs else 1.0)
    by_value = -stretch * (np.sign(ratio) if is_absolute else ratio) / 0.4
    by_size = (1 - (np.abs(ratio) if is_absolute else ratio**2)) / 0.4
    for place, score in enumerate((by_value, by_size)):
        information[place, place] = (score**2 * density * width).sum()
    one = make_misfit(y[:1], column[:1], logs, is_absolute, sizes)
    found = one.find_curvature(Predicted(values.values[:1], values.sizes[:1], slopes, size_slopes), is_step=False)
    assert np.diag(found) == pytest.approx(np.diag(information), rel=2e-3)


def test_lynx_and_hare_reach_the_reference(tmp_path):
    write_pelts(tmp_path)
    config = load(tmp_path, PELTS)
    study = config.studies["pelts"]
    solve = load_plugin("problems", "calibrate").prepare(study, {"data.pelts": tmp_path / "pelts.csv"})
    for algorithm in ("scipy_lbfgsb", "nlopt_neldermead"):
        solution = solve({"start": 0, "algorithm": algorithm}, np.random.default_rng(0))
        # The reference fit of an independent program, to the digits that it gives.
        assert solution.value == pytest.approx(122.92595, abs=1e-5)
        assert solution.point == pytest.approx([0.54001, 0.027156, 0.79660, 0.023702, 34.599, 5.8437], rel=1e-4)
        sizes = [solution.evidence["sigma_hare"], solution.evidence["sigma_lynx"]]
        assert sizes == pytest.approx([0.21838, 0.22008], rel=1e-4)
        assert "error" not in solution.evidence


@pytest.mark.parametrize("algorithm", ["scipy_ls_trf", "scipy_ls_dogbox"])
def test_lorenz_is_recovered_without_noise(lorenz, algorithm):
    folder, config = lorenz
    tables = {"simulate.attractor": folder / "results/simulate/attractor/trajectories"}
    solve = load_plugin("problems", "calibrate").prepare(config.studies["it"], tables)
    solution = solve({"start": 0, "algorithm": algorithm, "noise": 0.0}, np.random.default_rng(0))
    assert solution.status == "converged"
    assert solution.point == pytest.approx([10, 28, 8 / 3], rel=1e-8)
    assert solution.evidence["error"] < 1e-8


def test_a_trial_has_the_same_bits_whatever_ran_before_it(lorenz):
    folder, config = lorenz
    tables = {"simulate.attractor": folder / "results/simulate/attractor/trajectories"}
    solve = load_plugin("problems", "calibrate").prepare(config.studies["it"], tables)
    trials = [{"start": 1, "algorithm": "nlopt_bobyqa", "noise": 1.0}, {"start": 0, "algorithm": "scipy_ls_trf", "noise": 0.1}]
    first, _, again = (solve(trials[place], np.random.default_rng(place)) for place in (0, 1, 0))
    assert np.array_equal(first.points, again.points)
    assert np.array_equal(first.values, again.values)


def test_results_do_not_depend_on_the_size_of_chunks(lorenz, tmp_path):
    config = load(tmp_path, LORENZ + NOISY + "    chunk: 5\n")
    plan = Plan(config)
    assert len(plan.chunks("optimize", "it")) > 2
    make_tables(plan, tmp_path)
    for file in ("it.csv", "it/histories.parquet", "it/curves.parquet", "it/roots.parquet"):
        assert (tmp_path / "results/optimize" / file).read_bytes() == (lorenz[0] / "results/optimize" / file).read_bytes()


def test_errors_grow_in_proportion_to_the_noise(lorenz):
    trials = pd.read_csv(lorenz[0] / "results/optimize/it.csv")
    found = trials[(trials["start"] == 0) & (trials["algorithm"] == "scipy_ls_trf")]
    assert (found["status"] == "converged").all()
    errors = found.groupby("noise")["error"].mean()
    # Ten times the noise, ten times the error; three draws of each leave the ratio uncertain by a factor of about two.
    assert 3 < errors[0.1] / errors[0.01] < 30
    # The size found is that of the noise: 126 values leave it uncertain by 1/sqrt(252), 6 %; four of these are allowed.
    spread = pd.read_parquet(lorenz[0] / "results/simulate/attractor/trajectories").query("t <= 5")["x"].std(ddof=0)
    assert found["sigma_x"].to_numpy() == pytest.approx(found["noise"].to_numpy() * spread, rel=0.25)


def test_all_algorithms_and_starts_see_the_same_noise(lorenz):
    trials = pd.read_csv(lorenz[0] / "results/optimize/it.csv")
    first = pd.read_parquet(lorenz[0] / "results/optimize/it/histories.parquet").query("evaluation == 1")
    joined = trials.merge(first, on="trial", suffixes=("", "_first")).query("start == 0")
    assert (joined.groupby(["noise", "replicate"])["value_first"].nunique() == 1).all()
    assert joined["value_first"].nunique() == 6
    assert (trials.groupby(["noise", "replicate"])["gap_best_seen"].min() == 0).all()


def test_curves_show_the_best_trial_at_the_times_of_the_record(lorenz):
    trials = pd.read_csv(lorenz[0] / "results/optimize/it.csv")
    curves = pd.read_parquet(lorenz[0] / "results/optimize/it/curves.parquet")
    best = trials.loc[trials["value"].idxmin()]
    assert set(curves["trial"]) == {best["trial"]}
    seen = curves.query("curve == 'x'").dropna(subset="observed")
    assert len(seen) == 126
    assert np.sqrt(np.mean((seen["observed"] - seen["value"]) ** 2)) == pytest.approx(best["sigma_x"], rel=1e-12)


def test_an_integration_that_fails_ends_no_run(tmp_path):
    # x' = k x**2 from 1 ends at t = 1/k: beyond k = 1/2 there is nothing at t = 2.
    times = np.linspace(0, 2, 9)
    pd.DataFrame({"t": times, "x": 1 / (1 - 0.4 * times)}).to_csv(tmp_path / "d.csv", index=False)
    text = """\
data: {d: {file: d.csv}}
systems: {blow: {equations: {x: k*x**2}, parameters: {k: 1}, initial: {x: 1}}}
optimize: {it: {calibrate: {to: data.d, system: blow, time: t, observe: {x: x}, parameters: {k: {start: 0.1, lower: 0, upper: 5}}}}}
"""
    study = load(tmp_path, text).studies["it"]
    solve = load_plugin("problems", "calibrate").prepare(study, {"data.d": tmp_path / "d.csv"})
    for algorithm in ("scipy_ls_trf", "scipy_lbfgsb", "nlopt_bobyqa", "scipy_differential_evolution", "scipy_slsqp"):
        solution = solve({"start": 0, "algorithm": algorithm}, np.random.default_rng(0))
        assert solution.point == pytest.approx([0.4], rel=1e-3), algorithm
    assert np.isinf(solve({"start": 0, "algorithm": "scipy_differential_evolution"}, np.random.default_rng(0)).values).any()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("to: simulate.attractor", "to: simulate.attracter", "did you mean 'simulate.attractor'?"),
        ("to: simulate.attractor", "to: simulate.many", "is not one trajectory"),
        ("to: simulate.attractor", "to: simulate.last", "is not a stored trajectory"),
        ("to: simulate.attractor", "to: simulate.attractor\n      system: lorenz63", "leave 'system' out"),
        ("{x: x, z: z}", "{x: x, z: zz}", "needs 'zz', which is not a state"),
        ("{x: x, z: z}", "{x: x, w: z}", "there is no column 'w'"),
        ("{sigma:", "{sigmo: {start: 1}, sigma:", "there is no parameter 'sigmo'"),
        ("sigma: {start: 9}", "sigma: {lower: 9}", "give a start, or both"),
        ("start: 2.5, scale: log", "start: 2.5, scale: log}, rho: {start: -1, scale: log", "this key is given twice"),
        ("beta: {lower: 0.1", "beta: {lower: 0", "scale: log needs a start and bounds greater than 0"),
        ("[scipy_ls_trf", "[scipy_ls_lm", "scipy_ls_lm cannot keep the bounds of rho, beta"),
        ("[scipy_ls_trf", "[scipy_trust_ncg", "needs second derivatives, which a calibration does not have"),
        ("times: {stop: 5}", "error: lognormal", "scipy_ls_trf needs a sum of squares"),
        ("noise:", "noises:", "did you mean 'noise'?"),
    ],
)
def test_a_mistake_says_what_is_wanted(tmp_path, old, new, message):
    assert old in LORENZ + NOISY
    with pytest.raises(ConfigError) as error:
        load(tmp_path, (LORENZ + NOISY).replace(old, new))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [("hare", "many", "'hare' is not there or holds"), ("lynx", 0, "needs values above 0"), ("year", 1901, "missing or comes twice")],
)
def test_a_record_that_cannot_be_used_is_named(tmp_path, column, value, message):
    frame = pd.DataFrame({"year": range(1900, 1921), "hare": HARE, "lynx": LYNX}).astype(object)
    frame.loc[0, column] = value
    frame.to_csv(tmp_path / "pelts.csv", index=False)
    study = load(tmp_path, PELTS).studies["pelts"]
    with pytest.raises(DataError, match=message):
        load_plugin("problems", "calibrate").prepare(study, {"data.pelts": tmp_path / "pelts.csv"})
