"""PEtab problems: what their files say, held against closed forms; and what is not supported, by name."""

import numpy as np
import pandas as pd
import pytest
import yaml

from phaseflow.config import load_config
from phaseflow.errors import ConfigError
from phaseflow.expressions.arrays import evaluate
from phaseflow.petab import PetabError
from phaseflow.petab.mathml import read_text
from phaseflow.petab.problem import read_problem
from phaseflow.petab.sbml import read_model
from phaseflow.plan import Plan
from phaseflow.plugins import load_plugin

# Decay of A into B in a compartment of 2 litres: A(t) = a0 exp(-k t). A function definition, a rule, and a name that is taken here.
MODEL = """\
<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">
 <model id="decaying">
  <listOfFunctionDefinitions><functionDefinition id="mass_action"><math xmlns="http://www.w3.org/1998/Math/MathML">
   <lambda><bvar><ci>c</ci></bvar><bvar><ci>r</ci></bvar><apply><times/><ci>c</ci><ci>r</ci></apply></lambda></math></functionDefinition>
  </listOfFunctionDefinitions>
  <listOfCompartments><compartment id="cell" spatialDimensions="3" size="2" constant="true"/></listOfCompartments>
  <listOfSpecies>
   <species id="A" compartment="cell" initialConcentration="5" hasOnlySubstanceUnits="false" boundaryCondition="false" constant="false"/>
   <species id="B" compartment="cell" initialAmount="4" hasOnlySubstanceUnits="false" boundaryCondition="false" constant="false"/>
  </listOfSpecies>
  <listOfParameters>
   <parameter id="lambda" value="0.3" constant="true"/><parameter id="a0" value="5" constant="true"/>
   <parameter id="total" constant="false"/>
  </listOfParameters>
  <listOfInitialAssignments><initialAssignment symbol="A"><math xmlns="http://www.w3.org/1998/Math/MathML"><ci>a0</ci></math>
   </initialAssignment></listOfInitialAssignments>
  <listOfRules><assignmentRule variable="total"><math xmlns="http://www.w3.org/1998/Math/MathML">
   <apply><plus/><ci>A</ci><ci>B</ci></apply></math></assignmentRule></listOfRules>
  <listOfReactions><reaction id="decay" reversible="false" fast="false">
   <listOfReactants><speciesReference species="A" stoichiometry="1" constant="true"/></listOfReactants>
   <listOfProducts><speciesReference species="B" stoichiometry="3" constant="true"/></listOfProducts>
   <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci>cell</ci>
    <apply><ci>mass_action</ci><ci>A</ci><ci>lambda</ci></apply></apply></math></kineticLaw></reaction></listOfReactions>
 </model>
</sbml>
"""
TABLES = {
    "parameters": """\
parameterId	parameterScale	lowerBound	upperBound	nominalValue	estimate	objectivePriorType	objectivePriorParameters
lambda	log10	1e-3	10	0.3	1	parameterScaleNormal	-0.5;0.2
scale	lin	0	10	1.5	1
noise	log10	1e-3	10	0.1	1
fixed	lin	0	1	0.25	0
""",
    "conditions": "conditionId\tconditionName\ta0\nlow\tfirst\t2\nhigh\tsecond\t8\n",
    "observables": """\
observableId	observableFormula	noiseFormula	observableTransformation	noiseDistribution
seen	observableParameter1_seen * A	noiseParameter1_seen	log10	normal
sum	total	0.5 + fixed	lin	laplace
""",
    "measurements": """\
observableId	simulationConditionId	measurement	time	observableParameters	noiseParameters
seen	low	2.5	0	scale	noise
seen	low	2.1	1	scale	noise
seen	low	2.3	1	scale	noise
seen	high	9.5	1	1.2	0.2
sum	high	12.5	2
""",
}


def write_problem(folder, **changes):
    (folder / "model.xml").write_text(changes.pop("model", MODEL))
    for name, text in (TABLES | changes).items():
        (folder / f"{name}.tsv").write_text(text)
    files = {f"{name[:-1]}_files": [f"{name}.tsv"] for name in ("conditions", "observables", "measurements")}
    stated = {"format_version": 1, "parameter_file": "parameters.tsv", "problems": [{"sbml_files": ["model.xml"], **files}]}
    (folder / "problem.yaml").write_text(yaml.safe_dump(stated))
    return folder / "problem.yaml"


def prepare(folder, extra=""):
    (folder / "config.yaml").write_text(f"optimize: {{it: {{calibrate: {{petab: problem.yaml{extra}}}, sweep: {{starts: 2}}}}}}")
    config = load_config(folder / "config.yaml")
    return load_plugin("problems", "calibrate").prepare(config.studies["it"], Plan(config).reads("optimize", "it")), config


def find_value(k, scale, noise):
    """Return the negative log-posterior by hand."""

    def of_log(measured, predicted, size):
        error = np.log10(measured) - np.log10(predicted)
        return error**2 / (2 * size**2) + np.log(size * np.sqrt(2 * np.pi)) + np.log(measured * np.log(10))

    value = sum(of_log(y, scale * 2 * np.exp(-k * t), noise) for t, y in ((0, 2.5), (1, 2.1), (1, 2.3)))
    value += of_log(9.5, 1.2 * 8 * np.exp(-k), 0.2)
    # B began with the amount 4 in 2 litres, and takes up three for each one of A.
    total = 8 * np.exp(-2 * k) + 2 + 3 * 8 * (1 - np.exp(-2 * k))
    value += abs(12.5 - total) / 0.75 + np.log(2 * 0.75)
    return value + (np.log10(k) + 0.5) ** 2 / (2 * 0.2**2) + np.log(0.2 * np.sqrt(2 * np.pi))


def test_the_value_and_its_gradient_are_those_of_the_closed_form(tmp_path):
    write_problem(tmp_path)
    solve, _ = prepare(tmp_path)
    assert solve.sought.names == ("lambda_", "scale", "noise")
    from phaseflow.problems._posterior import Posterior

    posterior = Posterior(solve.model, solve.misfit)
    for point in ((0.3, 1.5, 0.1), (0.7, 1.1, 0.3)):
        look = posterior.look(solve.sought.to_scale(np.array(point)))
        assert look.value == pytest.approx(find_value(*point), rel=1e-6)
        for place in range(3):
            step = np.where(np.arange(3) == place, 1e-5, 0.0)
            # The search moves the natural logarithm of the first and the last.
            shifted = [np.array(point) * np.exp(sign * step) if place != 1 else np.array(point) + sign * step for sign in (1, -1)]
            slope = (find_value(*shifted[0]) - find_value(*shifted[1])) / 2e-5
            assert look.gradient[place] == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_a_search_ends_at_the_minimum(tmp_path):
    write_problem(tmp_path)
    solve, _ = prepare(tmp_path)
    solution = solve({"start": 1, "algorithm": "gauss_newton"}, np.random.default_rng(0))
    assert solution.status == "converged"
    for place in range(3):
        for factor in (0.99, 1.01):
            moved = solution.point * np.where(np.arange(3) == place, factor, 1.0)
            assert find_value(*moved) > solution.value
    assert solution.evidence["lambda__low"] < solution.point[0] < solution.evidence["lambda__high"]


def test_every_file_of_a_problem_counts_for_its_result(tmp_path):
    write_problem(tmp_path)
    _, config = prepare(tmp_path)
    before = Plan(config).origin("optimize", "it").key
    for name in ("model.xml", "parameters.tsv", "conditions.tsv", "observables.tsv", "measurements.tsv"):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text + "\n")
        assert Plan(prepare(tmp_path)[1]).origin("optimize", "it").key != before, name
        (tmp_path / name).write_text(text)
    assert Plan(prepare(tmp_path)[1]).origin("optimize", "it").key == before


@pytest.mark.parametrize(
    ("text", "value"),
    [("a^2 + log(b)", 9 + np.log(2)), ("log10(b)", np.log10(2)), ("piecewise(1, a > b && b > 5, 2, a == 3, 4)", 2),
     ("sqrt(a)/-b", -np.sqrt(3) / 2),
     ("exp(-a)*1.5e-3", 1.5e-3 * np.exp(-3)), ("max(a, b, 7)", 7), ("root(3, a)", 3 ** (1 / 3)), ("time", 11)],
)  # fmt: skip
def test_a_formula_means_what_sbml_says(text, value):
    assert float(evaluate(read_text(text), {"a": 3, "b": 2, "t": 11})) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["ceil(a)", "a +", "delay(a, 2)", "factorial(a)", "1/0", "__import__('os')"])
def test_a_formula_that_is_not_supported_is_refused(text):
    with pytest.raises(ValueError, match=r"not supported|no formula|divides by zero"):
        read_text(text)


EVENT = """<listOfEvents><event id="e" useValuesFromTriggerTime="true"><trigger initialValue="true" persistent="true">
<math xmlns="http://www.w3.org/1998/Math/MathML"><apply><gt/><ci>A</ci><cn>3</cn></apply></math></trigger></event></listOfEvents>"""
ALGEBRAIC = """<algebraicRule><math xmlns="http://www.w3.org/1998/Math/MathML"><ci>A</ci></math></algebraicRule></listOfRules>"""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": MODEL.replace(" </model>", EVENT + " </model>")}, "events are not supported"),
        ({"model": MODEL.replace("</listOfRules>", ALGEBRAIC)}, "algebraic rules are not supported"),
        ({"model": "<sbml/>"}, "no valid SBML"),
        ({"measurements": TABLES["measurements"].replace("\t2\n", "\tinf\n")}, "steady state"),
        ({"measurements": TABLES["measurements"].replace("seen\thigh", "seen\thihg")}, "the condition 'hihg' stands 0 times"),
        ({"measurements": TABLES["measurements"].replace("\tscale\t", "\tscael\t")}, "'scael', which is neither a number nor"),
        ({"measurements": TABLES["measurements"].replace("\t1.2\t0.2", "")}, "observableParameter1_seen has no value"),
        ({"observables": TABLES["observables"].replace("total", "ttal")}, "needs 'ttal'"),
        ({"observables": TABLES["observables"].replace("laplace", "cauchy")}, "'cauchy' noise"),
        ({"conditions": TABLES["conditions"].replace("a0", "aO")}, "sets 'aO'"),
        ({"parameters": TABLES["parameters"].replace("noise\tlog10\t1e-3", "noise\tlog10\t0")}, "parameter 'noise' has the bounds"),
        ({"parameters": TABLES["parameters"].replace("parameterScaleNormal", "gamma")}, "a prior 'gamma'"),
        ({"parameters": "parameterId\nk\n"}, "the parameter table has no column 'lowerBound'"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, changes, message):
    path = write_problem(tmp_path, **changes)
    with pytest.raises(PetabError, match=message):
        read_problem(path)
    with pytest.raises(ConfigError) as error:
        prepare(tmp_path)
    assert "optimize.it.calibrate.petab" in str(error.value)


def test_what_the_problem_says_itself_is_refused_in_the_config(tmp_path):
    write_problem(tmp_path)
    with pytest.raises(ConfigError) as error:
        prepare(tmp_path, ", error: laplace, shooting: multiple")
    assert "leave 'error' out" in str(error.value)
    assert "leave 'shooting' out" in str(error.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        prepare(tmp_path, "x")


def test_a_species_counts_in_the_unit_of_its_symbol(tmp_path):
    old, new = (f'"5" hasOnlySubstanceUnits="{flag}"' for flag in ("false", "true"))
    (tmp_path / "model.xml").write_text(MODEL.replace(old, new))
    model = read_model(tmp_path / "model.xml")
    values = {"A": 3.0, "B": 1.0, "cell": 2.0, "lambda_": 0.3, "a0": 5.0}
    # The law is cell*A*lambda in amounts: A loses as much, B as a concentration gains three times that by 2 litres.
    assert float(evaluate(model.equations["A"], values)) == pytest.approx(-1.8)
    assert float(evaluate(model.equations["B"], values)) == pytest.approx(3 * 1.8 / 2)


def test_a_table_may_be_read_twice_alike(tmp_path):
    path = write_problem(tmp_path)
    first, again = read_problem(path), read_problem(path)
    assert first.columns == again.columns
    assert pd.DataFrame(first.records[0].observed).equals(pd.DataFrame(again.records[0].observed))
