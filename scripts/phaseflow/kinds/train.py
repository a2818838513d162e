"""A study that trains a small network: stochastic and batch algorithms on the same loss."""

from __future__ import annotations

import json
from collections.abc import Mapping

from phaseflow.catalogues import Algorithm, read_algorithms
from phaseflow.errors import KeyPath, Mistake
from phaseflow.expressions.quantity import Quantity
from phaseflow.kinds import AxisKind, Context, StudyKind
from phaseflow.kinds.minimize import DEFAULT_ALGORITHM
from phaseflow.settings.studies import Study
from phaseflow.settings.sweeps import Range

# The stochastic algorithms, and the learning rate of each where none is given: Adam's is ten times its authors', for few rows.
LEARNING_RATES = {"sgd": 0.1, "momentum": 0.02, "adam": 0.01}
# What only stochastic algorithms have.
_OF_STOCHASTIC = {"learning_rate": "learning rate", "batch": "batches"}
# Their values count passes and rows.
_WHOLE = ("batch", "epochs")


def list_axes(study: Study) -> Mapping[str, AxisKind]:
    """Return what can be swept; a learning rate of 0 stands for the algorithm's own."""
    train, allowed = study.training, frozenset({*LEARNING_RATES, *read_algorithms()})
    return {
        "starts": AxisKind("count", "start", 0, is_aside=True, is_random=True),
        "algorithm": AxisKind("word", "algorithm", DEFAULT_ALGORITHM, is_aside=True, allowed=allowed),
        "learning_rate": AxisKind("number", "learning_rate", 0.0, is_aside=True),
        "batch": AxisKind("number", "batch", float(train.batch), is_aside=True),
        "epochs": AxisKind("number", "epochs", float(train.epochs), is_aside=True),
    }


def define(study: Study) -> str:
    """Return the canonical text of the problem; batch and epochs are among the values of a trial."""
    stated = study.training.model_dump(mode="json", exclude_none=True, exclude={"batch", "epochs", "tolerance", "momentum"})
    return f"train {json.dumps(stated)}"


def list_evidence(_study: Study) -> list[str]:
    """Return what a row says of its answer: how it was reached, and what plain predictions make of the rows held out."""
    reached = ["gradient_norm", "start_value", "best_value", "best_validation_loss", "best_validation_epoch"]
    plain = ["mean_validation_loss", "linear_training_loss", "linear_validation_loss", "gain", "gain_se"]
    return [*reached, *plain, "n_weights", "training_rows", "validation_rows"]


def check(study: Study, path: KeyPath, context: Context) -> list[Mistake]:
    """Check the table, its columns, and what the algorithms need."""
    train, here = study.training, (*path, "train")
    mistakes = [Mistake((*path, key), "a training has its own") for key in ("variables", "roots") if getattr(study, key)]
    mistakes += [
        Mistake((*path, key), "only a benchmark has this")
        for key in ("targets", "resamples", "confidence")
        if getattr(study, key) is not None
    ]
    mistakes += context.check_table((*here, "to"), train.to) + context.check_kept((*here, "to"), train.to)
    if not train.to.startswith(("data.", "simulate.")):
        mistakes.append(Mistake((*here, "to"), f"{train.to!r} has no rows to learn from: data.<name> or simulate.<name> is wanted"))
    time = ["t"] if train.horizon is not None else []
    mistakes += context.check_columns((*here, "horizon"), train.to, time, "trajectories")
    mistakes += context.check_columns((*here, "inputs"), train.to, train.inputs, "trajectories")
    mistakes += context.check_columns((*here, "outputs"), train.to, train.outputs or [], "trajectories")
    for block in study.sweep or []:
        mistakes += _check_block(block, (*path, "sweep"))
    return mistakes


def _check_block(block: Mapping[str, Range | list[Quantity | str]], path: KeyPath) -> list[Mistake]:
    """Check that algorithms can train, that only stochastic ones are given what they alone have, and that counts are whole."""
    named, algorithms = block.get("algorithm", [DEFAULT_ALGORITHM]), read_algorithms()
    names = [] if isinstance(named, Range) else [str(name) for name in named]
    mistakes = [
        Mistake((*path, "algorithm"), f"{name} {reason}")
        for name in names
        if name in algorithms and (reason := _find_obstacle(algorithms[name]))
    ]
    batch = [name for name in names if name in algorithms]
    for key, what in _OF_STOCHASTIC.items():
        if key in block and batch:
            text = f"{', '.join(batch)} has no {what}, only {', '.join(LEARNING_RATES)} do: give it a block of the sweep of its own"
            mistakes.append(Mistake((*path, key), text))
    for key in (*_OF_STOCHASTIC, "epochs"):
        mistakes += [Mistake((*path, key), text) for text in _find_wrong(block.get(key, []), is_whole=key in _WHOLE)]
    return mistakes


def _find_obstacle(algorithm: Algorithm) -> str | None:
    """Return why an algorithm cannot train, or nothing where it can."""
    if algorithm.needs_bounds:
        return "searches a box, and weights have no bounds"
    if algorithm.least_squares:
        return "needs single residuals, which a training does not hand on"
    return "needs exact second derivatives, which a training does not have" if algorithm.hessian else None


def _find_wrong(values: Range | list[Quantity | str], *, is_whole: bool) -> list[str]:
    if isinstance(values, Range):
        ends = [values.start, values.stop]
        return (
            ["a list of whole numbers is wanted here"]
            if is_whole
            else [f"{e.text} must be greater than 0" for e in ends if not e.value > 0]
        )
    numbers = [value for value in values if isinstance(value, Quantity)]
    if is_whole:
        return [f"{n.text} is not a whole number, 1 or more" for n in numbers if not (n.value >= 1 and n.value.is_integer())]
    return [f"{n.text} must be greater than 0" for n in numbers if not n.value > 0]


KIND = StudyKind(
    list_axes,
    define,
    lambda _: ["training_loss", "validation_loss"],
    check,
    sources=lambda study: [study.training.to],
    evidence=list_evidence,
    is_random=True,
)
