"""What the figures of `optimize` draw, against closed forms, scipy's integrator and tables counted by hand."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import t as student

from tests.contracts.drawn import draw, find_line, make_source


def test_learning_curves_are_those_of_the_trial_that_ended_lowest(study):
    canvas, data = study.draw("learning_curves", "net")
    trials, histories = (study.read("optimize", "net", name) for name in ("trials", "histories"))
    # A learning rate of 1e4 fails for plain descent, so no curve of it is drawn.
    kept = trials[trials["status"] != "failed"]
    assert len(kept) < len(trials)
    for algorithm, part in data.groupby("algorithm"):
        best = kept[kept["algorithm"] == algorithm].nsmallest(1, "value").iloc[0]
        assert part["trial"].unique().tolist() == [best["trial"]]
        whole = histories[histories["trial"] == best["trial"]]
        for axes, column in zip(canvas.axes, ("training_loss", "validation_loss"), strict=True):
            assert part[column].tolist() == whole[column].tolist()
            assert find_line(axes, part["evaluation"], part[column])
        assert part["training_loss"].iloc[-1] == pytest.approx(best["training_loss"], rel=1e-12)


def test_convergence_is_the_least_value_so_far_above_the_least_of_all(study):
    data = study.prepare("convergence", "valley")
    histories = study.read("optimize", "valley", "histories")
    assert data["trial"].drop_duplicates().tolist() == study.read("optimize", "valley", "trials")["trial"].tolist()
    for trial, part in data.groupby("trial"):
        values = histories[histories["trial"] == trial].sort_values("evaluation")["value"]
        assert part["gap"].to_numpy() == pytest.approx(np.minimum.accumulate(values) - histories["value"].min(), abs=1e-30)


def find_valley(a, b):
    return (1 - a) ** 2 + 100 * (b - a**2) ** 2


def test_optimizer_path_draws_evaluations_over_the_functions_contours(study):
    canvas, data = study.draw("optimizer_path", "valley")
    assert data["value"].to_numpy() == pytest.approx(find_valley(data["a"], data["b"]).to_numpy(), rel=1e-12)
    algorithms = list(dict.fromkeys(data["algorithm"]))
    for axes, algorithm in zip(canvas.axes, algorithms, strict=False):
        path = data[data["algorithm"] == algorithm]
        assert path[["a", "b"]].iloc[0].tolist() == [-1, 1]
        assert find_line(axes, path["a"], path["b"])
        (contours,) = axes.collections
        h, k = (1.3 * np.ptp(data[name]) / 200 for name in ("a", "b"))
        for level, lines in zip(contours.levels, contours.get_paths(), strict=True):
            a, b = lines.vertices.T if len(lines.vertices) else np.empty((2, 0))
            # Points lie on the sides of cells, where the function is taken as straight: it errs by h^2 max|f''| / 8 on either.
            bound = (h**2 * (np.abs(2 - 400 * b) + 1200 * (np.abs(a) + h) ** 2 + 400 * k) + k**2 * 200) / 8
            assert (np.abs(find_valley(a, b) - level) <= bound).all()
        assert sum(len(lines.vertices) for lines in contours.get_paths()) > 500


def test_function_graph_agrees_with_the_closed_form(study):
    canvas, data = study.draw("function_graph", "parabola")
    parts = dict(list(data.groupby("what")))
    x = parts["function"]["at"].to_numpy()
    assert (x.min(), x.max()) == (-10, 10)
    assert parts["function"]["value"].to_numpy() == pytest.approx(x**2 + 10 * x + 5, abs=1e-13)
    assert parts["derivative"]["value"].to_numpy() == pytest.approx(2 * parts["derivative"]["at"].to_numpy() + 10, abs=1e-13)
    assert parts["root"]["at"].tolist() == pytest.approx([-5 - 20**0.5, -5 + 20**0.5])
    # The minimum is where the derivative is zero: the optimizer stops at a gradient of 1e-5 or less.
    assert 2 * parts["minimum"]["at"].item() + 10 == pytest.approx(0, abs=1e-5)
    assert parts["minimum"]["value"].item() == pytest.approx(-20, abs=1e-10)
    upper, lower = canvas.axes
    assert find_line(upper, x, parts["function"]["value"])
    assert find_line(lower, parts["derivative"]["at"], parts["derivative"]["value"])


def integrate_pol(mu, times):
    """Return van der Pol's states from (2, 0), shape (2, n_times), with errors below 1e-10."""
    field = {"fun": lambda _t, y: [y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]], "t_span": (0, max(times)), "y0": [2, 0]}
    return solve_ivp(**field, t_eval=times, method="DOP853", rtol=1e-12, atol=1e-12).y


def find_squares(mu, seen):
    """Return the sum of squares of errors in units of each column's standard deviation."""
    times = np.unique(seen["at"])
    observed = np.array([seen[seen["curve"] == name].sort_values("at")["observed"] for name in ("x", "y")])
    return (((observed - integrate_pol(mu, times)) / observed.std(axis=1, keepdims=True)) ** 2).sum()


def test_calibration_draws_the_record_and_the_best_trials_trajectory(study):
    canvas, data = study.draw("calibration", "recovered")
    trials = study.read("optimize", "recovered", "trials")
    best = trials.loc[trials["value"].idxmin()]
    assert data["trial"].unique().tolist() == [best["trial"]]
    for axes, name, truth in zip(canvas.axes, ("x", "y"), (0, 1), strict=True):
        part = data[data["curve"] == name]
        assert part["value"].to_numpy() == pytest.approx(integrate_pol(best["mu"], part["at"])[truth], abs=1e-9)
        assert find_line(axes, part["at"], part["value"])
        seen = part.dropna(subset="observed")
        assert seen["at"].tolist() == pytest.approx([0.2 * k for k in range(11)])
        assert find_line(axes, seen["at"], seen["observed"])
    assert find_squares(best["mu"], data.dropna(subset="observed")) == pytest.approx(best["value"], rel=1e-6)


def test_profile_likelihoods_end_at_the_level(study):
    canvas, data = study.draw("profile_likelihood", "recovered")
    seen = study.prepare("calibration", "recovered").dropna(subset="observed")
    # With one parameter its profile is the misfit itself.
    for row in data.itertuples():
        assert row.value == pytest.approx(find_squares(row.at, seen), rel=1e-6)
    least = data["value"].min()
    level = least * (1 + student.ppf(0.975, len(seen) - 1) ** 2 / (len(seen) - 1))
    ends = data.dropna(subset="observed")
    assert ends["observed"].tolist() == pytest.approx([level, level], rel=1e-9)
    assert ends["at"].iloc[0] < data.loc[data["value"].idxmin(), "at"] < ends["at"].iloc[1]
    # Between refits the profile's square root is taken as straight; these lie close together about the ends.
    assert [find_squares(at, seen) for at in ends["at"]] == pytest.approx([level, level], rel=1e-3)
    assert find_line(canvas.axes[0], ends["at"], ends["observed"])


def test_waterfall_is_sorted_and_has_every_start(study, tmp_path):
    trials = study.read("optimize", "recovered", "trials")
    data = study.prepare("waterfall", "recovered")
    assert data["value"].tolist() == sorted(trials["value"])
    assert set(data["trial"]) == set(trials["trial"])
    assert data["rank"].tolist() == list(range(1, len(trials) + 1))
    made = {"trial": [4, 3, 2, 1], "status": ["stopped", "converged", "failed", "converged"], "value": [5.0, 1.0, np.nan, 3.0]}
    canvas, data = draw("waterfall", make_source(tmp_path, "optimize", None, trials=made))
    assert data[["trial", "rank", "above"]].to_numpy().tolist() == [[3, 1, 0], [1, 2, 2], [4, 3, 4]]
    assert find_line(canvas.axes[0], [1, 2], [1e-6, 2])
    assert find_line(canvas.axes[0], [3], [4])


def test_error_against_noise_draws_medians_and_a_slope_of_one(study, tmp_path):
    trials = study.read("optimize", "recovered", "trials").set_index("trial")
    data = study.prepare("error_against", "recovered")
    assert data["error"].tolist() == pytest.approx((trials["mu"].loc[data["trial"]] - 1).abs().tolist(), rel=1e-9)
    noise, factor = np.repeat([0.01, 0.1, 0.0, 1.0], 3), np.array([2.0, 3.0, 7.0] * 4)
    status = ["converged"] * 9 + ["failed"] * 3
    made = {"trial": range(12), "algorithm": "one", "noise": noise, "error": factor * noise, "status": status}
    canvas, data = draw("error_against", make_source(tmp_path, "optimize", None, trials=made))
    assert data["trial"].tolist() == [0, 1, 2, 3, 4, 5]
    assert find_line(canvas.axes[0], [0.01, 0.1], [0.03, 3 * 0.1])
    dashed = canvas.axes[0].lines[-1]
    assert dashed.get_ydata() / dashed.get_xdata() == pytest.approx([3, 3])


def test_transport_flows_conserve_and_their_prices_add_up_to_the_cost(study):
    data = study.prepare("transport", "ship")
    parts = dict(list(data.groupby("kind")))
    flows, supply, demand = parts["flow"], parts["supply"].set_index("from"), parts["demand"].set_index("from")
    assert demand["amount"].to_dict() == {"c": 32, "d": 30}
    assert flows.groupby("to")["amount"].sum().to_dict() == pytest.approx(demand["amount"].to_dict())
    assert (flows.groupby("from")["amount"].sum() <= supply["amount"] + 1e-9).all()
    assert (flows["amount"] >= 0).all()
    assert flows["price"].tolist() == [2, 1, 3, 2.5]
    cost = (flows["amount"] * flows["price"]).sum()
    # Duality: prices that no way undercuts and that add up to the cost prove that it is the least.
    assert (supply["amount"] * supply["price"]).sum() + (demand["amount"] * demand["price"]).sum() == pytest.approx(cost)
    reduced = [way.price - supply["price"][way[2]] - demand["price"][way[3]] for way in flows.itertuples()]
    assert min(reduced) >= -1e-9


def test_sweep_value_is_the_least_cost_by_hand(study):
    canvas, data = study.draw("sweep_value", "ship")
    # From a, d saves 1.5 a unit and c saves 1: a sends to d first. So the cost is 2 d + 61 up to d = 35, and 2.5 d + 43.5 beyond.
    at = np.array([20, 30, 40, 50, 60])
    truth = np.where(at <= 35, 2 * at + 61, 2.5 * at + 43.5)
    drawn = data[data["what"] == "value"]
    assert drawn["at"].tolist() == at.tolist()
    assert drawn["amount"].to_numpy() == pytest.approx(truth)
    assert data[data["what"] == "price.demand.d"]["amount"].to_numpy() == pytest.approx(np.where(at <= 35, 2, 2.5))
    assert data[data["what"] == "infeasible"]["at"].tolist() == [70]
    assert find_line(canvas.axes[0], drawn["at"], drawn["amount"])


COVERS = {
    "learning_curves": test_learning_curves_are_those_of_the_trial_that_ended_lowest,
    "convergence": test_convergence_is_the_least_value_so_far_above_the_least_of_all,
    "optimizer_path": test_optimizer_path_draws_evaluations_over_the_functions_contours,
    "function_graph": test_function_graph_agrees_with_the_closed_form,
    "calibration": test_calibration_draws_the_record_and_the_best_trials_trajectory,
    "profile_likelihood": test_profile_likelihoods_end_at_the_level,
    "waterfall": test_waterfall_is_sorted_and_has_every_start,
    "error_against": test_error_against_noise_draws_medians_and_a_slope_of_one,
    "transport": test_transport_flows_conserve_and_their_prices_add_up_to_the_cost,
    "sweep_value": test_sweep_value_is_the_least_cost_by_hand,
}
