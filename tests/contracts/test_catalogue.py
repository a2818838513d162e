"""One contract for every system of the catalogue."""

import re

import numpy as np
import pytest

from phaseflow.catalogues import Catalogue
from phaseflow.dynamics.fields import CompiledField, make_field
from phaseflow.engines import Task
from phaseflow.expressions.arrays import evaluate
from phaseflow.expressions.quantity import Quantity
from phaseflow.measures.lyapunov import MEASURE
from phaseflow.plugins import load_plugin
from phaseflow.settings.methods import ENGINES, Solver

CATALOGUE = Catalogue()
SYSTEMS = {name: CATALOGUE[name].expand() for name in CATALOGUE}
KNOWN = {name: system.invariants for name, system in SYSTEMS.items() if system.invariants}
# Systems on which Taylor's method needs too many steps.
STIFF = frozenset({"hires", "oregonator", "pollution", "robertson"})
# How long each runs: some turns, bursts or years; a system that is not listed runs to 100.
SPANS = {
    "chen": 20, "lu": 20, "burke_shaw": 20, "vallis": 30, "kapitza_pendulum": 10, "double_pendulum": 20, "cessi": 20,
    "restricted_three_body": 17, "figure_eight": 12, "kepler": 60, "hires": 321.8122, "oregonator": 360, "pollution": 60,
    "robertson": 1e4, "morris_lecar": 500, "hindmarsh_rose": 1000, "goldbeter": 100, "hastings_powell": 1000, "seir_seasonal": 10,
    "lorenz96": 20, "ornstein_uhlenbeck": 10, "geometric_brownian_motion": 1,
}  # fmt: skip


def integrate(system, times, *, name="", tolerance=1e-12, transient=0.0):
    initial = np.array([[quantity.value for quantity in system.initial.values()]])
    parameters = np.array([[quantity.value for quantity in system.parameters.values()]])
    method = "euler_maruyama" if system.noise else "Radau" if name in STIFF else "taylor"
    settings = {"tolerance": tolerance, "method": method, "step": 0.01 if system.noise else None, "absolute": 1e-14}
    solver = Solver.model_validate(settings)
    task = Task(system, initial, parameters, times, transient, solver, 0, np.zeros(1, dtype=np.uint64))
    return task, load_plugin("engines", ENGINES[method]).integrate(task)


def get_values(system):
    return {name: quantity.value for name, quantity in (*system.initial.items(), *system.parameters.items())}


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_system_says_what_it_is_and_where_it_comes_from(name):
    system = CATALOGUE[name]
    assert system.description.endswith(".")
    assert re.search(r"\((1[6-9]|20)\d\d\)", system.source), "a source has a year"
    assert system.check(()) == []
    assert SYSTEMS[name].check(()) == []


def test_there_are_systems_enough():
    assert len(CATALOGUE) >= 45


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_system_runs_from_its_own_initial_state(name):
    _, result = integrate(SYSTEMS[name], np.linspace(0, SPANS.get(name, 100), 5), name=name, tolerance=1e-9)
    assert result.status[0] == "ok"
    assert np.isfinite(result.samples).all()


@pytest.mark.parametrize("name", [name for name in CATALOGUE if not CATALOGUE[name].noise])
def test_a_trajectory_begins_with_the_slope_that_the_equations_say(name):
    system = SYSTEMS[name]
    initial = np.array([quantity.value for quantity in system.initial.values()])
    # So short a step that the change of the slope during it is below the comparison's tolerance, stiff systems too.
    step = 1e-9
    _, short = integrate(system, np.array([0.0, step]))
    values = get_values(system) | {"t": 0.0}
    slopes = np.array([float(evaluate(formula.tree, values)) for formula in system.equations.values()])
    measured = (short.samples[0, 1] - initial) / step
    assert np.allclose(measured, slopes, rtol=1e-4, atol=1e-4 * max(1.0, np.abs(slopes).max()))


@pytest.mark.parametrize("name", [name for name, known in KNOWN.items() if known.conserved])
def test_conserved_quantities_are_conserved(name):
    system = SYSTEMS[name]
    times = np.linspace(0, SPANS.get(name, 100), 101)
    _, result = integrate(system, times, name=name, tolerance=1e-10 if name in STIFF else 1e-15)
    assert result.status[0] == "ok"
    columns = dict(zip(system.equations, result.samples[0].T, strict=True))
    values = get_values(system) | columns | {"t": times}
    for formula in system.invariants.conserved.values():
        series = evaluate(formula.tree, values)
        # Taylor's method at 1e-15 errs by rounding alone; Radau keeps linear quantities whatever its tolerance.
        assert np.abs(series - series[0]).max() <= 1e-10 * max(1.0, abs(series[0])), formula.text
        assert not formula.names <= set(system.parameters), "a quantity depends on the state"


@pytest.mark.parametrize("name", [name for name, known in KNOWN.items() if known.divergence])
def test_a_constant_divergence_is_the_trace_of_the_jacobian(name):
    # Few states of an index are as good as many, and their Jacobian is small.
    system = CATALOGUE[name].resize({"N": Quantity.parse(6)}).expand()
    parameters = np.array([quantity.value for quantity in system.parameters.values()])
    _, jacobian = CompiledField(make_field(system)).bind(parameters)
    initial = np.array([quantity.value for quantity in system.initial.values()])
    stated = float(evaluate(system.invariants.divergence.tree, get_values(system)))
    random = np.random.default_rng(0)
    for time in (0.0, 0.3, 1.7, 5.1):
        matrix = jacobian(time, initial + 0.1 * random.standard_normal(len(initial)))
        # A trace is a sum: it is right to within the rounding of its entries.
        assert np.trace(matrix) == pytest.approx(stated, abs=1e-13 * max(1.0, np.abs(matrix).max()))


SPECTRA = {"lorenz63": 4_000, "vano": 8_000}


@pytest.mark.parametrize("name", [name for name, known in KNOWN.items() if known.lyapunov])
def test_published_exponents_agree_with_the_measure(name):
    known = KNOWN[name]
    task, result = integrate(SYSTEMS[name], np.array([0.0, SPECTRA[name]]), transient=200.0)
    columns = MEASURE.measure("all", task, result).columns
    for place, published in enumerate(known.lyapunov, 1):
        allowed = 3 * columns[f"lyapunov_{place}_se"][0] + known.lyapunov_error.value
        assert abs(columns[f"lyapunov_{place}"][0] - published.value) <= allowed
        assert allowed < max(0.02, 0.2 * abs(published.value)), "the measure says something"


# The states return as well as the digits of state and period allow: Arenstorf's orbit passes the moon so closely that the
# rounding of its own initial state, 2e-16, grows by five or six decades; of the figure eight 8 digits were published.
RETURNS = {"kepler": 1e-12, "restricted_three_body": 1e-9, "figure_eight": 1e-6}


@pytest.mark.parametrize("name", [name for name, known in KNOWN.items() if known.period])
def test_a_published_period_brings_the_state_back(name):
    period = KNOWN[name].period.value
    _, result = integrate(SYSTEMS[name], np.array([0.0, period / 2, period]), tolerance=1e-16)
    start, halfway, end = result.samples[0]
    assert np.abs(end - start).max() < RETURNS[name]
    assert np.abs(halfway - start).max() > 0.1


# The last digits are those of the Test Set for IVP Solvers (Mazzia and Magherini, 2008), computed there with quadruple precision.
ENDS = {
    "hires": [
        0.7371312573325668e-3, 0.1442485726316185e-3, 0.5888729740967575e-4, 0.1175651343283149e-2,
        0.2386356198831331e-2, 0.6238968252742796e-2, 0.2849998395185769e-2, 0.2850001604814231e-2,
    ],
    "oregonator": [0.1000814870318523e1, 0.1228178521549917e4, 0.1320554942846706e3],
    "pollution": [0.5646255480022769e-1, 0.1342484130422339, 0.4139734331099427e-8, 0.5523140207484359e-2],
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_a_stiff_system_ends_where_the_published_solution_does(name):
    _, result = integrate(SYSTEMS[name], np.array([0.0, SPANS[name]]), name=name, tolerance=1e-10)
    # Ten times the tolerance of one step.
    assert result.samples[0, -1, : len(ENDS[name])] == pytest.approx(ENDS[name], rel=1e-9, abs=0)


def test_a_chain_of_nonlinear_springs_conserves_its_energy():
    # A sum over the index is no expression of the language, so the energy is computed here.
    system = SYSTEMS["fermi_pasta_ulam_tsingou"]
    _, result = integrate(system, np.linspace(0, 200, 21), tolerance=1e-15)
    n, alpha = len(system.equations) // 2, system.parameters["alpha"].value
    stretch = np.diff(np.pad(result.samples[0, :, :n], ((0, 0), (1, 1))), axis=1)
    energy = (result.samples[0, :, n:] ** 2).sum(axis=1) / 2 + (stretch**2 / 2 + alpha * stretch**3 / 3).sum(axis=1)
    assert np.abs(energy - energy[0]).max() < 1e-12 * energy[0]


def test_hodgkin_and_huxleys_axon_rests_without_a_current_and_fires_with_one():
    system = SYSTEMS["hodgkin_huxley"]
    still = system.model_copy(update={"parameters": system.parameters | {"I": Quantity.parse(0)}})
    times = np.linspace(0, 100, 2001)
    _, rest = integrate(still, times)
    _, firing = integrate(system, times)
    # Their resting potential is the zero of V: with the rounded constants of the paper to within a hundredth of a millivolt.
    assert np.abs(rest.samples[0, :, 0]).max() < 0.01
    spikes = np.flatnonzero((firing.samples[0, :-1, 0] < 50) & (firing.samples[0, 1:, 0] >= 50))
    assert 5 <= len(spikes) <= 8  # about 68 a second at 10 uA/cm2


def test_sprotts_case_a_is_the_nose_hoover_oscillator():
    _, one = integrate(SYSTEMS["sprott_a"], np.linspace(0, 10, 11), tolerance=1e-15)
    _, other = integrate(SYSTEMS["nose_hoover"], np.linspace(0, 10, 11), tolerance=1e-15)
    assert one.samples[0] == pytest.approx(other.samples[0] * [1, 1, -1], abs=1e-12)
