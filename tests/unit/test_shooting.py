"""Multiple shooting: chaotic records are fitted from afar, gaps are closed, intervals cover, and blocks agree with dense algebra."""

import numpy as np
import pytest

from phaseflow.config import load_config
from phaseflow.errors import ConfigError
from phaseflow.plan import Plan
from phaseflow.plugins import load_plugin
from phaseflow.problems._blocks import Linear, condense
from tests.contracts.small import make_tables

STUDY = """\
seed: 1
simulate:
  lorenz: {system: lorenz63, time: {stop: 10, samples: 201}}
  rossler: {system: rossler, time: {stop: 60, samples: 301}}
  line: {system: lotka_volterra, time: {stop: 20, samples: 41}}
optimize:
  lorenz:
    calibrate:
      to: simulate.lorenz
      observe: {x: x}
      shooting: multiple
      parameters:
        sigma: {lower: 0.1, upper: 100, start: 5}
        rho: {lower: 0.1, upper: 100, start: 5}
        beta: {lower: 0.01, upper: 20, start: 1}
      initial: {x: {start: 1, lower: -30, upper: 30}, y: {start: 1, lower: -40, upper: 40}, z: {start: 1, lower: 0, upper: 60}}
    sweep: {noise: 0.01, starts: 1}
  rossler:
    calibrate:
      to: simulate.rossler
      observe: {y: y}
      shooting: {interval: 1}
      parameters: {a: {lower: 0.01, upper: 1, start: 0.5}, b: {lower: 0.01, upper: 2, start: 1}, c: {lower: 0.5, upper: 20, start: 10}}
      initial: {x: {start: 1, lower: -30, upper: 30}, y: {start: 1, lower: -40, upper: 40}, z: {start: 1, lower: 0, upper: 60}}
    sweep: {noise: 0.01, starts: 1}
  single:
    calibrate:
      to: simulate.line
      observe: {u: u}
      parameters: {alpha: {start: 0.5, lower: 0.1, upper: 2}, gamma: {start: 0.7, lower: 0.001, upper: 2, scale: log}}
      initial: {v: {start: 5, lower: 0.1, upper: 100}}
    sweep: {noise: 0.05, starts: 1}
"""
SINGLE = STUDY.split("optimize:\n")[1].split("  rossler:\n")[0].replace("  lorenz:", "  lorenz_single:").replace("multiple", "single")
MULTIPLE = STUDY.split("  single:\n")[1].replace("calibrate:", "calibrate:\n      shooting: multiple")


UNKNOWABLE = STUDY.split("  single:\n")[1].replace("gamma: {start: 0.7", "beta: {start: 0.02")


@pytest.fixture(scope="module")
def solvers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shooting")
    (folder / "config.yaml").write_text(STUDY + SINGLE + "  multiple:\n" + MULTIPLE + "  unknowable:\n" + UNKNOWABLE)
    plan = Plan(load_config(folder / "config.yaml"))
    studies = dict(plan.entries["optimize"])
    plan.entries["optimize"] = {}
    make_tables(plan, folder)
    plan.entries["optimize"] = studies
    prepare = load_plugin("problems", "calibrate").prepare
    return {name: prepare(study, {t: folder / p for t, p in plan.reads("optimize", name).items()}) for name, study in studies.items()}


def solve(solvers, name, start, noise, seed=0):
    return solvers[name]({"start": start, "algorithm": "gauss_newton", "noise": noise}, np.random.default_rng(seed))


@pytest.mark.parametrize("start", [0, 1, 2])
def test_lorenz_is_recovered_from_one_state_from_afar(solvers, start):
    solution = solve(solvers, "lorenz", start, 0.01)
    assert solution.status == "converged", solution.message
    assert solution.evidence["error"] < 0.005
    assert solution.evidence["gap"] < 1e-9
    # 201 values less 6 parameters: the standard deviation of the ratio is sqrt(2/195), a tenth.
    assert 0.7 < solution.evidence["chi2_per_dof"] < 1.3
    for name, truth in (("sigma", 10), ("rho", 28), ("beta", 8 / 3)):
        assert solution.evidence[f"{name}_low"] < truth < solution.evidence[f"{name}_high"]


def test_single_shooting_from_the_same_start_fails(solvers):
    assert solve(solvers, "lorenz_single", 1, 0.01).evidence["error"] > 0.05


def test_another_chaotic_system_is_recovered_by_intervals_of_a_given_length(solvers):
    solution = solve(solvers, "rossler", 1, 0.01)
    assert solution.status == "converged"
    assert solution.evidence["gap"] < 1e-9
    # b is the least certain: a hundredth of it is four standard deviations.
    assert solution.evidence["error"] < 0.02


def test_where_one_integration_can_be_fitted_both_ways_of_shooting_agree(solvers):
    single, multiple = (solve(solvers, name, 0, 0.05, seed=3) for name in ("single", "multiple"))
    assert multiple.point == pytest.approx(single.point, rel=1e-4)
    assert multiple.value == pytest.approx(single.value, rel=1e-8)
    ends = [f"{name}_{end}" for name in ("alpha", "gamma", "v_0") for end in ("low", "high")]
    assert [multiple.evidence[end] for end in ends] == pytest.approx([single.evidence[end] for end in ends], rel=1e-4)


def test_intervals_cover_the_truth_as_often_as_they_say(solvers):
    covered = 0
    for seed in range(40):
        evidence = solve(solvers, "single", 0, 0.05, seed).evidence
        covered += evidence["alpha_low"] < 0.55 < evidence["alpha_high"]
    # Of 40 intervals at 95 %, fewer than 34 cover with a probability of 2e-2 % (binomial).
    truth = solvers["single"].truth[0]
    assert truth == pytest.approx(0.55)
    assert covered >= 34


def test_what_the_data_cannot_tell_is_said(solvers):
    # Of v only u's growth is seen, so beta*v is all that there is to know: beta and v_0 may grow and shrink together.
    evidence = solve(solvers, "unknowable", 0, 0.05).evidence
    assert evidence["n_identified"] == 2
    assert evidence["beta_high"] == np.inf
    assert evidence["v_0_high"] == np.inf
    assert evidence["alpha_low"] < 0.55 < evidence["alpha_high"]
    assert solve(solvers, "single", 0, 0.05).evidence["n_identified"] == 3


@pytest.mark.parametrize("slack", [0.0, 0.3])
def test_a_step_by_blocks_is_that_of_dense_algebra(slack):
    random = np.random.default_rng(2)
    n, n_joins, n_sought, damping = 2, 5, 3, 0.1
    rows = [random.standard_normal((4, n)) for _ in range(n_joins)]
    own = [random.standard_normal((4, n_sought)) for _ in range(n_joins + 1)]
    errors = [random.standard_normal(4) for _ in range(n_joins + 1)]
    gaps, steer = random.standard_normal((n_joins, n)), random.standard_normal((n_joins, n, n_sought))
    forward, is_inner = random.standard_normal((n_joins, n, n)), np.array([False, True, True, False, True])
    forward[~is_inner] = 0
    linear = Linear(
        np.array([a.T @ a for a in rows]), np.array([a.T @ e for a, e in zip(rows, errors[1:], strict=True)]),
        np.array([a.T @ b for a, b in zip(rows, own[1:], strict=True)]), sum(b.T @ b for b in own),
        sum(b.T @ e for b, e in zip(own, errors, strict=True)), gaps, forward, steer, is_inner,
    )  # fmt: skip
    parameters, states = condense(linear, slack, damping).solve(np.full(n_sought, np.nan))
    # The same with all unknowns in one vector: states, then parameters, then multipliers.
    n_states = n * n_joins
    a = np.zeros((4 * (n_joins + 1), n_states + n_sought))
    c = np.zeros((n_states, n_states + n_sought))
    for k in range(n_joins + 1):
        a[4 * k : 4 * k + 4, n_states:] = own[k]
    for k in range(n_joins):
        a[4 * k + 4 : 4 * k + 8, n * k : n * k + n] = rows[k]
        c[n * k : n * k + n, n * k : n * k + n] = -np.eye(n)
        c[n * k : n * k + n, n_states:] = steer[k]
        if is_inner[k]:
            c[n * k : n * k + n, n * k - n : n * k] = forward[k]
    e = np.concatenate(errors)
    full = np.block([[a.T @ a + damping * np.eye(n_states + n_sought), c.T], [c, -slack * np.eye(n_states)]])
    exact = np.linalg.solve(full, np.concatenate([-a.T @ e, -gaps.ravel()]))
    assert parameters == pytest.approx(exact[n_states : n_states + n_sought], rel=1e-9)
    assert states.ravel() == pytest.approx(exact[:n_states], rel=1e-8)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("starts: 1", "starts: 1, algorithm: scipy_lbfgsb", "only gauss_newton uses"),
        ("shooting: multiple", "shooting: many", "is not a mapping of keys"),
        ("shooting: {interval: 1}", "shooting: {interval: 0}", "0 must be greater than 0"),
        ("shooting: multiple", "shooting: multiple\n      sigma: s\n      noise: {s: {start: 1}}", "keeps the sizes of errors"),
    ],
)
def test_a_mistake_says_what_is_wanted(tmp_path, old, new, message):
    assert old in STUDY
    (tmp_path / "config.yaml").write_text(STUDY.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "config.yaml")
    assert message in str(error.value)
