"""What the figures of comparisons draw, against a tiny table counted by hand."""

import numpy as np
import pandas as pd
import pytest

from phaseflow.rankings.tables import compare
from tests.contracts.drawn import draw, find_line, make_source

# What each of three algorithms needed on two problems of one variable (a unit is 2 evaluations), with a budget of 10:
# evaluations until the targets 0.1 and 1e-5, infinite where there is none, and evaluations in all.
NEVER = np.inf
NEEDED = {
    ("ace", "p"): (2, 2, 5),
    ("ace", "q"): (6, 8, 9),
    ("bob", "p"): (4, 4, 4),
    ("bob", "q"): (NEVER, NEVER, 10),
    ("cid", "p"): (2, 2, 2),
    ("cid", "q"): (NEVER, NEVER, 10),
}


@pytest.fixture
def tiny(study, tmp_path):
    """Return a source whose tables compare the three algorithms."""
    trials, steps = [], []
    for number, ((algorithm, problem), (easy, hard, spent)) in enumerate(NEEDED.items()):
        key = {"trial": number, "algorithm": algorithm, "problem": problem, "budget": 10.0, "start": 0, "dimension": 1.0}
        trials.append(key | {"start_value": 1.0, "known_value": 0.0, "evaluations": spent})
        bests = [0.0 if at >= hard else 0.05 if at >= easy else 1.0 for at in range(1, spent + 1)]
        steps += [{"trial": number, "evaluation": at, "best": best} for at, best in enumerate(bests, 1)]
    tables = compare(pd.DataFrame(trials), pd.DataFrame(steps), [0.1, 1e-5], 200, 0.95, 1)
    frames = {name: table.to_pandas() for name, table in tables.items()}
    return make_source(tmp_path, "optimize", study.plan.entries["optimize"]["contest"], trials=trials, histories=steps, **frames)


def check_steps(canvas, data, algorithm, counted):
    """Compare a drawn curve with the shares that hold from given places on; the drawn line is these rows, in steps."""
    part = data[data["algorithm"] == algorithm]
    truth = [max([share for begin, share in counted if begin <= at], default=0.0) for at in part["at"]]
    assert part["share"].tolist() == truth
    assert (part["low"] <= part["share"]).all()
    assert (part["share"] <= part["high"]).all()
    (line,) = [line for line in canvas.axes[0].lines if line.get_label() == algorithm]
    assert line.get_drawstyle() == "steps-post"
    assert find_line(canvas.axes[0], part["at"], part["share"])


def test_performance_profile_counts_problems_solved_within_a_factor(tiny):
    canvas, data = draw("performance_profile", tiny)
    assert list(dict.fromkeys(data["algorithm"])) == ["ace", "cid", "bob"]
    assert (data["at"].min(), data["at"].max()) == (1, pytest.approx(10))
    check_steps(canvas, data, "ace", [(1, 1.0)])
    check_steps(canvas, data, "bob", [(2, 0.5)])
    check_steps(canvas, data, "cid", [(1, 0.5)])


def test_data_profile_counts_problems_solved_within_units(tiny):
    canvas, data = draw("data_profile", tiny)
    check_steps(canvas, data, "ace", [(1, 0.5), (4, 1.0)])
    check_steps(canvas, data, "bob", [(2, 0.5)])
    check_steps(canvas, data, "cid", [(1, 0.5)])


def test_target_profile_counts_pairs_of_problem_and_target(tiny):
    canvas, data = draw("target_profile", tiny)
    check_steps(canvas, data, "ace", [(1, 0.5), (3, 0.75), (4, 1.0)])
    check_steps(canvas, data, "bob", [(2, 0.5)])
    check_steps(canvas, data, "cid", [(1, 0.5)])


def test_profiles_rise_to_the_share_that_the_histories_solve(study):
    trials, histories = (study.read("optimize", "contest", name) for name in ("trials", "histories"))
    best = histories.groupby("trial")["value"].min()
    trials = trials[trials["budget"] == 120]
    level = trials["known_value"] + 1e-5 * (trials["start_value"] - trials["known_value"])
    solved = (best.loc[trials["trial"]].to_numpy() <= level).groupby(trials["algorithm"]).mean()
    for figure in ("data_profile", "performance_profile"):
        data = study.prepare(figure, "contest")
        assert (data.groupby("algorithm")["share"].diff().dropna() >= 0).all()
        assert data.groupby("algorithm")["share"].last().to_dict() == pytest.approx(solved.to_dict())


def test_running_time_is_what_was_paid_over_successes(tiny):
    _, data = draw("running_time", tiny)
    rows = data[["algorithm", "trials", "successes", "expected"]].to_numpy().tolist()
    # In units of 2 evaluations: (2 + 8) / 2 over two successes, (2 + 10) / 2 and (4 + 10) / 2 over one.
    assert rows == [["ace", 2, 2, 2.5], ["cid", 2, 1, 6.0], ["bob", 2, 1, 7.0]]


def test_critical_difference_has_the_mean_ranks_by_hand(tiny):
    canvas, data = draw("critical_difference", tiny)
    # On p: ace and cid share places 1 and 2, bob is third; on q: ace is first, the others share places 2 and 3.
    assert data[["algorithm", "mean_rank"]].to_numpy().tolist() == [["ace", 1.25], ["cid", 2.0], ["bob", 2.75]]
    # Demsar (2006), table 5: q = 2.343 for three at 0.05, printed with three decimals and cut; times sqrt(3 * 4 / (6 * 2)) = 1.
    difference = data["critical_difference"].iloc[0]
    assert difference == pytest.approx(2.343, abs=1e-3)
    axes = canvas.axes[0]
    assert find_line(axes, [1, 1 + difference], [2.4, 2.4])
    assert [line.get_xdata().tolist() for line in axes.lines if line.get_color() == "C1"] == [[1.25, 2.75]]


def test_gaps_over_problems_are_medians_of_what_is_left(tiny, study):
    _, data = draw("gap_over_problems", tiny)
    parts = dict(list(data.groupby("algorithm")))
    # Over two problems the median is the mean; 1e-16 stands for nothing left.
    nothing = 1e-16
    for algorithm, counted in {
        "ace": [(1, 1.0), (2, 0.5), (6, 0.025), (8, nothing)],
        "bob": [(1, 1.0), (4, 0.5)],
        "cid": [(1, 1.0), (2, 0.5)],
    }.items():
        truth = [[value for begin, value in counted if begin <= at][-1] for at in parts[algorithm]["evaluation"]]
        assert parts[algorithm]["median"].tolist() == pytest.approx(truth, rel=1e-12)
    assert data["algorithm"].iloc[0] == "ace"
    trials = study.read("optimize", "contest", "trials")
    last = trials[trials["budget"] == trials["budget"].max()].groupby("algorithm")["gap_relative"].median().clip(lower=1e-16)
    drawn = study.prepare("gap_over_problems", "contest")
    assert (drawn["low"] <= drawn["median"]).all()
    assert (drawn["median"] <= drawn["high"]).all()
    assert drawn.groupby("algorithm")["median"].last().to_dict() == pytest.approx(last.to_dict(), rel=1e-12)


COVERS = {
    "performance_profile": test_performance_profile_counts_problems_solved_within_a_factor,
    "data_profile": test_data_profile_counts_problems_solved_within_units,
    "target_profile": test_target_profile_counts_pairs_of_problem_and_target,
    "running_time": test_running_time_is_what_was_paid_over_successes,
    "critical_difference": test_critical_difference_has_the_mean_ranks_by_hand,
    "gap_over_problems": test_gaps_over_problems_are_medians_of_what_is_left,
}
