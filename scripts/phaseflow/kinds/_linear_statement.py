"""What can be wrong with a linear program that is written out."""

from __future__ import annotations

from collections.abc import Iterator

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.affine import separate
from phaseflow.expressions.condition import Condition
from phaseflow.expressions.quantity import Expression
from phaseflow.expressions.tree import TIME
from phaseflow.settings.programs import Linear


def check_linear(stated: Linear, path: KeyPath) -> list[Mistake]:
    """Check the names in the expressions, that these are linear in the variables, and that no two columns have one name."""
    mistakes: list[Mistake] = []
    used: set[str] = set()
    for here, formula in _list_formulas(stated, path):
        used |= formula.names
        mistakes += _check_formula(here, formula, stated)
    unused = sorted(set(stated.variables) - used)
    mistakes += [Mistake((*path, "variables", name), f"{name!r} occurs in no expression") for name in unused]
    idle = sorted(set(stated.parameters) - used)
    mistakes += [Mistake((*path, "parameters", name), f"{name!r} occurs in no expression") for name in idle]
    both = sorted(set(stated.variables) & set(stated.parameters))
    return mistakes + [Mistake((*path, "parameters", name), f"{name!r} is a variable: choose another name") for name in both]


def _list_formulas(stated: Linear, path: KeyPath) -> Iterator[tuple[KeyPath, Expression | Condition]]:
    yield (*path, "minimize" if stated.minimize is not None else "maximize"), stated.objective
    for name, condition in stated.constraints.items():
        yield (*path, "constraints", name), condition


def _check_formula(path: KeyPath, formula: Expression | Condition, stated: Linear) -> list[Mistake]:
    known = {**stated.variables, **stated.parameters}
    mistakes = []
    for name in sorted(formula.names - set(known)):
        hint = "the time has no meaning here" if name == TIME else f"it is neither a variable nor a parameter{suggest(name, known)}"
        mistakes.append(Mistake(path, f"{formula.text!r} needs {name!r}: {hint}"))
    sides = formula.tree.arguments if isinstance(formula, Condition) else (formula.tree,)
    for side in sides:
        try:
            separate(side, stated.variables)
        except (ValueError, ZeroDivisionError) as error:
            mistakes.append(Mistake(path, str(error) or f"{formula.text!r} divides by zero"))
    if isinstance(formula, Condition) and not formula.names & set(stated.variables):
        mistakes.append(Mistake(path, f"{formula.text!r} has no variable in it"))
    return mistakes
