"""A study that compares algorithms on a set of test problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from phaseflow.catalogues import Algorithm, read_algorithms
from phaseflow.errors import KeyPath, Mistake, suggest
from phaseflow.expressions.quantity import Quantity
from phaseflow.kinds import AxisKind, Context, StudyKind
from phaseflow.plugins import list_plugins
from phaseflow.problem_sets import ProblemSet, load_problem_set
from phaseflow.settings.studies import Study
from phaseflow.settings.sweeps import Range

ALL = "all"
_BUDGET = 1000
_TARGETS = ("1e-1", "1e-3", "1e-5", "1e-7")
_RESAMPLES = 1000
_CONFIDENCE = "0.95"

# What is wrong with an algorithm that cannot be run on a set: what it is, and what the set is.
_OBSTACLES: tuple[tuple[Callable[[Algorithm, ProblemSet, bool], bool], str], ...] = (
    (lambda a, s, _: a.needs_bounds and not s.is_boxed, "searches a box, and the problems of {} have no bounds"),
    (lambda a, s, _: s.is_boxed and not a.bounds, "cannot keep the bounds of {}"),
    (lambda a, s, _: a.least_squares and not s.has_residuals, "needs single residuals, and {} has none"),
    (lambda a, s, exact: a.hessian and not (s.has_derivatives and exact), "needs exact second derivatives, and {} has none"),
)


def list_axes(study: Study) -> Mapping[str, AxisKind]:
    """Return what can be swept."""
    is_known = study.bench.problems in list_plugins("problem_sets")
    allowed = frozenset({ALL, *load_problem_set(study.bench.problems).dimensions}) if is_known else None
    return {
        "problem": AxisKind("word", "problem", ALL, allowed=allowed),
        "algorithm": AxisKind("word", "algorithm", ALL, is_aside=True, allowed=frozenset({ALL, *read_algorithms()})),
        "budget": AxisKind("number", "budget", _BUDGET, is_aside=True),
        "starts": AxisKind("count", "start", 0, is_aside=True, is_random=True),
    }


def define(study: Study) -> str:
    """Return the canonical text of the set; problem and budget are among the values of a trial."""
    return f"benchmark {study.bench.problems}"


def list_evidence(_study: Study) -> list[str]:
    """Return what a trial's row says of its problem: size, value at the start, least value known, and what share of the way is left."""
    return ["dimension", "start_value", "known_value", "gap_relative", "below_known"]


def check(study: Study, path: KeyPath, _context: Context) -> list[Mistake]:
    """Check the name of the set, the budgets, and that each algorithm can be run on it."""
    name = study.bench.problems
    if name not in list_plugins("problem_sets"):
        text = f"there is no set of test problems {name!r}{suggest(name, list_plugins('problem_sets'))}"
        return [Mistake((*path, "benchmark"), text)]
    mistakes = [
        Mistake((*path, key), "a benchmark's problems have their own")
        for key in ("variables", "roots", "constraints")
        if getattr(study, key)
    ]
    for block in study.sweep or []:
        mistakes += [Mistake((*path, "sweep", "algorithm"), text) for text in _find_unsuited(study, block.get("algorithm", []))]
        mistakes += _check_budgets((*path, "sweep", "budget"), block.get("budget", []))
    return mistakes


def _find_unsuited(study: Study, named: Range | list[Quantity | str]) -> list[str]:
    algorithms = read_algorithms()
    names = [] if isinstance(named, Range) else [str(name) for name in named if str(name) in algorithms]
    return [f"{name} {reason}" for name in names if (reason := _find_obstacle(algorithms[name], study))]


def _find_obstacle(algorithm: Algorithm, study: Study) -> str | None:
    """Return why an algorithm cannot be run on a set, or nothing where it can."""
    found = load_problem_set(study.bench.problems)
    is_exact = study.bench.derivatives == "exact"
    return next((text.format(study.bench.problems) for is_so, text in _OBSTACLES if is_so(algorithm, found, is_exact)), None)


def _check_budgets(path: KeyPath, budgets: Range | list[Quantity | str]) -> list[Mistake]:
    if isinstance(budgets, Range):
        return [Mistake(path, "a list of whole numbers is wanted here")]
    wrong = [b for b in budgets if isinstance(b, Quantity) and not (b.value >= 1 and b.value.is_integer())]
    return [Mistake(path, f"{budget.text} is not a whole number of evaluations, 1 or more") for budget in wrong]


def resolve(study: Study, _context: Context) -> Study:
    """Return the study with its problems, algorithms and targets written out."""
    targets = study.targets or [Quantity.parse(target) for target in _TARGETS]
    update = {"targets": targets, "resamples": study.resamples or _RESAMPLES, "confidence": study.confidence or Quantity.parse(_CONFIDENCE)}
    return study.model_copy(update=update | {"sweep": [_write_out(study, block) for block in study.sweep or [{}]]})


def _write_out(study: Study, block: Mapping[str, Range | list[Quantity | str]]) -> dict[str, Range | list[Quantity | str]]:
    """Return a block of the sweep with every name in it; what is not swept comes last, problems fastest."""
    every = {
        "algorithm": [name for name, algorithm in read_algorithms().items() if _find_obstacle(algorithm, study) is None],
        "problem": list(load_problem_set(study.bench.problems).dimensions),
    }
    written = dict(block)
    for name, names in every.items():
        stated = block.get(name, [ALL])
        written[name] = list(names) if not isinstance(stated, Range) and ALL in stated else stated
    return written


KIND = StudyKind(
    list_axes,
    define,
    lambda _: [],
    check,
    resolve=resolve,
    evidence=list_evidence,
    plugins=lambda study: [("problem_sets", study.bench.problems)],
    is_random=True,
)
