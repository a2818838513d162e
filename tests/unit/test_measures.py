"""Extrema against closed forms."""

from dataclasses import replace

import numpy as np
import pytest

from phaseflow.measures.extrema import MEASURE as EXTREMA
from tests.unit.tasks import integrate, make_task


def test_extrema_of_an_oscillator_are_where_they_are():
    task = make_task({"equations": {"q": "p", "p": "-q"}, "initial": {"q": 0, "p": 1}}, [0, 20])
    task = replace(task, events=EXTREMA.locate(["q"], task.system))
    outcome = integrate(task)
    found = EXTREMA.measure(["q"], task, outcome)
    # q = sin t: maxima at pi/2 + 2 pi k, three of them before t = 20; minima at 3 pi/2 + 2 pi k, three of them.
    assert (found["q_max_count"][0], found["q_min_count"][0]) == (3, 3)
    assert found["q_max"][0] == pytest.approx(1, abs=1e-13)
    assert found["q_min"][0] == pytest.approx(-1, abs=1e-13)
    times = [occurrence.time for occurrence in outcome.occurrences if occurrence.event == "q_max"]
    # A maximum is flat: its time is known to the rounding of p = cos t, about 1e-15 relative to the slope of 1.
    assert times == pytest.approx(np.pi / 2 + 2 * np.pi * np.arange(3), abs=1e-12)


def test_extrema_in_a_transient_are_not_counted_and_none_is_not_a_number():
    task = make_task({"equations": {"x": "-x"}, "initial": {"x": 1}}, [0, 1], transient=5)
    task = replace(task, events=EXTREMA.locate(["x"], task.system))
    found = EXTREMA.measure(["x"], task, integrate(task))
    assert np.isnan(found["x_max"][0])
    assert found["x_max_count"][0] == 0
