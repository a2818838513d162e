"""States with an index: what `x[i]` stands for, in a ring and in a chain, and what is wrong with it."""

import numpy as np
import pytest

from phaseflow.config import load_config
from phaseflow.errors import ConfigError
from phaseflow.expressions.parser import parse
from phaseflow.expressions.quantity import Expression
from phaseflow.expressions.subscripts import Subscript, read_subscript
from phaseflow.plan import Plan
from phaseflow.settings.systems import System
from tests.unit.tasks import integrate, make_task

RING = {
    "index": {"i": "N"},
    "equations": {"x[i]": "(x[i+1] - x[i-2])*x[i-1] - x[i] + F"},
    "parameters": {"N": 4, "F": 8},
    "initial": {"x[i]": "8", "x_1": "8.01"},
}
BY_HAND = {
    "equations": {
        "x_1": "(x_2 - x_3)*x_4 - x_1 + F",
        "x_2": "(x_3 - x_4)*x_1 - x_2 + F",
        "x_3": "(x_4 - x_1)*x_2 - x_3 + F",
        "x_4": "(x_1 - x_2)*x_3 - x_4 + F",
    },
    "parameters": {"F": 8},
    "initial": {"x_1": "8.01", "x_2": 8, "x_3": 8, "x_4": 8},
}
SYSTEMS = """
systems:
  ring:
    index: {i: N}
    equations: {"x[i]": "(x[i+1] - x[i-2])*x[i-1] - x[i] + F"}
    parameters: {N: 4, F: 8}
    initial: {"x[i]": 8, x_1: 8.01}
  by_hand:
    equations:
      x_1: (x_2 - x_3)*x_4 - x_1 + F
      x_2: (x_3 - x_4)*x_1 - x_2 + F
      x_3: (x_4 - x_1)*x_2 - x_3 + F
      x_4: (x_1 - x_2)*x_3 - x_4 + F
    parameters: {F: 8}
    initial: {x_1: 8.01, x_2: 8, x_3: 8, x_4: 8}
"""
SCENARIO = "simulate: {a: {system: ring, time: {stop: 1, samples: 3}%s}}"


def make(**changes):
    return System.model_validate({**RING, **changes})


def explain(**changes):
    return " | ".join(map(str, make(**changes).check(("s",))))


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        (tmp_path / "config.yaml").write_text(SYSTEMS + text)
        return load_config(tmp_path / "config.yaml")

    return load_text


# --- The parser -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("x[i]", "x[i]"), ("x[i + 1]", "x[i+1]"), ("x[i-2]", "x[i-2]"), ("x[ i +0 ]", "x[i]"), ("x[3]", "x[3]"), ("x[007]", None)],
)
def test_an_index_has_one_canonical_text_that_parses_back(text, canonical):
    if canonical is None:
        with pytest.raises(ValueError, match="not an expression"):
            parse(text)
        return
    expression = Expression.parse(f"2*{text}**2")
    assert expression.text == f"2*{canonical}**2"
    assert expression.names == {canonical}
    assert Expression.parse(expression.text) == expression


def test_the_parts_of_an_index_are_read_back():
    assert read_subscript("x_a[i-12]") == Subscript("x_a", "i", -12)
    assert read_subscript("x[i]") == Subscript("x", "i", 0)
    assert read_subscript("x[3]") == Subscript("x", None, 3)
    assert read_subscript("x_3") is None


# --- Expansion ------------------------------------------------------------------------------------------------------


def test_a_ring_is_the_system_written_by_hand():
    ring, by_hand = make().expand(), System.model_validate(BY_HAND)
    assert ring == by_hand
    assert ring.define() == by_hand.define()
    assert make().check(()) == []
    assert ring.check(()) == []
    assert ring.expand() is ring


def test_an_offset_beyond_the_size_goes_round_again():
    far = make(equations={"x[i]": "x[i+9] - x[i-5]"}).expand()
    assert [far.equations[f"x_{k}"].text for k in (1, 2, 3, 4)] == ["x_2 - x_4", "x_3 - x_1", "x_4 - x_2", "x_1 - x_3"]


def test_beyond_fixed_ends_there_is_zero():
    chain = make(boundary="fixed", equations={"x[i]": "x[i-1]*F + x[i+1]"}).expand()
    assert [chain.equations[f"x_{k}"].text for k in (1, 2, 4)] == ["0*F + x_2", "x_1*F + x_3", "x_3*F + 0"]


def test_index_and_size_are_numbers_in_expressions():
    system = make(equations={"x[i]": "-x[i]*i/N + x[1]", "y": "x[4] - N*y"}, initial={"x[i]": "cos(2*pi*i/N)", "x_2": 5, "y": 0}).expand()
    assert [formula.text for formula in system.equations.values()][::4] == ["-x_1*1/4 + x_1", "x_4 - 4*y"]
    assert [quantity.value for quantity in system.initial.values()] == pytest.approx([0, 5, 0, 1, 0], abs=1e-15)
    assert list(system.parameters) == ["F"]


def test_noise_with_an_index_is_a_process_for_each_state_and_without_one_shared():
    system = make(noise={"x[i]": {"W[i]": "F/i", "V": "x[i+1]"}}).expand()
    assert system.list_noise()[2:4] == [("x_2", "V", Expression.parse("x_3")), ("x_2", "W_2", Expression.parse("F/2"))]
    assert system.list_processes() == ["V", "W_1", "W_2", "W_3", "W_4"]
    assert system.check(()) == []


def test_the_largest_system_is_written_out():
    system = make(parameters={"N": 10_000, "F": 8}).expand()
    assert system.equations["x_1"].text == "(x_2 - x_9999)*x_10000 - x_1 + F"
    assert len(system.equations) == len(system.initial) == 10_000


def test_a_chain_of_springs_swings_at_its_own_frequencies():
    # The modes of N masses between fixed ends: sin(pi k i/(N+1)) at omega = 2 sin(pi k/(2(N+1))); here the second of five.
    chain = {
        "index": {"i": "N"},
        "boundary": "fixed",
        "equations": {"q[i]": "p[i]", "p[i]": "q[i+1] - 2*q[i] + q[i-1]"},
        "parameters": {"N": 5},
        "initial": {"q[i]": "sin(2*pi*i/(N + 1))", "p[i]": 0},
    }
    system = System.model_validate(chain).expand()
    times = np.linspace(0, 20, 11)
    result = integrate(make_task(system.model_dump(exclude_none=True), times, tolerance=1e-15))
    shape = np.sin(2 * np.pi * np.arange(1, 6) / 6)
    # Rounding in some 50 steps of a linear system: far below 1e-13.
    assert np.abs(result.samples[0, :, :5] - np.cos(2 * np.sin(np.pi / 6) * times)[:, None] * shape).max() < 1e-13


# --- Mistakes -------------------------------------------------------------------------------------------------------

MISTAKES = [
    ({"index": None}, "'x[i]' needs to be told how far its index runs, as in index: {i: N}"),
    ({"index": {"i": "M"}}, "s.index.i: there is no parameter 'M'"),
    ({"index": {"j": "N"}}, "s.equations.x[i]: 'x[i]' has no meaning here: the index is 'j'"),
    ({"index": {"F": "N"}}, "s.index.F: 'F' is a state or a parameter already"),
    ({"equations": {"x": "-x"}, "initial": {"x": 1}}, "s.index.i: no state has the index 'i', as in x[i]"),
    ({"equations": {"x[i]": "1", "x": "1"}}, "s.index.i: 'x' is a state or a parameter already"),
    ({"equations": {"x[i]": "1", "x_3": "1"}}, "s.equations.x_3: the index makes a state 'x_3' already"),
    ({"parameters": {"N": 4, "F": 8, "x_3": 1}}, "s.parameters.x_3: 'x_3' is a state already"),
    ({"parameters": {"N": 1, "F": 8}}, "s.parameters.N: 1 says how many states there are: a whole number from 2 to 10000 is wanted"),
    ({"parameters": {"N": "7/3", "F": 8}}, "7/3 says how many states there are"),
    ({"parameters": {"N": 10_001, "F": 8}}, "10001 says how many states there are"),
    ({"equations": {"x[i]": "y[i+1]"}}, "s.equations.x[i]: 'y[i+1]' needs 'y[i+1]', which is not known"),
    ({"equations": {"x[i]": "x[j]"}}, "'x[j]' needs 'x[j]', which is not known"),
    ({"equations": {"x[i]": "x[5]"}}, "'x[5]' needs 'x[5]', which is not known"),
    ({"equations": {"x[i]": "1", "y": "x[i]"}}, "s.equations.y: 'x[i]' needs 'x[i]', which is not known"),
    ({"equations": {"x[i]": "1", "y": "i"}}, "s.equations.y: 'i' needs 'i', which is not known"),
    ({"equations": {"x[i]": "1/(i - 2)"}}, "'1/(i - 2)' divides by zero at i = 2"),
    ({"equations": {"x[i]": "1/x[i-1]"}, "boundary": "fixed"}, "'1/x[i-1]' divides by zero at i = 1"),
    ({"initial": {"x[i]": "log(i - 2)"}}, "'log(i - 2)' is not a finite real number at i = 1"),
    ({"initial": {"x[i]": "F"}}, "s.initial.x[i]: 'F' is not a number: there is no constant 'F'"),
    ({"initial": {"x_2": "i"}}, "s.initial.x_2: 'i' is not a number: there is no constant 'i'"),
    ({"initial": {"x_1": 1}}, "the state 'x[i]' has no initial value"),
    ({"initial": {"x[i]": 1, "x_5": 1}}, "s.initial.x_5: there is no state 'x_5'"),
    ({"noise": {"x[i]": {"W[j]": "1"}}}, "s.noise.x[i].W[j]: 'W[j]' has no meaning here"),
    ({"equations": BY_HAND["equations"], "initial": BY_HAND["initial"], "index": None, "boundary": "fixed"}, "no meaning without an index"),
]


@pytest.mark.parametrize(("changes", "text"), MISTAKES, ids=[text for _, text in MISTAKES])
def test_a_mistake_is_explained(changes, text):
    assert text in explain(**changes)


@pytest.mark.parametrize("key", ["x[i+1]", "x[1]", "x[i", "x[t]", "x[i][j]", "y" * 57 + "[i]", "if[i]"])
def test_what_is_no_state_is_refused(key):
    with pytest.raises(ValueError, match=r"is not a state|is too long"):
        make(equations={key: "1"})


SCENARIO_MISTAKES = {
    ", sweep: {N: [4, 5]}": "simulate.a.sweep.N: 'N' says how many states there are, so it cannot be swept",
    ", parameters: {N: 2.5}": "simulate.a.parameters.N: with N = 2.5: parameters.N: 2.5 says how many states there are",
    ", parameters: {N: 3}, initial: {x_4: 1}": "simulate.a.initial.x_4: there is no state 'x_4'",
    ", initial: {x_5: 1}": "simulate.a.initial.x_5: there is no state 'x_5'",
    ", initial: {'y[i]': 1}": "there is no state 'y[i]'",
    ", ensemble: {members: 2, perturb: {x_5: 1}}": "perturb.x_5: there is no state 'x_5'",
    ", sweep: {initial.x_5: [1, 2]}": "'initial.x_5' cannot be swept",
    ", measure: {extrema: x_5}": "there is no state 'x_5'",
    ", parameters: {x: 1}": "there is no parameter 'x'",
}


@pytest.mark.parametrize("text", SCENARIO_MISTAKES)
def test_a_mistake_of_a_scenario_is_explained(load, text):
    with pytest.raises(ConfigError) as caught:
        load(SCENARIO % text)
    assert SCENARIO_MISTAKES[text] in str(caught.value)
    assert "has a mistake" in str(caught.value)


def test_an_index_anywhere_else_is_a_clear_error(load):
    with pytest.raises(ConfigError, match=r"needs 'x\[1\]': it is not among the variables"):
        load("optimize: {q: {minimize: 'x[1]**2 + x', variables: {x: {start: 1}}}}")


def test_a_broken_system_is_complained_of_once_wherever_it_is_used(load):
    text = """
  broken: {index: {i: M}, equations: {"x[i]": 1}, initial: {"x[i]": 1}}
data: {d: {dataset: statsmodels.longley}}
simulate: {a: {system: broken, time: {stop: 1}}}
optimize:
  c: {calibrate: {to: data.d, system: broken, time: YEAR, observe: {GNP: x_1}, parameters: {a: {start: 1}}}}
fit: {f: {diffusion: broken, to: data.d, series: GNP, dt: 1}}
"""
    with pytest.raises(ConfigError, match="has a mistake") as caught:
        load(text)
    assert "systems.broken.index.i: there is no parameter 'M'" in str(caught.value)


# --- Scenarios ------------------------------------------------------------------------------------------------------


def test_the_members_are_those_of_the_system_written_by_hand(load):
    asked = ", initial: {x_3: 9}, sweep: {F: [7, 8], initial.x_2: [1, 2]}, ensemble: {members: 2, perturb: {x_4: 1}}"
    ring = Plan(load(SCENARIO % asked))
    by_hand = Plan(load((SCENARIO % asked).replace("ring", "by_hand")))
    assert ring.members("simulate", "a").ids.tolist() == by_hand.members("simulate", "a").ids.tolist()
    assert ring.chunks("simulate", "a") == by_hand.chunks("simulate", "a")
    assert ring.block("simulate", "a").text == by_hand.block("simulate", "a").text


def test_a_scenario_gives_a_value_to_all_states_and_another_to_one(load):
    asked = ", parameters: {N: 6}, initial: {'x[i]': 1, x_2: 2}, ensemble: {members: 2, perturb: {'x[i]': 0.1, x_5: 0.2}}"
    scenario = load(SCENARIO % asked).scenarios["a"]
    assert [quantity.value for quantity in scenario.definition.initial.values()] == [1, 2, 1, 1, 1, 1]
    assert {state: quantity.value for state, quantity in scenario.ensemble.perturb.items()} == {
        **dict.fromkeys(("x_1", "x_2", "x_3", "x_4", "x_6"), 0.1),
        "x_5": 0.2,
    }
    assert "N" not in scenario.definition.parameters


def test_a_scenario_with_a_mistake_is_complained_of_once_where_a_study_needs_it(load):
    study = "\noptimize: {c: {calibrate: {to: simulate.a, observe: {x_2: x_2}, parameters: {F: {start: 7}}}}}"
    with pytest.raises(ConfigError, match="has a mistake"):
        load(SCENARIO % ", initial: {y: 1}" + study)


def test_a_calibration_sees_the_single_states(load):
    text = """
  c: {calibrate: {to: simulate.a, observe: {x_2: x_2}, parameters: {F: {start: 7}}, initial: {x_3: {start: 8}}}}
"""
    study = load(SCENARIO % "" + "\noptimize:" + text).studies["c"]
    assert list(study.calibration.system.equations) == ["x_1", "x_2", "x_3", "x_4"]
    with pytest.raises(ConfigError, match="there is no parameter 'N'"):
        load(SCENARIO % "" + "\noptimize:" + text.replace("F: {", "N: {"))


def test_an_index_that_yaml_misreads_is_recognised(load):
    with pytest.raises(ConfigError, match=r"an expression with an index, such as x\[i\], needs quotes inside"):
        load('  other: {index: {i: N}, equations: {"x[i]": x[i+1] - x[i]}, parameters: {N: 3}, initial: {"x[i]": 1}}')


def test_what_is_known_of_a_system_is_no_part_of_its_members(load):
    known = """    description: A ring.
    source: Nobody (2000)
    invariants: {divergence: -4, lyapunov: [1, 0], lyapunov_error: 0.1, period: 3, source: Nobody (2001), conserved: {sum: x_1 + x_2}}
"""
    fit = "\nfit: {f: {discover: {library: {polynomial: 2}}, to: simulate.a, truth: by_hand}}"
    study = "\noptimize: {c: {calibrate: {to: simulate.a, observe: {x_2: x_2}, parameters: {F: {start: 7}}}}}"
    asked = (SCENARIO % "").replace("ring", "by_hand") + study + fit
    plain, described = Plan(load(asked)), Plan(load(known + asked))
    for final in (("simulate", "a"), ("optimize", "c"), ("fit", "f")):
        assert plain.block(*final).text == described.block(*final).text
        assert plain.origin(*final).key == described.origin(*final).key
    assert plain.chunks("simulate", "a") == described.chunks("simulate", "a")


@pytest.mark.parametrize(
    ("invariants", "text"),
    [
        ({"conserved": {"q": "x_1 + y"}}, "s.invariants.conserved.q: 'x_1 + y' needs 'y', which is not known"),
        ({"divergence": "-x_1"}, "s.invariants.divergence: '-x_1' needs 'x_1', which is not known"),
        ({"lyapunov": [1]}, "s.invariants: lyapunov and lyapunov_error are wanted together"),
        ({"lyapunov": [1] * 5, "lyapunov_error": 1, "source": "x"}, "there are as many exponents as states, 4, not more"),
        ({"period": 2}, "s.invariants.source: where lyapunov or period was published is wanted"),
    ],
)
def test_a_mistake_in_what_is_known_is_explained(invariants, text):
    assert text in explain(invariants=invariants)


def test_what_is_known_is_written_out_with_the_index():
    known = make(invariants={"divergence": "-N", "conserved": {"q": "x_1*N"}}).expand().invariants
    assert (known.divergence.text, known.conserved["q"].text) == ("-4", "x_1*4")
