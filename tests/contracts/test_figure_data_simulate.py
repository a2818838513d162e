"""What the figures of `simulate` draw, against closed forms, scipy's integrator and tables made by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

from tests.contracts.drawn import draw, make_source

MEMBERS = [9007199254740993, 4546665659230395937, 3]  # the first two differ from every double
# DOP853 at this tolerance follows Lorenz's equations over two to five time units with errors below 1e-8: they grow by e^(0.9 t).
EXACT = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-12}


def flow_lorenz(_t, y, rho=28.0):
    return [10 * (y[1] - y[0]), y[0] * (rho - y[2]) - y[1], y[0] * y[1] - 8 / 3 * y[2]]


def integrate_lorenz(start, stop, rho=28.0, **options):
    return solve_ivp(flow_lorenz, (0, stop), start, args=(rho,), **EXACT, **options)


def check_trajectories(study, data):
    """Compare the drawn trajectories of three neighbours with scipy's from the starts in the table of members."""
    members = study.read("simulate", "pair", "members")
    assert data["member"].drop_duplicates().tolist() == members["member"].tolist()
    assert members["x_0"].nunique() == 3
    for row in members.itertuples():
        part = data[data["member"] == row.member]
        assert part["t"].tolist() == pytest.approx([0.2 * k for k in range(11)])
        truth = integrate_lorenz([row.x_0, row.y_0, row.z_0], 2, t_eval=part["t"]).y.T
        assert part[["x", "y", "z"]].to_numpy() == pytest.approx(truth, abs=1e-7)


def test_attractor_draws_the_true_trajectories(study):
    data = study.prepare("attractor", "pair")
    assert list(data) == ["member", "t", "x", "y", "z"]
    check_trajectories(study, data)


def test_time_series_draw_the_true_trajectories_and_their_horizons(study):
    data = study.prepare("time_series", "pair")
    check_trajectories(study, data)
    members = study.read("simulate", "pair", "members").set_index("member")
    assert data["reliable_until"].tolist() == members["reliable_until"].loc[data["member"]].tolist()


def test_bifurcation_draws_the_extrema_of_each_member_in_the_order_of_the_sweep(study):
    data = study.prepare("bifurcation", "many")
    members = study.read("simulate", "many", "members").set_index("rho")
    assert data["rho"].is_monotonic_increasing
    for event in ("z_max", "z_min"):
        counts = data[data["event"] == event].groupby("rho").size().reindex(members.index, fill_value=0)
        assert counts.to_dict() == members[f"{event}_count"].astype(int).to_dict()
    rho = members.index[3]
    start = members.loc[rho, ["x_0", "y_0", "z_0"]].to_numpy(dtype=float)

    def stand_still(t, y, rho):
        return flow_lorenz(t, y, rho)[2]

    found = integrate_lorenz(start, 20, rho, events=stand_still)
    heights, times = found.y_events[0][:, 2], found.t_events[0]
    # Events in the start itself are none; those whose height is lost in the rounding of a fixed point are left out on both sides.
    at_peak = np.array([flow_lorenz(0, y, rho)[0] * y[1] + y[0] * flow_lorenz(0, y, rho)[1] < 0 for y in found.y_events[0]])
    truth = heights[at_peak & (times > 0) & (abs(heights - (rho - 1)) > 1e-4)]
    drawn = data[(data["rho"] == rho) & (data["event"] == "z_max")]["z"].to_numpy()
    drawn = drawn[abs(drawn - (rho - 1)) > 1e-4]
    assert len(truth) > 3
    assert drawn == pytest.approx(truth, abs=1e-8)


def test_lyapunov_spectrum_is_sorted_and_exact_at_fixed_points(study):
    data = study.prepare("lyapunov_spectrum", "many")
    names = ["lyapunov_1", "lyapunov_2", "lyapunov_3"]
    assert data["rho"].tolist() == pytest.approx(np.linspace(1, 30, 20))
    assert (np.diff(data[names], axis=1) <= 0).all()
    # The field's divergence is constant, so exponents add up to it: -(10 + 1 + 8/3).
    assert data[names].sum(axis=1).to_numpy() == pytest.approx(np.full(20, -41 / 3), abs=1e-9)
    settled = data[data["lyapunov_from"] == "fixed_point"]
    assert len(settled) >= 4
    for row in settled.itertuples():
        side = np.sqrt(8 / 3 * (row.rho - 1))
        jacobian = [[-10, 10, 0], [1, -1, -side], [side, side, -8 / 3]]
        truth = sorted(np.linalg.eigvals(jacobian).real, reverse=True)
        assert [row.lyapunov_1, row.lyapunov_2, row.lyapunov_3] == pytest.approx(truth, abs=1e-8)


def test_divergence_grows_with_the_slope_of_the_exponent(tmp_path):
    exponent, starts = 0.9, [0.0, 1e-6, 3e-6, 4e-6]
    t = np.linspace(0, 5, 51)
    rows = [pd.DataFrame({"member": n, "t": t, "x": s * np.exp(exponent * t), "y": 1.0}) for n, s in enumerate(starts)]
    source = make_source(tmp_path, "simulate", None, members={"member": range(4)}, trajectories=pd.concat(rows))
    canvas, data = draw("divergence", source)
    for name, start in (("least", 1e-6), ("median", 3e-6), ("greatest", 4e-6)):
        assert data[name].to_numpy() == pytest.approx(start * np.exp(exponent * t))
    line = canvas.axes[0].lines[0]
    assert np.diff(np.log(line.get_ydata())) / np.diff(line.get_xdata()) == pytest.approx(np.full(50, exponent))


def test_divergence_is_the_distance_of_the_true_trajectories(study):
    data = study.prepare("divergence", "pair")
    starts = study.read("simulate", "pair", "members")[["x_0", "y_0", "z_0"]].to_numpy()
    first, *others = (integrate_lorenz(start, 2, t_eval=data["t"]).y for start in starts)
    distances = [np.linalg.norm(other - first, axis=0) for other in others]
    assert data["greatest"].to_numpy() == pytest.approx(np.max(distances, axis=0), abs=1e-7)
    assert data["least"].to_numpy() == pytest.approx(np.min(distances, axis=0), abs=1e-7)


def test_phase_portrait_draws_field_nullclines_and_fixed_points(study):
    canvas, data = study.draw("phase_portrait", "field")
    a, b, c, z = 0.7, 0.8, 3.0, -0.4

    def slope(x, y):
        return c * (y + x - x**3 / 3 + z), -(x - a + b * y) / c

    field = data[data["what"] == "field"]
    for name, truth in zip(("across", "up"), slope(field["x"], field["y"]), strict=True):
        assert field[name].to_numpy() == pytest.approx(truth.to_numpy(), abs=1e-12)
    (point,) = data[data["what"] == "unstable"].itertuples()
    assert slope(point.x, point.y) == pytest.approx((0, 0), abs=1e-12)
    curve = data[data["what"] == "trajectory"]
    assert curve["member"].unique().tolist() == study.read("simulate", "field", "members")["member"].tolist()
    nullclines = [lines for lines in canvas.axes[0].collections if "ContourSet" in type(lines).__name__]
    assert len(nullclines) == 2
    for place, lines in enumerate(nullclines):
        points = np.concatenate([path.vertices for path in lines.get_paths()])
        assert len(points) > 50
        # Contours are straight within a cell h wide: the field errs by at most h^2 max|f''| / 8 = h^2 |c x| / 4, and rounding.
        h = np.diff(np.unique(field["x"])).min()
        bound = h**2 * c * field["x"].abs().max() / 4
        assert np.abs(slope(*points.T)[place]).max() <= (bound if place == 0 else 1e-12)


def test_section_draws_points_on_the_section(study):
    data = study.prepare("section", "crossed")
    assert list(data) == ["member", "t", "x", "y"]

    def cross(_t, y, _rho):
        return y[2] - 27

    truth = integrate_lorenz([1, 1, 1], 5, events=cross)
    early = data[data["t"] < 5]
    assert early["t"].to_numpy() == pytest.approx(truth.t_events[0], abs=1e-7)
    assert early[["x", "y"]].to_numpy() == pytest.approx(truth.y_events[0][:, :2], abs=1e-6)
    assert len(early) > 10


def test_return_map_pairs_successive_values_of_one_member(study, tmp_path):
    settings = study.plan.entries["simulate"]["cusp"]
    members, heights = [1, 1, 2, 1, 2, 1], [30.0, 31.0, 40.0, 32.0, 41.0, 99.0]
    events = pd.DataFrame({"member": members, "event": ["z_max"] * 5 + ["z_min"], "t": range(6), "x": 0.0, "y": 0.0, "z": heights})
    made = make_source(tmp_path, "simulate", settings, members={"member": [2, 1]}, events=events)
    canvas, data = draw("return_map", made)
    assert sorted(data.itertuples(index=False, name=None)) == [(1, 30, 31), (1, 31, 32), (2, 40, 41)]
    assert [[*zip(line.get_xdata(), line.get_ydata(), strict=True)] for line in canvas.axes[0].lines[:1]] == [[(30, 30), (41, 41)]]
    drawn = study.prepare("return_map", "cusp")
    events = study.read("simulate", "cusp", "events")
    heights = events[events["event"] == "z_max"].sort_values("t")["z"].tolist()
    assert drawn["z"].tolist() == heights[:-1]
    assert drawn["z_next"].tolist() == heights[1:]


def test_parameter_map_has_each_value_in_its_cell(study, tmp_path):
    data = study.prepare("parameter_map", "plane2")
    members = study.read("simulate", "plane2", "members").sort_values(["rho", "sigma"])
    assert data.to_numpy().tolist() == members[["rho", "sigma", "lyapunov_1"]].to_numpy().tolist()
    grid = [(a, b) for b in (1.0, 2.0, 4.0) for a in (10.0, 20.0)]
    table = pd.DataFrame({"member": MEMBERS * 2, "rho": [a for a, _ in grid], "sigma": [b for _, b in grid]})
    table["lyapunov_1"] = table["rho"] + table["sigma"]
    canvas, _ = draw("parameter_map", make_source(tmp_path, "simulate", study.plan.entries["simulate"]["plane2"], members=table))
    axes = canvas.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("rho", "sigma")
    (mesh,) = axes.collections
    corners = mesh.get_coordinates()
    for row, sigma in enumerate((1.0, 2.0, 4.0)):
        for column, rho in enumerate((10.0, 20.0)):
            assert mesh.get_array()[row, column] == rho + sigma
            assert (corners[row, column] < (rho, sigma)).all()
            assert (corners[row + 1, column + 1] > (rho, sigma)).all()


def test_paths_have_the_quantiles_of_all_and_the_first_ones(study):
    data = study.prepare("paths", "stock", paths=2)
    frame = study.read("simulate", "stock", "trajectories").pivot_table(index="t", columns="member", values="S")
    assert frame.shape == (11, 5)
    for level in (0.05, 0.25, 0.5, 0.75, 0.95):
        drawn = data[data["kind"] == f"quantile {level:g}"]
        assert drawn["t"].tolist() == frame.index.tolist()
        assert drawn["S"].to_numpy() == pytest.approx(np.quantile(frame.to_numpy(), level, axis=1), rel=1e-14)
    first = study.read("simulate", "stock", "members")["member"].head(2)
    for member in first:
        assert data[data["kind"] == f"path {member}"]["S"].tolist() == frame[member].tolist()
    assert data["kind"].nunique() == 7


COVERS = {
    "attractor": test_attractor_draws_the_true_trajectories,
    "time_series": test_time_series_draw_the_true_trajectories_and_their_horizons,
    "bifurcation": test_bifurcation_draws_the_extrema_of_each_member_in_the_order_of_the_sweep,
    "lyapunov_spectrum": test_lyapunov_spectrum_is_sorted_and_exact_at_fixed_points,
    "divergence": test_divergence_grows_with_the_slope_of_the_exponent,
    "phase_portrait": test_phase_portrait_draws_field_nullclines_and_fixed_points,
    "section": test_section_draws_points_on_the_section,
    "return_map": test_return_map_pairs_successive_values_of_one_member,
    "parameter_map": test_parameter_map_has_each_value_in_its_cell,
    "paths": test_paths_have_the_quantiles_of_all_and_the_first_ones,
}
