"""The config language: everything wrong is said at once, with its place, its value and what is allowed."""

import string
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phaseflow.catalogues import Catalogue
from phaseflow.config import load_config
from phaseflow.errors import ConfigError
from phaseflow.outline import describe_page, format_yaml
from phaseflow.plan import Plan
from phaseflow.reference import write_catalogue, write_markdown, write_schema
from phaseflow.settings.document import read_document
from tests.contracts.small import CONFIG

ROOT = Path(__file__).resolve().parents[2]
TRAJECTORY = "simulate: {a: {system: lorenz63, time: {stop: 1}%s}}"
STOCK = "simulate: {a: {system: geometric_brownian_motion, time: {stop: 1}%s}}"
CURL = (
    "systems: {c: {equations: {x: '0', y: '0'}, noise: {x: {V: '1'}, y: {W: x}}, initial: {x: 0, y: 0}}}\n"
    "simulate: {a: {system: c, time: {stop: 1}, solver: {method: %s}}}"
)

CLOCK = "systems: {s: {equations: {%s: t}, initial: {kind: 1}}}\nsimulate: {a: {system: s, time: {stop: 1}, measure: {%s}}}"


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return load_config(path)

    return load_text


def find_mistakes(load, text):
    with pytest.raises(ConfigError) as caught:
        load(text)
    return str(caught.value)


def test_three_mistakes_are_named_together_with_their_lines(load):
    wrong = "simulate:\n  a:\n    systm: lorenz63\n    time: {stop: 1}\n  b: {system: lorens63, time: {stop: 1}}\nsed: 3\n"
    text = find_mistakes(load, wrong)
    assert "has 4 mistakes; nothing was run" in text
    assert "config.yaml:3: simulate.a.systm: unknown key; did you mean 'system'?" in text
    assert "simulate.a.system: this key is wanted and is not there" in text
    assert "config.yaml:5: simulate.b.system: there is no system 'lorens63'; did you mean 'lorenz63'?" in text
    assert "config.yaml:6: sed: unknown key; did you mean 'seed'?" in text


MANY = "{start: 0, stop: 1, count: 1000000}"
BLOCK = f"{{rho: {MANY}}}"

MISTAKES = {
    "{}": "nothing is asked for",
    "simulate: 3": "simulate: 3 is not a mapping of names to settings",
    "simulate: {a: 3}": "simulate.a: 3 is not a mapping of keys to values",
    "simulate: {../a: {system: lorenz63, time: {stop: 1}}}": "simulate.../a: a name here has up to 64 letters",
    TRAJECTORY % ", ensemble: {members: 1000000000000}": "simulate.a.ensemble.members: 1000000000000 = 1e+12 members; at most 1e+08 can be",
    TRAJECTORY % f", sweep: {{rho: {MANY}, sigma: {MANY}}}": "simulate.a.sweep: 1000000 x 1000000 x 1 = 1e+12 members; at most 1e+08",
    TRAJECTORY % f", sweep: [{', '.join([BLOCK] * 101)}]": "1000000 x 1 + 1000000 x 1 + 1000000 x 1 + ... = 1.01e+08 members",
    "simulate: {a: {system: lorenz63, time: {stop: 1, samples: 1000000000000}}}": "samples: 1000000000000 is not allowed",
    "seed: -1\n" + TRAJECTORY % "": "seed: -1 is not a whole number from 0",
    TRAJECTORY % ", time: {stop: 2}": "simulate.a.time: this key is given twice",
    TRAJECTORY % ", keep: trajectories": "trajectories are kept where time.samples says",
    TRAJECTORY % ", solver: {tolerance: 0}": "0 must be greater than 0",
    TRAJECTORY % ", solver: {tolerance: 2}": "2 must be between 1e-16 and 0.1",
    TRAJECTORY % ", parameters: {rhoo: 2}": "there is no parameter 'rhoo'; did you mean 'rho'?",
    TRAJECTORY % ", parameters: {rho: abc}": "'abc' is not a number: there is no constant 'abc'",
    TRAJECTORY % ", parameters: {rho: 1/0}": "division by zero",
    TRAJECTORY % ", parameters: {rho: sqrt(-1)}": "'sqrt(-1)' is not a finite real number",
    TRAJECTORY % ", parameters: {rho: true}": "True is not an expression",
    TRAJECTORY % ", initial: {u: 2}": "there is no state 'u'",
    TRAJECTORY % ", ensemble: {members: 0}": "it should be greater than or equal to 1",
    TRAJECTORY % ", ensemble: {members: 1.5}": "it should be a whole number",
    TRAJECTORY % ", ensemble: {members: 3, perturb: {x: -1}}": "-1 must be greater than 0",
    TRAJECTORY % ", sweep: {rho: []}": "at least 1 item",
    TRAJECTORY % ", sweep: {r: [1]}": "'r' cannot be swept",
    TRAJECTORY % ", sweep: {rho: [1, x]}": "'x' is not a number",
    TRAJECTORY % ", sweep: {rho: {start: 0, stop: 1, count: 3, scale: log}}": "needs start and stop greater than 0",
    TRAJECTORY % ", sweep: {rho: {start: 0, stop: 1}}": "simulate.a.sweep.rho.count: this key is wanted",
    TRAJECTORY % ", sweep: {rho: {start: 0, stop: 1, count: 1e6}, sigma: {start: 1, stop: 2, count: 1e6}}": "1e+12 members",
    "systems: {s: {equations: {x: y}, initial: {x: 1}}}\n" + TRAJECTORY % "": "needs 'y', which is not known",
    "systems: {s: {equations: {x: -x}, initial: {}}}\n" + TRAJECTORY % "": "the state 'x' has no initial value",
    "systems: {s: {equations: {x: x^2}, initial: {x: 1}}}\n" + TRAJECTORY % "": "'^' is not a power here: write **",
    "systems: {s: {equations: {lambda: 1}, initial: {lambda: 1}}}\n" + TRAJECTORY % "": "'lambda' is not a name",
    "systems: {s: {equations: {x: where(x > 0, 1, 2)}, initial: {x: 1}}}\n" + TRAJECTORY % "": "was cut at a comma",
    "systems: {s: {equations: {x: 'where(x > 0, 1, 2)'}, initial: {x: 1}}}\n" + TRAJECTORY % "": "silently wrong",
    "systems: {s: {equations: {status: 1}, initial: {status: 1}}}\n" + TRAJECTORY % "": "'status' is a column of every table",
    TRAJECTORY % ", solver: {precision: auto, method: Radau}": "more than double precision needs the method taylor, not 'Radau'",
    TRAJECTORY % ", solver: {precision: 40, tolerance: 1e-20}": "the tolerance follows from the precision",
    TRAJECTORY % ", solver: {precision: quadruple}, measure: {lyapunov: all}": "measures are computed in double precision",
    TRAJECTORY % ", solver: {precision: quadruple}, certify: estimate": "an estimate compares with a run in double precision",
    TRAJECTORY % ", solver: {precision: single}": "'single' is not",
    TRAJECTORY % ", solver: {step: 0.1}": "simulate.a.solver.step: 'taylor' chooses its own steps",
    TRAJECTORY % ", solver: {method: Radau, absolute: -1}": "simulate.a.solver.absolute: -1 must be greater than 0",
    TRAJECTORY % ", solver: {method: Radau, absolute: {x: 0}}": "simulate.a.solver.absolute.x: 0 must be greater than 0",
    TRAJECTORY % ", solver: {method: Radau, absolute: {w: 1}}": "simulate.a.solver.absolute.w: there is no state 'w'",
    TRAJECTORY % ", measure: {periodic_orbit: {}}": "simulate.a.measure.periodic_orbit.period: this key is wanted and is not there",
    TRAJECTORY % ", measure: {return_times: true}": "simulate.a.measure.return_times: return times are those to a section",
    TRAJECTORY % ", measure: {section: {when: w - 27}}": "simulate.a.measure.section.when: 'w - 27' needs 'w', which is not known",
    TRAJECTORY % ", measure: {section: {when: rho - 27}}": "'rho - 27' has no state in it and never changes",
    TRAJECTORY % ", measure: {section: {when: abs(x) - 1}}": "'abs(x) - 1' has abs: a quantity with corners cannot be followed",
    TRAJECTORY % ", measure: {energy: x**2 + w}": "simulate.a.measure.energy.energy: 'x**2 + w' needs 'w', which is not known",
    TRAJECTORY % ", measure: {energy: {h: 3}}": "simulate.a.measure.energy.h: '3' has no state in it and never changes",
    TRAJECTORY % ", measure: {energy: true}": "the system does not state what it conserves",
    CLOCK % ("kind", "fixed_points: true"): "simulate.a.measure.fixed_points: a system that depends on t has no fixed points",
    CLOCK % ("kind", "periodic_orbit: {period: 1}"): "'kind' is a column of orbits.parquet: give the state another name",
    TRAJECTORY % ", solver: {method: milstein}": "has no noise and needs a deterministic method",
    TRAJECTORY % ", solver: {antithetic: true}, ensemble: {members: 2}": "'taylor' has no random paths that could be mirrored",
    TRAJECTORY % ", certify: refine": "'taylor' has none that could be halved",
    TRAJECTORY % ", sweep: {solver.tolerance: [1e-9, 0]}": "sweep.solver.tolerance: 0.0 must be between 1e-16 and 0.1",
    STOCK % ", solver: {method: milstein}, sweep: {solver.step: [0.1, 0]}": "sweep.solver.step: 0.0 must be greater than 0",
    TRAJECTORY % ", sweep: {solver.step: [0.1]}": "'solver.step' cannot be swept",
    STOCK % ", solver: {antithetic: true}, ensemble: {members: 3}": "ensemble.members: 3 must be even",
    STOCK % ", solver: {antithetic: true}": "ensemble.members: 1 must be even",
    STOCK % ", solver: {step: 0.1}": "solver.step: the method exact, the default for this system, takes no steps",
    STOCK % ", certify: refine": "'exact' has none that could be halved",
    STOCK % ", sweep: {solver.step: [0.1]}": "'solver.step' cannot be swept",
    STOCK % ", solver: {method: milstein}, sweep: {solver.tolerance: [0.1]}": "'solver.tolerance' cannot be swept",
    CURL % "milstein": "'milstein' needs noise that commutes, and this does not (L^V b^W is not L^W b^V in the equation of y)",
    CURL % "exact": "'exact' cannot be used: the law has a closed form where",
    TRAJECTORY % ", solver: {method: Radau}, certify: reference": "a certificate needs the method taylor or taylor_map, not 'Radau'",
    TRAJECTORY % ", solver: {method: taylor_map}, keep: none, certify: estimate": "goes from sample to sample",
    TRAJECTORY % ", solver: {method: taylor_map}, measure: {extrema: z}": "measures need the method taylor, not 'taylor_map'",
    TRAJECTORY % ", solver: {method: taylor_map, precision: 30}": "more than double precision needs the method taylor, not 'taylor_map'",
    STOCK % ", solver: {method: taylor_map}": "has noise and needs a stochastic method",
    TRAJECTORY % ", solver: {tolerance: 1e-14}, certify: estimate": "an estimate needs a solver.tolerance of 1e-13 or more",
    TRAJECTORY % ", solver: {method: euler_maruyama}": "has no noise and needs a deterministic method",
    "optimize: {q: {minimize: x, variables: {x: {start: 1}}, constraints: [x > 0]}}": "write <=, >= or ==",
    "optimize: {q: {minimize: x, variables: {x: {start: 1}}, constraints: [x >= y]}}": "'x >= y' needs 'y': it is not among the variables",
    "optimize: {q: {minimize: x, variables: {x: {start: 1}}, constraints: [x = 1]}}": "an expression has no '='",
    "optimize: {q: {minimize: x, variables: {x: {start: 1}}, constraints: [0 <= x <= 1]}}": "one comparison of two expressions",
    "optimize: {q: {minimize: x, variables: {x: {start: 1}}, constraints: [x**2 == 1]}}": "scipy_lbfgsb cannot keep constraints",
    "optimize: {q: {minimize: x, variables: {x: {start: 1}}, sampling: halton}}": "'halton' is not one of",
    "data: {l: {dataset: statsmodels.longley}}\nfit: {f: {forecast: [linear], horizon: 5, to: data.l}}": "data.l has no column 't'",
    "optimize: {q: {variables: {x: {start: 1}}}}": "exactly one of minimize, calibrate, program, benchmark, train is wanted, not none",
    "optimize: {q: {minimize: x + y, variables: {x: {start: 1}}}}": "needs 'y': it is not among the variables",
    "optimize: {q: {minimize: x, variables: {x: {start: 1}, z: {start: 1}}}}": "'z' does not occur",
    "optimize: {q: {minimize: x, variables: {x: {start: 1, lower: 2}}}}": "the start 1 is outside the bounds 2 .. inf",
    "optimize: {q: {minimize: x, variables: {x: {start: 1}}, sweep: {algorithm: lbfgs}}}": "there is no algorithm 'lbfgs'",
    "optimize: {q: {minimize: x, variables: {x: {start: 1}}, sweep: {starts: [1, 2]}}}": "must be one whole number",
    "optimize: {q: {minimize: x, variables: {x: {start: 1, lower: 0}}, sweep: {algorithm: scipy_bfgs}}}": "cannot keep the bounds of x",
    "data: {d: {file: nowhere.csv}}\n" + TRAJECTORY % "": "there is no file",
    "data: {d: {dataset: statsmodels.nothing}}\n" + TRAJECTORY % "": "ships no data set 'nothing'",
    "data: {d: {}}\n" + TRAJECTORY % "": "exactly one of file and dataset is wanted",
    "fit: {f: {linear: y ~ x, to: data.d}}": "there is no table 'data.d'",
    "data: {l: {dataset: statsmodels.longley}}\nfit: {f: {linear: TOTEMP ~ GMP, to: data.l}}": "no column 'GMP'; did you mean 'GNP'?",
    "data: {l: {dataset: statsmodels.longley}}\nfit: {f: {linear: TOTEMP ~ GNP**2, to: data.l}}": "put arithmetic inside I(...)",
    TRAJECTORY % "" + "\nreport: {figures: [{atractor: simulate.a}]}": "did you mean 'attractor'?",
    TRAJECTORY % "" + "\nreport: {figures: [{attractor: simulate.b}]}": "attractor cannot be drawn from 'simulate.b'",
    TRAJECTORY % "" + "\nreport: {figures: [{attractor: simulate.a, member: 3}]}": "unknown key; did you mean 'members'?",
    TRAJECTORY % "" + "\nreport: {figures: none}": "'none' is neither auto nor a list of figures",
    "simulate: {a: !!python/object:os.system {}}": "the tag",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_explained(load, text):
    assert MISTAKES[text] in find_mistakes(load, text)


def test_a_system_with_a_mistake_is_complained_of_once(load):
    text = "systems: {mine: {equations: {x: yy}, initial: {x: 1}}}\nsimulate: {a: {system: mine, time: {stop: 1}}}\n"
    assert "has a mistake" in find_mistakes(load, text)


def test_a_missing_file_is_an_error_without_traceback(tmp_path):
    with pytest.raises(ConfigError, match="the file cannot be read: No such file"):
        load_config(tmp_path / "nothing.yaml")


def test_values_written_otherwise_make_the_same_plan(load):
    one = load("simulate: {a: {system: lorenz63, time: {stop: 40, samples: 10}, sweep: {rho: [0.1, 28]}}}")
    other = load("simulate:\n  a:\n    sweep: {rho: [1e-1, 28.0]}\n    time: {samples: 1e1, stop: 4e1}\n    system: lorenz63\n")
    assert Plan(one).chunks("simulate", "a") == Plan(other).chunks("simulate", "a")


def test_the_resolved_config_makes_the_same_results(load):
    config = load(CONFIG)
    again = load(describe_page(config, [])["config"])
    for section, name in Plan(config).finals():
        if section in ("simulate", "optimize"):
            assert set(Plan(again).members(section, name).ids) == set(Plan(config).members(section, name).ids)
            ours, theirs = config_block(config, section, name), config_block(again, section, name)
            assert ours == theirs


def config_block(config, section, name):
    settings = Plan(config).block(section, name).settings
    return {key: value for key, value in settings.items() if key != "chunk"}


def test_texts_that_yaml_would_misread_survive_the_resolved_config():
    values = {"a": "NO", "b": "1e-12", "c": "8/3", "d": "y ~ x: z", "e": "# no comment", "f": "x, y", "g": "it's"}
    assert read_document(format_yaml({"k": values}), "x").data["k"] == {**values, "b": 1e-12}


def test_the_reference_of_the_config_is_current():
    assert (ROOT / "docs/config.md").read_text() == write_markdown(), "run `make docs`"
    assert (ROOT / "docs/catalogue.md").read_text() == write_catalogue(), "run `make docs`"
    assert (ROOT / "docs/config.schema.json").read_text() == write_schema(), "run `make docs`"


@pytest.mark.parametrize("path", [ROOT / "config.yaml", *sorted((ROOT / "examples").glob("*.yaml"))], ids=lambda path: path.name)
def test_the_schema_accepts_the_shipped_configs(path):
    import json

    jsonschema.validate(read_document(path.read_text(), path.name).data, json.loads(write_schema()))


def test_the_schema_refuses_an_unknown_key():
    import json

    with pytest.raises(jsonschema.ValidationError, match="systm"):
        jsonschema.validate({"simulate": {"a": {"systm": "x"}}}, json.loads(write_schema()))


LEAF = st.one_of(st.none(), st.booleans(), st.integers(-5, 10**6), st.floats(allow_nan=False), st.text(string.printable, max_size=12))
_WORDS = """seed systems data simulate optimize fit report a equations parameters initial system time start stop samples ensemble members
perturb solver tolerance sweep rho sigma count scale keep chunk minimize variables x lower algorithm starts linear to title figures"""
KEYS = st.sampled_from(_WORDS.split())
TREE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(KEYS, TREE, max_size=5))
def test_any_tree_of_values_is_a_plan_or_a_clear_error(load, tree):
    import yaml

    try:
        plan = Plan(load(yaml.safe_dump(tree)))
    except ConfigError as error:
        mistakes = error.mistakes
    else:
        mistakes = [plan.targets()]
    assert mistakes


def test_the_quantities_that_a_system_states_as_conserved_are_measured(load):
    text = "simulate: {a: {system: henon_heiles, time: {stop: 1}, measure: {energy: true}}}"
    config = load(text)
    resolved = config.scenarios["a"]
    assert resolved.measure.conserved == Catalogue()["henon_heiles"].invariants.conserved
    assert resolved.measure.conserved
