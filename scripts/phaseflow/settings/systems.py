"""Dynamical systems as a user states them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeVar

from pydantic import Field

from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.quantity import Expression, Quantity, Varying
from phaseflow.expressions.subscripts import read_subscript
from phaseflow.expressions.tree import SWITCHES, TIME, find_operators
from phaseflow.settings.base import Formula, Name, Real, Settings, Start, State
from phaseflow.settings.indices import MOST_STATES, Index
from phaseflow.settings.invariants import Invariants

_RESERVED_COLUMNS = frozenset(
    {"member", "status", "status_time", "engine", "steps", "replicate", "step_error", "bits", "continued_from"}
    | {"taylor_order", "taylor_steps", "taylor_tail"}
    | {"reliable_until", "reliable_method", "reliable_censored"}
)
T = TypeVar("T")


class System(Settings):
    """A system of ordinary differential equations: the time derivative of each state as an expression."""

    equations: dict[State, Formula] = Field(
        min_length=1, description="the time derivative of each state; x[i] is one state for each value of the index i"
    )
    parameters: dict[Name, Real] = Field({}, description="the value of each parameter; it can be overridden and swept")
    initial: dict[State, Start] = Field(
        description="the initial value of each state; that of x[i] may depend on i and N, and x_3 alone can have another"
    )
    noise: dict[State, dict[State, Formula]] | None = Field(
        None, description="the diffusion of each state for each Wiener process (Ito); states that name the same process share it"
    )
    index: dict[Name, Name] | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="an index and the parameter that says how far it runs: with {i: N}, x[i] is x_1 .. x_N",
    )
    boundary: Literal["periodic", "fixed"] | None = Field(
        None, description="beyond the ends of an index: periodic (the default): x_0 is x_N, as in a ring; fixed: 0, as in a chain"
    )
    description: str | None = Field(None, description="what the system models")
    source: str | None = Field(None, description="where it was published")
    invariants: Invariants | None = Field(None, description="what is known of its solutions; nothing is computed from it")

    def define(self) -> str:
        """Return the canonical text of the equations, which with the values is what a member is."""
        equations = [f"{state}' = {formula.text}" for state, formula in self.equations.items()]
        equations += [f"{state}' += ({formula.text}) {process}'" for state, process, formula in self.list_noise()]
        return f"{'; '.join(equations)}; parameters {', '.join(sorted(self.parameters))}"

    def strip(self) -> System:
        """Return the system without what is said about it and computes nothing."""
        return self.model_copy(update={"description": None, "source": None, "invariants": None})

    def list_noise(self) -> list[tuple[str, str, Expression]]:
        """Return each diffusion with its state and its Wiener process, in the order of the states and the processes' names."""
        noise = self.noise or {}
        return [(state, process, noise[state][process]) for state in self.equations if state in noise for process in sorted(noise[state])]

    def list_processes(self) -> list[str]:
        """Return the names of the Wiener processes, sorted."""
        return sorted({process for _, process, _ in self.list_noise()})

    # -- states with an index

    @property
    def sizes(self) -> frozenset[str]:
        """The parameters that say how many states there are."""
        return frozenset((self.index or {}).values())

    def resize(self, parameters: Mapping[str, Quantity]) -> System:
        """Return the system with other values of the parameters that say how many states there are."""
        sizes = {name: value for name, value in parameters.items() if name in self.sizes}
        return self.model_copy(update={"parameters": {**self.parameters, **sizes}})

    def expand(self) -> System:
        """Return the system with x[i] written out as the states x_1 .. x_N; one without an index is returned as it is.

        Raises
        ------
        ValueError : an expression divides by zero or an initial value is not finite for some value of the index.
        """
        index = self._find_index()
        if index is None:
            return self
        equations = index.write_out_all(self.equations)
        noise = {state: self._expand_noise(index, key, place) for key, place, state in self._place(index) if key in (self.noise or {})}
        stated = {
            "equations": equations,
            "parameters": {name: value for name, value in self.parameters.items() if name != index.parameter},
            "initial": index.start(self.initial, equations),
            "noise": noise or None,
            "index": None,
            "boundary": None,
            "invariants": self._expand_invariants(index),
        }
        return self.model_copy(update=stated)

    def spread(self, given: Mapping[str, T]) -> dict[str, T]:
        """Return what is given for x[i] as given for each of x_1 .. x_N, but where one of them is given another."""
        index = self._find_index()
        return dict(given) if index is None else index.spread(given)

    def _find_index(self) -> Index | None:
        if self.index is None:
            return None
        name, parameter = next(iter(self.index.items()))
        bases = frozenset(found.base for key in self.equations if (found := read_subscript(key)))
        return Index(name, parameter, int(self.parameters[parameter].value), bases, self.boundary != "fixed")

    def _place(self, index: Index) -> Iterator[tuple[str, int, str]]:
        for key in self.equations:
            yield from ((key, place, name) for place, name in enumerate(index.list_names(key), 1))

    def _expand_noise(self, index: Index, key: str, place: int) -> dict[str, Expression]:
        """Return the diffusions of one state; a process with the index is one for each of its values."""
        given = (self.noise or {})[key]
        names = {process: index.list_names(process) for process in given}
        return {names[p][place - 1] if read_subscript(p) else p: index.write_out(formula, place) for p, formula in given.items()}

    def _expand_invariants(self, index: Index) -> Invariants | None:
        if self.invariants is None:
            return None
        divergence = self.invariants.divergence
        written = {
            "conserved": index.write_out_all(self.invariants.conserved),
            "divergence": divergence and index.write_out(divergence, 1),
        }
        return self.invariants.model_copy(update=written)

    # -- checks

    def check(self, path: KeyPath) -> list[Mistake]:
        """Check that the parts of the definition fit each other."""
        if mistakes := self._check_index(path):
            return mistakes
        states, parameters = set(self.spread(dict.fromkeys(self.equations))), set(self.parameters)
        known = states | parameters | {TIME}
        mistakes = [Mistake((*path, "parameters", name), f"{name!r} is a state already") for name in sorted(states & parameters)]
        for name in sorted((states | parameters) & _RESERVED_COLUMNS):
            section = "equations" if name in states else "parameters"
            mistakes.append(Mistake((*path, section, name), f"{name!r} is a column of every table: choose another name"))
        for state, formula in self.equations.items():
            here = (*path, "equations", state)
            mistakes += self._check_names(here, state, formula, known)
            # Stochastic methods take short steps of one length, whose order a kink lowers at worst.
            if not self.noise and (switches := sorted(find_operators(formula.tree) & SWITCHES)):
                text = f"equations with {', '.join(switches)} are not built yet: a step across the switch would be silently wrong"
                mistakes.append(Mistake(here, text))
        for state, process, formula in self.list_noise():
            mistakes += self._check_names((*path, "noise", state, process), state, formula, known)
        mistakes += check_known((*path, "noise"), self.noise or {}, set(self.equations), "state")
        mistakes += self._check_initial((*path, "initial"), states)
        if self.invariants is not None:
            mistakes += self.invariants.check((*path, "invariants"), states, parameters)
        return mistakes or self._check_expansion(path)

    def _check_names(self, path: KeyPath, state: str, formula: Expression, known: set[str]) -> list[Mistake]:
        """Check that the names of an equation have a meaning; with an index, also at the state's place."""
        index, has_place = self._find_index(), read_subscript(state) is not None
        names = [name for name in sorted(formula.names - known) if index is None or not index.is_known(name, has_place)]
        hints = {name: suggest(name, [*self.equations, *self.parameters]) for name in names}
        return [Mistake(path, f"{formula.text!r} needs {name!r}, which is not known{hint}") for name, hint in hints.items()]

    def _check_initial(self, path: KeyPath, states: set[str]) -> list[Mistake]:
        given = self.spread(self.initial)
        missing = [key for key in self.equations if not set(self.spread({key: None})) <= set(given)]
        mistakes = [Mistake(path, f"the state {key!r} has no initial value") for key in missing]
        mistakes += check_known(path, self.initial, states | set(self.equations), "state")
        for key, value in self.initial.items():
            if isinstance(value, Varying):
                known = {*(self.index or {}), *self.sizes} if read_subscript(key) else set()
                unknown = sorted(value.names - known)
                text = f"{value.text!r} is not a number"
                mistakes += [Mistake((*path, key), f"{text}: there is no constant {n!r}{suggest(n, known | {'pi', 'e'})}") for n in unknown]
        return mistakes

    def _check_index(self, path: KeyPath) -> list[Mistake]:
        """Check the index itself; all else can be checked only where it has a size."""
        subscripts = {place: found for place in self._list_keys() if (found := read_subscript(place[-1]))}
        if self.index is None:
            text = "needs to be told how far its index runs, as in index: {i: N}, where N is a parameter"
            mistakes = [Mistake((*path, *place), f"{place[-1]!r} {text}") for place in subscripts]
            return mistakes + [Mistake((*path, "boundary"), "a boundary has no meaning without an index")] * (self.boundary is not None)
        (name, parameter), here = next(iter(self.index.items())), (*path, "index")
        mistakes = []
        if parameter not in self.parameters:
            text = f"there is no parameter {parameter!r}{suggest(parameter, self.parameters)}"
            mistakes.append(Mistake((*here, name), text))
        bases = {found.base for place, found in subscripts.items() if place[0] == "equations"}
        plain = {*self.equations, *self.parameters}
        mistakes += [Mistake((*here, name), f"{n!r} is a state or a parameter already") for n in sorted({name, *bases} & plain)]
        others = [place for place, found in subscripts.items() if found.index != name or (place[0] == "noise" and "[" not in place[1])]
        mistakes += [Mistake((*path, *place), f"{place[-1]!r} has no meaning here: the index is {name!r}") for place in others]
        if not bases:
            mistakes.append(Mistake((*here, name), f"no state has the index {name!r}, as in x[{name}]"))
        return mistakes or self._check_size((*path, "parameters", parameter), self.parameters[parameter], len(bases))

    def _list_keys(self) -> Iterator[tuple[str, ...]]:
        yield from (("equations", key) for key in self.equations)
        yield from (("initial", key) for key in self.initial)
        for state, diffusions in (self.noise or {}).items():
            yield from [("noise", state), *(("noise", state, process) for process in diffusions)]

    def _check_size(self, path: KeyPath, size: Quantity, n_bases: int) -> list[Mistake]:
        most = MOST_STATES // n_bases
        if not (size.value.is_integer() and 2 <= size.value <= most):
            return [Mistake(path, f"{size.text} says how many states there are: a whole number from 2 to {most} is wanted")]
        made = self.spread({key: None for key in self.equations if read_subscript(key)})
        clashes = [key for key in self.equations if key in made]
        return [Mistake((*path[:-2], "equations", key), f"the index makes a state {key!r} already") for key in clashes]

    def _check_expansion(self, path: KeyPath) -> list[Mistake]:
        try:
            self.expand()
        except ValueError as error:
            return [Mistake(path, str(error))]
        return []


def check_known(path: KeyPath, given: Mapping[str, object], allowed: set[str], kind: str) -> list[Mistake]:
    """Check that keys are names of states, parameters and the like."""
    unknown = [name for name in given if name not in allowed]
    return [Mistake((*path, name), f"there is no {kind} {name!r}{suggest(name, allowed)}") for name in unknown]
