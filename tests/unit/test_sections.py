"""Poincare sections and return times against closed forms."""

from dataclasses import replace

import numpy as np
import pytest

from phaseflow.measures.return_times import MEASURE as RETURN_TIMES
from phaseflow.measures.return_times import find_error
from phaseflow.measures.section import MEASURE as SECTION
from phaseflow.settings.measures import Section
from tests.unit.tasks import integrate, make_task

OSCILLATOR = {"equations": {"q": "p", "p": "-w**2*q"}, "parameters": {"w": 2}, "initial": {"q": 1, "p": 0}}
HOPF = {"equations": {"x": "x - 2*y - x*(x**2 + y**2)", "y": "2*x + y - y*(x**2 + y**2)"}, "initial": {"x": 0.1, "y": 0}}


def cross(task, when, direction="rising"):
    asked = Section.model_validate({"when": when, "direction": direction})
    task = replace(task, events=SECTION.locate(asked, task.system))
    outcome = integrate(task)
    columns = {**SECTION.measure(asked, task, outcome), **RETURN_TIMES.measure(True, task, outcome)}
    return columns, outcome.occurrences


@pytest.mark.parametrize(("direction", "first", "count"), [("rising", 0.75, 6), ("falling", 0.25, 7), ("both", 0.25, 13)])
def test_an_oscillator_crosses_zero_when_theory_says(direction, first, count):
    # q = cos 2t: zero at pi/4 + k pi/2, falling first.
    columns, found = cross(make_task(OSCILLATOR, [0, 20.5]), "q", direction)
    assert columns["section_count"].tolist() == [count]
    step = np.pi / 2 if direction == "both" else np.pi
    assert [crossing.time for crossing in found] == pytest.approx(np.pi * first + step * np.arange(count), abs=1e-12)
    assert {crossing.event for crossing in found} == {"section"}
    assert max(abs(crossing.state[0]) for crossing in found) < 1e-12
    for name in ("mean", "min", "max"):
        assert columns[f"return_time_{name}"][0] == pytest.approx(step, abs=1e-12)
    assert columns["return_time_se"][0] < 1e-12


def test_a_section_may_depend_on_parameters_and_time():
    columns, _ = cross(make_task(OSCILLATOR, [0, 20], members=2, parameters={"w": [1.0, 3.0]}), "q - cos(t) + sin(w*t)/w")
    # At w = 1 q - cos t is zero and sin t is left: rising at 2 pi k.
    assert columns["return_time_mean"][0] == pytest.approx(2 * np.pi, abs=1e-10)


def test_a_cycle_returns_after_its_period_and_a_transient_does_not_count():
    columns, found = cross(make_task(HOPF, [0, 40], transient=30), "y")
    assert columns["return_time_mean"][0] == pytest.approx(np.pi, abs=1e-12)
    assert found[0].time >= 0
    assert [crossing.state[0] for crossing in found] == pytest.approx([1] * len(found), abs=1e-12)


def test_fewer_than_two_crossings_have_no_return_time():
    columns, _ = cross(make_task(OSCILLATOR, [0, 1]), "q", "both")
    assert columns["section_count"].tolist() == [1]
    assert all(np.isnan(columns[f"return_time_{name}"][0]) for name in ("mean", "se", "min", "max"))
    columns, _ = cross(make_task(OSCILLATOR, [0, 5]), "q", "falling")
    assert columns["section_count"].tolist() == [2]
    assert columns["return_time_mean"][0] == pytest.approx(np.pi)
    assert np.isnan(columns["return_time_se"][0])


def test_the_error_of_a_mean_knows_of_correlation():
    # Of a series with x_n+1 = a x_n + e_n the mean's variance is 1 / (n (1 - a)**2).
    rng, n = np.random.default_rng(5), 4000
    for a in (0.0, 0.8, -0.6):
        errors = []
        for _ in range(60):
            x = np.zeros(n)
            for place, noise in enumerate(rng.standard_normal(n - 1)):
                x[place + 1] = a * x[place] + noise
            errors.append(find_error(x))
        # 63 batches give an error 9 % of scatter, sixty of them 1.2 %; at a = 0.8 batches of 63 fall 7 % short.
        assert np.mean(errors) == pytest.approx(1 / ((1 - a) * np.sqrt(n)), rel=0.1)


def test_a_member_that_fails_keeps_the_crossings_it_had_and_company_changes_nothing():
    rho = np.linspace(20, 60, 5)
    together, _ = cross(make_task("lorenz63", [0, 20], members=5, parameters={"rho": rho}), "z - rho + 1")
    alone, _ = cross(make_task("lorenz63", [0, 20], parameters={"rho": rho[3]}), "z - rho + 1")
    assert {name: column[3] for name, column in together.items()} == {name: column[0] for name, column in alone.items()}
    blow = {"equations": {"x": "x**2", "y": "1"}, "initial": {"x": 1, "y": 0}}
    columns, _ = cross(make_task(blow, [0, 5]), "sin(20*y)")
    # Until x = 1/(1 - t) ends at t = 1: at pi/20 times 0, 2, 4 and 6; a start that lies on the section counts.
    assert columns["section_count"][0] == 4
