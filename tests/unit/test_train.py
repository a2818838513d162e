"""Training: exact gradients, algorithms that are what they are called, closed forms that are reached, and what is held out."""

import numpy as np
import pandas as pd
import pytest
from flint import arb, ctx

from phaseflow.catalogues import read_algorithms
from phaseflow.config import load_config
from phaseflow.errors import ConfigError, DataError
from phaseflow.kinds.train import LEARNING_RATES
from phaseflow.plan import Plan
from phaseflow.plugins import load_plugin
from phaseflow.problems._lessons import Rows, read_lessons
from phaseflow.problems._perceptron import ACTIVATIONS, Loss, Perceptron
from phaseflow.problems._stochastic import Adam, Descent, Momentum, draw_batches
from phaseflow.problems.train import PROBLEM, measure_mean_error, solve_linearly
from phaseflow.settings.studies import Study
from phaseflow.settings.trainings import Train
from tests.contracts.small import make_tables

N = 60


def make_rows(seed=0, n=N, inputs=2, outputs=2):
    random = np.random.default_rng(seed)
    return random.standard_normal((n, inputs)), random.standard_normal((n, outputs))


def make_loss(layers=(3, 2), activation="tanh", penalty=0.0, n=N):
    inputs, outputs = make_rows(n=n)
    return Loss(Perceptron((2, *layers, 2), activation), inputs, outputs, penalty)


def write(folder, columns):
    path = folder / "rows.parquet"
    pd.DataFrame(columns).to_parquet(path)
    return path


def prepare(path, **train):
    stated = {"to": "data.rows", "inputs": ["x", "y"], "outputs": ["z"], "layers": [4], **train}
    return PROBLEM.prepare(Study.model_validate({"train": stated}), {"data.rows": path})


def solve(solver, algorithm, start=0, rate=0.0, batch=N, epochs=50, seed=0):
    trial = {"algorithm": algorithm, "start": start, "learning_rate": rate, "batch": batch, "epochs": epochs}
    return solver(trial, np.random.default_rng(seed))


@pytest.fixture
def rough(tmp_path):
    (inputs, outputs) = make_rows(3, outputs=1)
    return write(tmp_path, {"x": inputs[:, 0], "y": 2 + 3 * inputs[:, 1], "z": outputs[:, 0] + inputs[:, 0]})


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_gradient_is_the_derivative_along_the_imaginary_axis(activation):
    loss = make_loss(activation=activation, penalty=0.03)
    weights = loss.network.draw(np.random.default_rng(1)) + 0.1
    each = list(np.eye(loss.network.n_weights))
    # Both are sums of 120 terms of size 1 with a relative error of 1e-16 each.
    assert loss.check_gradient(weights, each) < 1e-14


class Wrong(Loss):
    """A loss whose gradient is wrong in one part."""

    def differentiate(self, weights, rows=slice(None)):
        value, error, gradient = super().differentiate(weights, rows)
        gradient[3] += 1e-6
        return value, error, gradient


def test_a_gradient_that_is_wrong_in_one_part_shows_in_any_direction():
    loss = make_loss()
    wrong = Wrong(loss.network, loss.inputs, loss.outputs)
    weights = loss.network.draw(np.random.default_rng(1))
    direction = np.full(len(weights), 1 / np.sqrt(len(weights)))
    assert wrong.check_gradient(weights, [direction]) == pytest.approx(1e-6 / np.sqrt(len(weights)), rel=1e-6)


def find_loss_in_balls(loss, weights):
    """Return the loss of tanh units, in balls of the working precision, by the formula and no array."""
    layers = loss.network.split(np.array(weights, dtype=object))
    total, squares = arb(0), sum((w * w for matrix, _ in layers for w in matrix.ravel()), arb(0))
    for given, sought in zip(loss.inputs, loss.outputs, strict=True):
        signal = [arb(x) for x in given]
        for place, (matrix, biases) in enumerate(layers, 1):
            sums = [sum((s * matrix[i, j] for i, s in enumerate(signal)), arb(0)) + biases[j] for j in range(matrix.shape[1])]
            signal = sums if place == len(layers) else [s.tanh() for s in sums]
        total += sum(((p - arb(y)) ** 2 for p, y in zip(signal, sought, strict=True)), arb(0))
    return total / loss.outputs.size + arb(loss.penalty) * squares


def test_loss_and_gradient_are_those_of_differences_in_high_precision(monkeypatch):
    monkeypatch.setattr(ctx, "prec", 200)
    loss = make_loss((2,), penalty=0.25, n=5)
    weights = loss.network.draw(np.random.default_rng(1)) + 0.1
    exact, step = [arb(w) for w in weights], arb(2) ** -60
    value, error, gradient = loss.differentiate(weights)
    assert value == pytest.approx(float(find_loss_in_balls(loss, exact)), rel=1e-14)
    assert error == pytest.approx(loss.measure(weights), rel=1e-15)
    for place, slope in enumerate(gradient):
        ahead, behind = ([*exact[:place], exact[place] + sign * step, *exact[place + 1 :]] for sign in (1, -1))
        # The error of a central difference is of the order step**2 = 7e-37.
        difference = (find_loss_in_balls(loss, ahead) - find_loss_in_balls(loss, behind)) / (2 * step)
        assert slope == pytest.approx(float(difference), abs=1e-15)


def test_the_penalty_leaves_biases_out():
    loss = make_loss(penalty=2.0)
    weights = np.ones(loss.network.n_weights)
    # 2*3 + 3*2 + 2*2 weights of 1, and 7 biases.
    assert loss.find_value(weights) - loss.measure(weights) == pytest.approx(2 * 16, rel=1e-14)
    assert loss.network.n_weights == 16 + 7


def test_initial_weights_have_the_variance_of_their_source():
    network = Perceptron((200, 100, 1), "tanh")
    (first, biases), _ = network.split(network.draw(np.random.default_rng(0)))
    # Glorot and Bengio (2010): 2/(200 + 100). 20,000 uniform numbers have a variance with a relative error of 0.6 %.
    assert first.var() == pytest.approx(2 / 300, rel=0.03)
    assert (biases == 0).all()
    (he, _), _ = Perceptron((200, 100, 1), "relu").split(Perceptron((200, 100, 1), "relu").draw(np.random.default_rng(0)))
    assert he.var() == pytest.approx(2 / 200, rel=0.03)


def test_every_row_comes_once_a_pass():
    batches = list(draw_batches(10, 4, np.random.default_rng(0)))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(np.concatenate(batches)) == list(range(10))
    assert np.array_equal(next(iter(draw_batches(5, 9, np.random.default_rng(0)))), np.arange(5))


def test_a_gradient_of_batches_of_one_size_is_on_average_that_of_all_rows():
    loss = make_loss(penalty=0.1)
    weights = loss.network.draw(np.random.default_rng(1))
    parts = [loss.differentiate(weights, rows)[2] for rows in draw_batches(N, 15, np.random.default_rng(2))]
    assert np.mean(parts, axis=0) == pytest.approx(loss.differentiate(weights)[2], abs=1e-15)


def test_rules_make_the_steps_of_their_papers():
    # On w**2/2 the gradient is w. By hand, from 1 with rate 0.5: 1 -> 0.5 -> 0.25.
    plain, pushed, adam = Descent(0.5), Momentum(0.5, 0.5), Adam(0.1)
    w = np.ones(1)
    assert [w := plain.step(w, lambda v: v), plain.step(w, lambda v: v)] == [0.5, 0.25]
    # Nesterov: v = -0.5, w = 0.5; then g at 0.5 - 0.25, v = -0.25 - 0.125, w = 0.125.
    w = pushed.step(np.ones(1), lambda v: v)
    assert (w, pushed.step(w, lambda v: v)) == (0.5, 0.125)
    # Freed of its start at 0, Adam's first step has the size of its rate, whatever the gradient is.
    assert adam.step(np.ones(1), lambda v: 1e3 * v) == pytest.approx(0.9, abs=1e-11)
    # Its second, by Algorithm 1 in plain numbers.
    m, s = 0.9 * 100 + 0.1 * 900, 0.999 * 0.001 * 1e6 + 0.001 * 900**2
    hat = (m / (1 - 0.9**2)) / (np.sqrt(s / (1 - 0.999**2)) + 1e-8)
    assert adam.step(np.full(1, 0.9), lambda v: 1e3 * v) == pytest.approx(0.9 - 0.1 * hat, rel=1e-13)


def test_stochastic_descent_by_all_rows_is_gradient_descent_step_by_step(rough):
    solver = prepare(rough, penalty=0.01)
    found = solve(solver, "sgd", rate=0.05, batch=1_000, epochs=30)
    key = np.array([np.random.default_rng(0).integers(2**63), 0], dtype=np.uint64)
    weights = solver.network.draw(np.random.Generator(np.random.Philox(key=key)))
    for value in found.values:
        weights = weights - 0.05 * solver.loss.differentiate(weights)[2]
        assert value == solver.loss.find_value(weights)
    assert found.value == found.values[-1]
    assert (found.gradients, found.status) == (30, "stopped")


@pytest.mark.parametrize("penalty", [0, 0.1])
@pytest.mark.parametrize("algorithm", ["scipy_lbfgsb", "scipy_bfgs", "scipy_conjugate_gradient", "momentum"])
def test_a_linear_network_reaches_the_closed_form(rough, algorithm, penalty):
    solver = prepare(rough, layers=[], penalty=penalty)
    found = solve(solver, algorithm, rate=0.05, epochs=400)
    rows = solver.lessons.training
    # Columns have mean 0, so the bias of the closed form is 0 and the rest are ridge's normal equations.
    matrix = rows.inputs.T @ rows.inputs + len(rows.inputs) * penalty * np.eye(2)
    exact = np.append(np.linalg.solve(matrix, rows.inputs.T @ rows.outputs).ravel(), 0)
    weights = found.tables["curves"]["value"][-3:]
    # The loss of a quadratic bowl tells weights apart to the root of its rounding, 1e-8.
    assert weights == pytest.approx(exact, abs=1e-7)
    assert abs(found.evidence["gap_known"]) < 1e-14
    if not penalty:
        assert found.evidence["gain"] == pytest.approx(0, abs=1e-7)


def test_one_unit_recovers_the_function_of_such_a_unit(tmp_path):
    x = np.linspace(-2, 2, 80)
    path = write(tmp_path, {"x": x, "z": 3 * np.tanh(1.5 * x - 0.5) + 1})
    solver = prepare(path, inputs=["x"], layers=[1])
    found = solve(solver, "scipy_bfgs", epochs=500)
    assert found.evidence["best_value"] < 1e-12
    inner, bias, outer, offset = found.tables["curves"]["value"][-4:]
    rows, seen, sought = solver.lessons.training, x[np.arange(80) % 5 != 4], solver.lessons.scale
    assert len(seen) == len(rows.inputs) == 64
    # Undo the scales: the slope, shift and height of the unit, up to the sign that both sides of a tanh share.
    slope, sign = inner / seen.std(), np.sign(inner)
    assert sign * slope == pytest.approx(1.5, abs=1e-4)
    assert sign * (bias - slope * seen.mean()) == pytest.approx(-0.5, abs=1e-4)
    assert sign * outer * sought.spread[0] == pytest.approx(3, abs=1e-4)
    assert offset * sought.spread[0] + sought.mean[0] == pytest.approx(1, abs=1e-4)
    # The rows held out are predicted in their own units.
    curves = pd.DataFrame(found.tables["curves"])
    held = curves[curves["curve"] == "z"]
    assert len(held) == 16
    assert np.abs(held["observed"] - held["value"]).max() < 1e-4


@pytest.mark.parametrize("algorithm", ["scipy_lbfgsb", "nlopt_neldermead", "sgd", "adam"])
def test_no_algorithm_passes_over_the_rows_more_often_than_it_may(rough, algorithm):
    found = solve(prepare(rough), algorithm, epochs=7, batch=16)
    assert found.evaluations.tolist() == list(range(1, 8))
    assert found.status == "stopped"
    # nlopt also counts for itself.
    assert found.message == "the budget of 7 epochs is spent" or algorithm.startswith("nlopt_")
    assert found.points.shape == (7, 2)
    assert np.fmin.reduce(found.values) == found.evidence["best_value"]


def test_the_same_trial_has_the_same_bits_and_every_start_is_another(rough):
    solver = prepare(rough)
    one, other = solve(solver, "adam", batch=8), solve(solver, "adam", batch=8, start=1)
    again = solve(prepare(rough), "adam", batch=8)
    assert np.array_equal(one.values, again.values)
    assert one.evidence == again.evidence
    assert one.evidence["start_value"] != other.evidence["start_value"]
    # Algorithms begin at the same weights.
    assert solve(solver, "scipy_lbfgsb").values[0] == one.evidence["start_value"]


def test_a_training_that_diverges_failed_and_says_so(rough):
    solver = prepare(rough, activation="relu")
    found = solve(solver, "sgd", rate=1e3)
    assert found.status == "failed"
    assert found.message.endswith("the learning rate is too large")
    assert found.value == found.evidence["start_value"]
    assert found.evidence["gradient_error"] < 1e-14
    risen = solve(prepare(rough, layers=[]), "sgd", rate=1.2, epochs=2)
    assert (risen.status, risen.message[:18]) == ("failed", "the loss rose from")


def make_steps(n=50):
    t = 0.1 * np.arange(n)
    return pd.DataFrame({"member": [1] * n + [2] * n, "t": [*t, *t], "x": [*np.sin(t), *np.cos(t)]})


def test_what_is_held_out_comes_last_and_no_row_that_trains_reaches_it():
    train = Train.model_validate({"to": "simulate.a", "inputs": ["x"], "horizon": 0.3, "layers": [2]})
    table = make_steps()
    shuffled = table.sample(frac=1, random_state=1)
    lessons = read_lessons(train, shuffled, "it")
    # 50 samples a member, the last 10 held out; pairs 3 apart within either part.
    assert (len(lessons.training.inputs), len(lessons.validation.inputs)) == (2 * 37, 2 * 7)
    known = np.concatenate([np.sin(0.1 * np.arange(37)), np.cos(0.1 * np.arange(37))])
    assert lessons.training.inputs[:, 0] == pytest.approx((known - known.mean()) / known.std(), abs=1e-14)
    ahead = lessons.scale.undo(lessons.validation.outputs)[:, 0]
    assert ahead == pytest.approx([*np.sin(0.1 * np.arange(43, 50)), *np.cos(0.1 * np.arange(43, 50))], abs=1e-14)
    assert lessons.validation.at[:7] == pytest.approx(0.1 * np.arange(43, 50))


def test_spread_holds_every_fifth_row_out():
    train = Train.model_validate({"to": "data.a", "inputs": ["x"], "outputs": ["t"], "layers": []})
    lessons = read_lessons(train, make_steps(), "it")
    assert lessons.validation.at.tolist() == list(range(5, 101, 5))
    assert len(lessons.training.inputs) == 80


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"inputs": ["w"]}, "has no column 'w'"),
        ({"horizon": 0.25, "outputs": ["x"]}, "no whole number of steps"),
        ({"validation": "0.01"}, "1 rows held out are too few"),
        ({"inputs": ["same"]}, "column 'same': it does not vary"),
    ],
)
def test_rows_that_cannot_be_used_are_named(changed, message):
    stated = {"to": "data.a", "inputs": ["x"], "outputs": ["t"], "layers": []} | changed
    with pytest.raises(DataError, match=message):
        read_lessons(Train.model_validate(stated), make_steps().assign(same=1.0), "it")


def test_the_error_of_a_mean_allows_for_neighbours_that_are_alike():
    random = np.random.default_rng(0)
    apart = random.standard_normal(10_000)
    # 100 block means: a standard deviation known to 7 %.
    assert measure_mean_error(apart) == pytest.approx(0.01, rel=0.25)
    # Runs of ten equal numbers have the error of a tenth as many.
    assert measure_mean_error(np.repeat(apart[:1_000], 10)) == pytest.approx(np.sqrt(1 / 1_000), rel=0.25)


def test_the_linear_map_is_that_of_least_squares():
    inputs, outputs = make_rows()
    weights = solve_linearly(Rows(inputs, outputs, np.arange(N)), 0.0)
    design = np.column_stack([inputs, np.ones(N)])
    residuals = outputs - Perceptron((2, 2), "tanh").predict(weights, inputs)
    # Least squares leave residuals at right angles to every column.
    assert np.abs(design.T @ residuals).max() < 1e-12


CONFIG = """\
data: {{rows: {{file: rows.parquet}}}}
optimize: {{net: {{train: {{to: data.rows, inputs: [x, y], outputs: [z], layers: [2]{train}}}{study}}}}}
"""


@pytest.mark.parametrize(
    ("train", "study", "message"),
    [
        (", inputs: [x]", "", "given twice"),
        (", horizon: 1", "", "data.rows has no column 't'"),
        (", validation: 1", "", "1 must be between 0 and 1"),
        (", momentum: 1", "", "must be 0 or more and less than 1"),
        (", activation: sine", "", "'sine' is not one of"),
        ("", ", variables: {x: {start: 1}}", "a training has its own"),
        ("", ", targets: [0.1]", "only a benchmark has this"),
        ("", ", sweep: {algorithm: scipy_ls_lm}", "needs single residuals"),
        ("", ", sweep: {algorithm: scipy_trust_exact}", "needs exact second derivatives"),
        ("", ", sweep: {algorithm: nlopt_direct}", "weights have no bounds"),
        ("", ", sweep: {algorithm: adams}", "there is no algorithm 'adams'"),
        (
            "",
            ", sweep: {algorithm: [adam, scipy_bfgs], learning_rate: 0.1}",
            "scipy_bfgs has no learning rate, only sgd, ",
        ),
        ("", ", sweep: {algorithm: adam, learning_rate: [0, 0.1]}", "0 must be greater than 0"),
        ("", ", sweep: {algorithm: adam, batch: [0.5]}", "0.5 is not a whole number, 1 or more"),
    ],
)
def test_a_config_that_cannot_train_is_told_why(tmp_path, rough, train, study, message):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(train=train, study=study))
    assert rough.parent == tmp_path
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert message in str(caught.value)


def test_what_is_seen_cannot_be_what_is_predicted():
    with pytest.raises(ValueError, match="x cannot be both seen and predicted in the same row"):
        Train.model_validate({"to": "data.a", "inputs": ["x"], "outputs": ["x"], "layers": []})
    with pytest.raises(ValueError, match="`outputs` is wanted where there is no `horizon`"):
        Train.model_validate({"to": "data.a", "inputs": ["x"], "layers": []})


def test_a_learning_rate_more_changes_no_other_trial_and_chunks_change_none(tmp_path):
    text = "simulate: {flow: {system: lorenz63, time: {stop: 4, samples: 201}}}\n"
    text += (
        "optimize: {net: {train: {to: simulate.flow, inputs: [x, y, z], horizon: 0.02, layers: [3], epochs: 5}, sweep: %s, chunk: %d}}\n"
    )
    tables = []
    for name, sweep, chunk in (
        ("one", "{algorithm: [sgd, adam], learning_rate: [0.01], starts: 2}", 100),
        ("more", "{algorithm: [sgd, adam], learning_rate: [0.1, 0.01], starts: 3}", 2),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.yaml").write_text(text % (sweep, chunk))
        make_tables(Plan(load_config(folder / "config.yaml")), folder)
        tables.append(pd.read_csv(folder / "results/optimize/net.csv").set_index("trial").drop(columns="gap_best_seen"))
    one, more = tables
    assert len(one) == 4
    assert len(more) == 12
    assert more.loc[one.index, list(one.columns)].equals(one)


def make_trials(losses, rate=None, **columns):
    """Return a table of trials from the losses of each algorithm, a number a start."""
    rows = [{"algorithm": name, "start": start, "value": value} for name, values in losses.items() for start, value in enumerate(values)]
    table = pd.DataFrame(rows).assign(
        status="stopped", evaluations=50, training_rows=80, validation_rows=20, gradient_norm=0.1, message="m"
    )
    if rate is not None:
        table["learning_rate"] = rate
    plain = {"linear_validation_loss": 0.5, "mean_validation_loss": 1.1, "best_validation_epoch": 20, "gradient_error": 1e-16}
    found = {"validation_loss": 0.2, "best_validation_loss": 0.2, "gain": 0.3, "gain_se": 0.1, "gap_known": np.nan}
    return table.assign(**plain | found | columns)


def find(trials, layers=(4,)):
    return load_plugin("findings", "train").find({"train": {"layers": list(layers)}}, trials, {})


def test_findings_call_a_ranking_more_than_chance_where_the_sign_test_does():
    six = {"adam": [1, 2, 3, 4, 5, 6], "sgd": [2, 3, 4, 5, 6, 7]}
    claims = {finding.claim: finding for finding in find(make_trials(six))}
    # Two-sided: 2/2**6.
    assert claims["adam ends lower than sgd from 6 of 6 starts."].evidence.startswith("Sign test: p = 0.031.")
    five = {name: values[:5] for name, values in six.items()}
    chance = next(finding for finding in find(make_trials(five)) if "starts" in finding.claim)
    assert (chance.standing, chance.claim) == ("open", "adam ends lower than sgd from 5 of 5 starts, which may be chance.")
    assert not any("starts" in finding.claim for finding in find(make_trials({"adam": [1, 2]})))


def test_an_algorithm_is_ranked_by_its_best_settings():
    trials = make_trials({"sgd": [9, 9, 9, 1, 1, 1], "adam": [2, 2, 2, 8, 8, 8]}, rate=[0.1] * 3 + [0.2] * 3 + [0.3] * 3 + [0.4] * 3)
    trials["start"] = [0, 1, 2] * 4
    ranking = next(finding for finding in find(trials) if "ends lower" in finding.claim)
    assert ranking.claim.startswith("sgd (learning rate 0.2) ends lower than adam (learning rate 0.3) from 3 of 3 starts")
    assert ranking.standing == "open"


@pytest.mark.parametrize(
    ("gain", "standing", "words"), [(0.3, "supported", "errs less"), (0.1, "open", "is not shown"), (-0.3, "failed", "errs more")]
)
def test_a_network_is_worth_what_it_gains_on_rows_held_out_beyond_two_errors(gain, standing, words):
    finding = find(make_trials({"adam": [1]}, gain=gain))[1]
    assert finding.standing == standing
    assert words in finding.claim


def test_findings_say_what_was_learned_by_heart_what_failed_and_what_is_proven():
    trials = make_trials({"adam": [1, 2]}, best_validation_loss=0.1, gradient_error=1e-3)
    trials.loc[1, "status"] = "failed"
    claims = " ".join(finding.claim for finding in find(trials))
    assert "After pass 20 its loss of the rows held out was lower, 0.1." in claims
    assert "1 of 2 trials failed." in claims
    assert "At 2 of 2 answers the derivatives differ from those along the imaginary axis" in claims
    assert "Nothing proves" in claims
    linear = find(make_trials({"adam": [1, 2]}, gap_known=[1e-12, 0.5]), layers=())
    assert any(finding.claim.startswith("1 of 2 trainings reached the least loss") for finding in linear)
    assert find(trials.assign(status="failed"))[0].standing == "failed"
    assert find(trials.iloc[:0])[0].standing == "open"


TRAINABLE = [
    *LEARNING_RATES,
    *(name for name, row in read_algorithms().items() if not (row.needs_bounds or row.least_squares or row.hessian)),
]


@pytest.mark.parametrize("algorithm", TRAINABLE)
def test_every_algorithm_that_can_train_lowers_the_loss_within_its_passes_and_repeats_its_bits(rough, algorithm):
    solver = prepare(rough, layers=[2], penalty=0.01)
    found, again = (solve(solver, algorithm, epochs=60, batch=16) for _ in range(2))
    assert found.status in ("converged", "stopped"), found.message
    assert found.value < found.evidence["start_value"]
    assert len(found.values) <= 60
    assert found.value >= found.evidence["best_value"]
    assert np.array_equal(found.values, again.values)
    assert np.array_equal(found.tables["curves"]["value"], again.tables["curves"]["value"])
    assert found.evidence["gradient_error"] < 1e-14
