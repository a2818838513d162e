"""What the figures of `fit` draw, against least squares by numpy, closed forms and the data that the fits were given."""

import importlib.resources
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from tests.contracts.drawn import draw, find_line

SIGMA, BETA = 10.0, 8 / 3


@pytest.fixture(scope="module")
def longley():
    return pd.read_csv(importlib.resources.files("statsmodels.datasets.longley") / "longley.csv")


def make_design(longley):
    return np.column_stack([np.ones(16), longley["GNP"], longley["YEAR"]])


def find_hats(design):
    """Return leverages, by an orthogonal basis of columns that were scaled first."""
    basis, _ = np.linalg.qr(design / np.abs(design).max(axis=0))
    return (basis**2).sum(axis=1)


def test_linear_fit_draws_least_squares_and_what_it_leaves(study, longley):
    canvas, data = study.draw("linear_fit", "longley")
    design, seen = make_design(longley), longley["TOTEMP"].to_numpy(dtype=float)
    fitted = design @ np.linalg.lstsq(design, seen)[0]
    # numpy keeps about 16 - log10(condition) = 8 digits of this ill-conditioned design.
    assert data["fitted"].to_numpy() == pytest.approx(fitted, rel=1e-7)
    assert data["response"].tolist() == seen.tolist()
    assert data["residual"].to_numpy() == pytest.approx((data["response"] - data["fitted"]).to_numpy(), abs=1e-9)
    left, right = canvas.axes
    assert find_line(left, data["fitted"], data["response"])
    assert find_line(right, data["fitted"], data["residual"])
    assert list(left.lines[0].get_xdata()) == list(left.lines[0].get_ydata())


def test_residuals_are_studentized_without_their_own_row(study, longley):
    canvas, data = study.draw("residuals", "longley")
    design, seen = make_design(longley), longley["TOTEMP"].to_numpy(dtype=float)
    for row in range(16):
        rest = np.arange(16) != row
        found, squares, *_ = np.linalg.lstsq(design[rest], seen[rest])
        # The error of a prediction for a row left out, over its standard error, is the studentized residual.
        inverse = np.linalg.pinv(design[rest])
        spread = np.sqrt(squares.item() / (15 - 3) * (1 + ((design[row] @ inverse) ** 2).sum()))
        assert data["studentized"][row] == pytest.approx((seen[row] - design[row] @ found) / spread, rel=1e-4)
    assert data["leverage"].to_numpy() == pytest.approx(find_hats(design), rel=1e-6)
    places = data["studentized"].rank().to_numpy()
    assert data["quantile"].tolist() == pytest.approx([NormalDist().inv_cdf((place - 0.5) / 16) for place in places])
    for axes, name in zip(canvas.axes, ("fitted", "quantile", "leverage"), strict=True):
        assert find_line(axes, data[name], data["studentized"])


def test_curve_fit_bands_are_students_and_contain_the_curve(study, longley):
    canvas, data = study.draw("curve_fit", "growth")
    seen, curve = data[data["part"] == "observed"], data[data["part"] == "curve"]
    a, b = study.read("fit", "growth", "terms")["estimate"]
    years = longley["YEAR"].to_numpy() - 1947.0
    assert seen["response"].tolist() == longley["GNP"].tolist()
    for part in (seen, curve):
        assert part["fitted"].to_numpy() == pytest.approx(a * np.exp(b * (part["x"] - 1947)).to_numpy(), rel=1e-12)
    assert seen["residual"].to_numpy() == pytest.approx((seen["response"] - seen["fitted"]).to_numpy(), abs=1e-6)
    slopes = np.column_stack([np.exp(b * years), a * years * np.exp(b * years)])
    # Least squares: what is left over is orthogonal to the curve's derivatives.
    cosines = seen["residual"].to_numpy() @ slopes / (np.linalg.norm(seen["residual"]) * np.linalg.norm(slopes, axis=0))
    assert cosines == pytest.approx([0, 0], abs=1e-8)
    half = student.ppf(0.975, 14) * np.sqrt((seen["residual"] ** 2).sum() / 14)
    hats = find_hats(slopes)
    for name, wide in (("band", hats), ("prediction", 1 + hats)):
        assert (seen["fitted"] - seen[f"{name}_low"]).to_numpy() == pytest.approx(half * np.sqrt(wide), rel=1e-6)
        assert (seen[f"{name}_high"] - seen["fitted"]).to_numpy() == pytest.approx(half * np.sqrt(wide), rel=1e-6)
    lines = curve[["prediction_low", "band_low", "fitted", "band_high", "prediction_high"]]
    assert (np.diff(lines, axis=1) > 0).all()
    assert find_line(canvas.axes[0], curve["x"], curve["fitted"])
    assert find_line(canvas.axes[0], seen["x"], seen["response"])


def test_discovered_draws_the_coefficients_of_lorenz(study):
    canvas, data = study.draw("discovered", "found")
    terms, path = data[data["part"] == "term"], data[data["part"] == "path"]
    truth = {"x' : x": -SIGMA, "x' : y": SIGMA, "y' : x": 28, "y' : y": -1, "y' : x*z": -1, "z' : z": -BETA, "z' : x*y": 1}
    assert dict(zip(terms["term"], terms["truth"], strict=True)) == truth
    # Without noise the errors are the data's: shooting finds coefficients to about 1e-12, and must be far inside 1e-8.
    assert dict(zip(terms["term"], terms["estimate"], strict=True)) == pytest.approx(truth, rel=1e-8)
    assert (terms["ci_low"] <= terms["estimate"]).all()
    assert (terms["estimate"] <= terms["ci_high"]).all()
    left, right = canvas.axes
    assert find_line(left, terms["truth"], range(7))
    assert [label.get_text() for label in left.get_yticklabels()] == terms["term"].tolist()
    rows = study.read("fit", "found", "rows")
    assert path["n_terms"].tolist() == rows["n_terms"].tolist()
    # The empty equations predict the mean: their error is the spread itself.
    assert path.loc[path["n_terms"] == 0, "held_out_error"].tolist() == pytest.approx([1.0])
    chosen = path[path["is_chosen"].astype(bool)]
    assert len(chosen) == 1
    assert find_line(right, chosen["n_terms"], chosen["held_out_error"])


def test_each_way_to_propose_terms_has_its_own_path(study):
    source = study.source("fit", "found")
    data = study.prepare("discovered", "found")
    terms = data[data["part"] == "term"]
    rows = [("ssr", 3, 0.2), ("frols", 1, 0.9), ("ssr", 1, 0.8), ("frols", 3, 0.1), ("ssr", 2, 0.5), ("frols", 2, 0.3)]
    path = pd.DataFrame(rows, columns=["optimizer", "n_terms", "held_out_error"]).assign(part="path", is_chosen=[False] * 5 + [True])
    canvas, _ = draw("discovered", source, pd.concat([terms, path], ignore_index=True))
    right = canvas.axes[1]
    assert find_line(right, [1, 2, 3], [0.9, 0.3, 0.1])
    assert find_line(right, [1, 2, 3], [0.8, 0.5, 0.2])
    assert find_line(right, [2], [0.3])
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["frols", "ssr"]


def read_flow(study):
    """Return the record that forecasters and networks were given, shape (401, 3)."""
    return study.read("simulate", "flow", "trajectories").sort_values("t")[["t", "x", "y", "z"]].to_numpy()


def test_forecast_draws_what_came_and_ordered_errors(study):
    canvas, data = study.draw("forecast", "ahead")
    leads, valid = data[data["part"] == "lead"], data[data["part"] == "valid"]
    assert list(valid["term"]) == list(dict.fromkeys(leads["term"])) == ["persistence", "climatology", "linear", "quadratic"]
    assert (np.diff(leads[["error_0.05", "error_0.50", "error_0.95"]], axis=1) >= 0).all()
    assert (valid["ci_low"] <= valid["estimate"]).all()
    assert (valid["estimate"] <= valid["ci_high"]).all()
    parts = dict(list(leads.groupby("term")))
    run, record = parts["persistence"], read_flow(study)
    assert run["lead"].tolist() == pytest.approx([0.02 * k for k in range(1, 51)])
    # What came is the record; persistence stays at the sample before it, and the first lead's error is one step.
    (begin,) = np.flatnonzero(record[:, 1] == run["observed"].iloc[0])
    assert run["observed"].tolist() == record[begin : begin + 50, 1].tolist()
    assert run["predicted"].tolist() == [record[begin - 1, 1]] * 50
    assert parts["climatology"]["predicted"].nunique() == 1
    # Until its median error passes the threshold, a forecaster is right.
    assert (parts["quadratic"]["error_0.50"].iloc[:10] < 0.01).all()
    assert find_line(canvas.axes[0], run["lead"], run["observed"])
    assert find_line(canvas.axes[0], run["lead"], parts["quadratic"]["predicted"])


def test_forecast_error_is_the_records_own_for_persistence(study):
    canvas, data = study.draw("forecast_error", "net")
    errors, times = data[data["part"] == "error"], data[data["part"] == "time"]
    record = read_flow(study)
    spread = record[:320, 1:].std(axis=0)  # of the four fifths that predictors saw
    steps = pd.Series(np.sqrt(((np.diff(record[:, 1:], axis=0) / spread) ** 2).mean(axis=1)), record[1:, 0].round(6))
    part = times[times["term"] == "persistence"]
    assert len(part) == 80  # the last fifth of the 399 pairs that all predictors have
    assert part["size"].to_numpy() == pytest.approx(steps.loc[part["t"].round(6)].to_numpy(), rel=1e-9)
    assert (errors["ci_low"] <= errors["estimate"]).all()
    assert (errors["estimate"] <= errors["ci_high"]).all()
    best = errors.loc[errors["estimate"].idxmin(), "term"]
    assert best not in ("persistence", "linear")
    right = canvas.axes[1]
    assert [line.get_label() for line in right.lines] == ["persistence", "linear", best]
    assert find_line(right, part["t"], part["size"])


def test_returns_draw_the_quantiles_of_the_lognormal_law(study):
    _, data = study.draw("returns", "stock")
    terms = study.read("fit", "stock", "terms").set_index("term")["estimate"]
    first = study.read("simulate", "stock", "trajectories").groupby("member")["S"].apply(list)
    assert data["value"].tolist() in first.tolist()
    names = [f"fan_{level:.2f}" for level in (0.05, 0.25, 0.5, 0.75, 0.95)]
    assert (np.diff(data[names].iloc[1:], axis=1) > 0).all()
    drift = terms["mu"] - terms["sigma"] ** 2 / 2
    for name in names:
        z = NormalDist().inv_cdf(float(name.removeprefix("fan_")))
        truth = data["value"][0] * np.exp(drift * data["t"] + terms["sigma"] * z * np.sqrt(data["t"]))
        assert data[name].to_numpy() == pytest.approx(truth.to_numpy(), rel=1e-9)
    step = np.diff(np.log(data["value"])) - drift * 0.1
    assert data["residual"].iloc[1:].to_numpy() == pytest.approx(step / (terms["sigma"] * np.sqrt(0.1)), rel=1e-9)


def test_returns_draw_the_series_in_its_fan_and_count_every_step(study):
    canvas, data = study.draw("returns", "prices")
    left, right = canvas.axes
    assert find_line(left, data["t"], data["value"])
    assert find_line(left, data["t"], data["fan_0.50"])
    assert sum(bar.get_height() for bar in right.patches) == len(data) - 1 == 5030
    # The model's growth is the series' own, so that its median ends where the series does.
    assert data["fan_0.50"].iloc[-1] == pytest.approx(data["value"].iloc[-1], rel=1e-9)


COVERS = {
    "linear_fit": test_linear_fit_draws_least_squares_and_what_it_leaves,
    "residuals": test_residuals_are_studentized_without_their_own_row,
    "curve_fit": test_curve_fit_bands_are_students_and_contain_the_curve,
    "discovered": test_discovered_draws_the_coefficients_of_lorenz,
    "forecast": test_forecast_draws_what_came_and_ordered_errors,
    "forecast_error": test_forecast_error_is_the_records_own_for_persistence,
    "returns": test_returns_draw_the_quantiles_of_the_lognormal_law,
}
