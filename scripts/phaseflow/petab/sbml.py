"""An SBML model as differential equations: reactions, rules and initial assignments written out.

Source: Hucka et al. (2019), J. Integr. Bioinform. 16, 20190021 (SBML level 3 version 2), secs. 4.6 to 4.11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import libsbml

from phaseflow.expressions.derivative import ZERO, add, divide, multiply, substitute
from phaseflow.expressions.parser import fold, parse_number
from phaseflow.expressions.tree import Node, Number, Symbol, find_names
from phaseflow.petab import PetabError
from phaseflow.petab.mathml import Function, read_ast, read_function, rename

_MOST_SUBSTITUTIONS = 100


@dataclass(frozen=True)
class Model:
    """The equations of an SBML model.

    Attributes
    ----------
    equations : the time derivative of each state, of states, parameters and t.
    initial : the initial value of each state, of parameters and other initial values.
    parameters : the value of each parameter, compartment and constant species, where it has one; it may be of other parameters.
    rules : what assignment rules define, of states, parameters and t.
    """

    equations: dict[str, Node]
    initial: dict[str, Node]
    parameters: dict[str, Node | None]
    rules: dict[str, Node]


def read_model(path: Path) -> Model:
    """Read a model.

    Raises
    ------
    PetabError : the file is no SBML, or holds what is not supported; all of it is named.
    """
    document = libsbml.readSBMLFromString(path.read_text(encoding="utf-8"))
    model, log = document.getModel(), document.getErrorLog()
    if model is None or document.getNumErrors(libsbml.LIBSBML_SEV_ERROR) or document.getNumErrors(libsbml.LIBSBML_SEV_FATAL):
        reasons = [log.getError(place).getMessage() for place in range(log.getNumErrors())]
        raise PetabError([f"{path} is no valid SBML: {' '.join(' '.join(reasons).split())[:500] or 'there is no model'}"])
    if problems := list(_find_unsupported(model)):
        raise PetabError([f"{path}: {problem}" for problem in problems])
    try:
        return _Writer(model).write()
    except ValueError as error:
        raise PetabError([f"{path}: {error}"]) from None


def _list(count: int, get: Callable[[int], Any]) -> list[Any]:
    return [get(place) for place in range(count)]


def _find_unsupported(model: Any) -> Iterator[str]:
    """Yield what a model holds that is not supported, each thing by name."""
    if model.getNumEvents():
        yield f"events are not supported ({model.getNumEvents()} of them)"
    for rule in _list(model.getNumRules(), model.getRule):
        if rule.isAlgebraic():
            yield "algebraic rules are not supported"
    for species in _list(model.getNumSpecies(), model.getSpecies):
        if species.isSetConversionFactor() or model.isSetConversionFactor():
            yield f"the conversion factor of {species.getId()!r} is not supported"
    for compartment in _list(model.getNumCompartments(), model.getCompartment):
        if model.getRateRule(compartment.getId()) or model.getAssignmentRule(compartment.getId()):
            yield f"the compartment {compartment.getId()!r} of varying size is not supported"
    for reaction in _list(model.getNumReactions(), model.getReaction):
        yield from _find_unsupported_parts(model, reaction)


def _find_unsupported_parts(model: Any, reaction: Any) -> Iterator[str]:
    if reaction.isSetFast() and reaction.getFast():
        yield f"the fast reaction {reaction.getId()!r} is not supported"
    if reaction.getKineticLaw() is None or reaction.getKineticLaw().getMath() is None:
        yield f"the reaction {reaction.getId()!r} has no kinetic law"
    for side in (*_list(reaction.getNumReactants(), reaction.getReactant), *_list(reaction.getNumProducts(), reaction.getProduct)):
        if side.isSetStoichiometryMath() or (side.isSetId() and _is_assigned(model, side.getId())):
            yield f"the computed stoichiometry of {side.getSpecies()!r} in {reaction.getId()!r} is not supported"


def _is_assigned(model: Any, name: str) -> bool:
    return any(find(name) for find in (model.getAssignmentRule, model.getRateRule, model.getInitialAssignment))


def read_number(value: float) -> Node:
    """Return a double as the shortest decimal that it was written as."""
    return parse_number(repr(value)) if value >= 0 else fold("neg", (parse_number(repr(-value)),))


class _Writer:
    """Writes the equations of one model."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.functions: dict[str, Function] = {}
        for function in _list(model.getNumFunctionDefinitions(), model.getFunctionDefinition):
            self.functions[function.getId()] = read_function(function.getMath(), self.functions)
        rules = _list(model.getNumRules(), model.getRule)
        self.assigned = {rename(rule.getVariable()): self._read(rule) for rule in rules if rule.isAssignment()}
        self.rates = {rename(rule.getVariable()): self._read(rule) for rule in rules if rule.isRate()}
        starts = _list(model.getNumInitialAssignments(), model.getInitialAssignment)
        self.starts = {rename(start.getSymbol()): self._read(start) for start in starts}
        self.species = {rename(one.getId()): one for one in _list(model.getNumSpecies(), model.getSpecies)}

    def _read(self, part: Any) -> Node:
        return read_ast(part.getMath(), self.functions)

    def write(self) -> Model:
        """Return the equations, with assignment rules inlined."""
        rules = inline_all(self.assigned)
        changes = self._sum_reactions()
        states = [name for name, one in self.species.items() if name not in rules and (name in self.rates or _is_driven(one))]
        states += [name for name in self.rates if name not in self.species]
        equations = {name: substitute(self.rates.get(name, changes.get(name, ZERO)), rules) for name in states}
        values = self._list_values()
        starts = {name: substitute(node, rules) for name, node in self.starts.items()}
        initial: dict[str, Node] = {name: starts.get(name) or values.get(name) or ZERO for name in states}
        constants = {name: starts.get(name, value) for name, value in values.items() if name not in states and name not in rules}
        return Model(equations, {name: substitute(node, rules) for name, node in initial.items()}, constants, rules)

    def _list_values(self) -> dict[str, Node | None]:
        """Return the stated value of every parameter, compartment and species."""
        values: dict[str, Node | None] = {}
        for one in _list(self.model.getNumCompartments(), self.model.getCompartment):
            values[rename(one.getId())] = read_number(one.getSize()) if one.isSetSize() else Number(Fraction(1))
        for one in _list(self.model.getNumParameters(), self.model.getParameter):
            values[rename(one.getId())] = read_number(one.getValue()) if one.isSetValue() else None
        return values | {name: self._find_initial(one) for name, one in self.species.items()}

    def _find_initial(self, species: Any) -> Node | None:
        """Return a species' initial value in the unit of its symbol: an amount, or by the compartment's size a concentration."""
        volume = self._find_volume(species)
        if species.isSetInitialConcentration():
            value = read_number(species.getInitialConcentration())
            return multiply(value, volume) if species.getHasOnlySubstanceUnits() else value
        if not species.isSetInitialAmount():
            return None
        value = read_number(species.getInitialAmount())
        return value if species.getHasOnlySubstanceUnits() else divide(value, volume)

    def _find_volume(self, species: Any) -> Node:
        compartment = self.model.getCompartment(species.getCompartment())
        return Symbol(rename(compartment.getId())) if compartment.getSpatialDimensions() else Number(Fraction(1))

    def _sum_reactions(self) -> dict[str, Node]:
        """Return the rate of change of every species, in the unit of its symbol, by all reactions."""
        sums: dict[str, Node] = {}
        for reaction in _list(self.model.getNumReactions(), self.model.getReaction):
            law = reaction.getKineticLaw()
            own = [*_list(law.getNumParameters(), law.getParameter), *_list(law.getNumLocalParameters(), law.getLocalParameter)]
            rate = substitute(self._read(law), {rename(one.getId()): read_number(one.getValue()) for one in own})
            sides = [(-1, side) for side in _list(reaction.getNumReactants(), reaction.getReactant)]
            sides += [(1, side) for side in _list(reaction.getNumProducts(), reaction.getProduct)]
            for sign, side in sides:
                amount = side.getStoichiometry() if side.isSetStoichiometry() else 1.0
                name = rename(side.getSpecies())
                sums[name] = add(sums.get(name, ZERO), multiply(read_number(sign * amount), rate))
        return {name: self._scale(name, node) for name, node in sums.items()}

    def _scale(self, name: str, node: Node) -> Node:
        species = self.species[name]
        return node if species.getHasOnlySubstanceUnits() else divide(node, self._find_volume(species))


def _is_driven(species: Any) -> bool:
    """Tell whether reactions change a species."""
    return not species.getBoundaryCondition() and not species.getConstant()


def inline_all(definitions: Mapping[str, Node]) -> dict[str, Node]:
    """Return definitions with each other written out.

    Raises
    ------
    ValueError : they go round in a circle.
    """
    found = dict(definitions)
    for _ in range(_MOST_SUBSTITUTIONS):
        waiting = [name for name, node in found.items() if find_names(node) & found.keys()]
        if not waiting:
            return found
        for name in waiting:
            used = {other: found[other] for other in find_names(found[name]) & found.keys()}
            if name in used:
                break
            found[name] = substitute(found[name], used)
        else:
            continue
        break
    raise ValueError(f"the definitions of {', '.join(sorted(waiting))} go round in a circle")
