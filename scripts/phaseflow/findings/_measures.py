"""What the measures of a scenario show, and where they show nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from phaseflow.findings import Finding, count_of, format_measured, format_number, join_names, span, to_numbers, to_texts

# Rounding of the last bits, which no smaller tolerance takes away; and how often the errors of all steps may add up to a drift.
_ROUNDING = float(np.finfo(float).eps)
_PATIENCE = 10.0


def find_measures(settings: Mapping[str, Any], members: pd.DataFrame) -> list[Finding]:
    """Say what each measure found."""
    findings = [*_find_fixed_points(members), *_find_orbits(members), *_find_sections(members)]
    return [*findings, *_find_drifts(settings, members), *_find_dimensions(members)]


def _find_fixed_points(members: pd.DataFrame) -> Iterator[Finding]:
    counts = to_numbers(members, "fixed_points").dropna()
    if counts.empty:
        return
    evidence = (
        "Newton's method from the trajectory and from a box around it: there may be others. Each is in orbits.parquet with its residual."
    )
    if counts.max() == 0:
        yield Finding("open", "No fixed point was found, which does not prove that there is none.", evidence)
        return
    stable = to_numbers(members, "fixed_points_stable")
    found = "1 fixed point was" if counts.min() == counts.max() == 1 else f"{span(counts)} fixed points were"
    claim = f"{found} found in each member, {span(stable)} of them stable."
    yield Finding("supported", claim, evidence)
    singular = int((to_numbers(members, "fixed_points_singular") > 0).sum())
    if singular:
        claim = f"In {count_of(singular, len(members), 'member')} the stability of some is open."
        yield Finding("open", claim, "There an eigenvalue is zero to within its error: as on a line of fixed points, or at a bifurcation.")


def _find_orbits(members: pd.DataFrame) -> Iterator[Finding]:
    if "orbit_status" not in members:
        return
    found = members[members["orbit_status"] == "found"]
    if len(found):
        yield Finding("supported", _describe_orbits(found, len(members)), _support_orbits(found))
    missing = members[members["orbit_status"] != "found"]
    if len(missing):
        counts = to_texts(missing, "orbit_status").value_counts().sort_index()
        reasons = "; ".join(f"{count} with status {status}" for status, count in counts.items())
        claim = f"No periodic orbit was found in {count_of(len(missing), len(members), 'member')}."
        yield Finding("open", claim, f"{reasons}. That does not prove that there is none.")


def _describe_orbits(found: pd.DataFrame, n_members: int) -> str:
    periods, kinds = to_numbers(found, "orbit_period"), to_texts(found, "orbit_stability").value_counts().sort_index()
    if len(found) == 1:
        error = periods.iloc[0] * max(
            1e-13, *(to_numbers(found, name).fillna(0).iloc[0] for name in ("orbit_residual", "orbit_unit_error"))
        )
        shown = format_measured(float(periods.iloc[0]), float(error)).split(" ± ")[0]
    else:
        shown = span(periods)
    stability = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return f"A periodic orbit was found in {count_of(len(found), n_members, 'member')}, of period {shown}: {stability}."


def _support_orbits(found: pd.DataFrame) -> str:
    residual, unit = (to_numbers(found, name).max() for name in ("orbit_residual", "orbit_unit_error"))
    text = f"After a period it misses its start by at most {format_number(residual, 1)} of its size"
    return f"{text}; the multiplier that must be 1 is off by at most {format_number(unit, 1)}." if unit == unit else f"{text}."


def _find_sections(members: pd.DataFrame) -> Iterator[Finding]:
    counts = to_numbers(members, "section_count").dropna()
    if counts.empty:
        return
    if counts.max() == 0:
        yield Finding("open", "No trajectory crosses the section, so nothing can be said of it.")
        return
    yield Finding("supported", f"The section is crossed {span(counts)} times a member.", "Each crossing is located as an event.")
    if "return_time_mean" not in members:
        return
    means, errors = to_numbers(members, "return_time_mean"), to_numbers(members, "return_time_se")
    if means.isna().all():
        yield Finding("open", "No member comes back to the section, so there is no return time.")
        return
    extremes = [format_number(to_numbers(members, f"return_time_{end}").agg(end), 4) for end in ("min", "max")]
    evidence = f"Single return times lie between {extremes[0]} and {extremes[1]}; the error is from the scatter of batches."
    alone = len(means) == 1 and np.isfinite(errors.iloc[0])
    shown = format_measured(float(means.iloc[0]), max(float(errors.iloc[0]), 1e-12)) if alone else span(means.dropna(), 4)
    yield Finding("supported", f"A return takes {shown} on average.", evidence)


def _find_drifts(settings: Mapping[str, Any], members: pd.DataFrame) -> Iterator[Finding]:
    stated = (settings.get("measure") or {}).get("energy")
    names = [name for name in (stated if isinstance(stated, Mapping) else {}) if f"{name}_drift" in members]
    tolerance = to_numbers(members, "solver.tolerance").fillna(float(settings.get("solver", {}).get("tolerance", "nan")))
    allowed = _PATIENCE * to_numbers(members, "steps") * np.maximum(tolerance, _ROUNDING)
    for name in names:
        drift = to_numbers(members, f"{name}_drift")
        kept, lost, n = int((drift <= allowed).sum()), int((drift > allowed).sum()), len(members)
        evidence = f"It drifts by at most {format_number(drift.max(), 2)} of the size of its terms"
        rule = "; ten times the errors that the tolerance allows in all steps would pass."
        if kept:
            yield Finding(
                "supported", f"{name} is conserved in {count_of(kept, n, 'member')} as well as the tolerance lets expect.", evidence + rule
            )
        if lost:
            claim = f"{name} is not conserved in {count_of(lost, n, 'member')}."
            yield Finding("failed", claim, f"{evidence}: it is no conserved quantity, or the integration is not good enough.")
        if n - kept - lost:
            claim = f"Whether {name} is conserved is open in {count_of(n - kept - lost, n, 'member')}."
            yield Finding("open", claim, "They did not reach the end.")


def _find_dimensions(members: pd.DataFrame) -> Iterator[Finding]:
    if "correlation_dimension" not in members:
        return
    values, errors = to_numbers(members, "correlation_dimension"), to_numbers(members, "correlation_dimension_se")
    known = values.dropna()
    if len(known):
        where = known.index[0]
        shown = format_measured(float(known[where]), float(errors[where])) if len(known) == 1 else f"{span(known, 3)}"
        evidence = f"Slopes of log C(r), their standard errors up to {format_number(errors.max(), 1)}: a slope over a finite span of radii."
        claim = f"The correlation dimension is {shown} in {count_of(len(known), len(members), 'member')}."
        yield Finding("supported", claim, evidence)
    if len(known) < len(members):
        reasons = sorted(set(to_texts(members[values.isna()], "correlation_dimension_status")))
        claim = f"{count_of(len(members) - len(known), len(members), 'member')} have no correlation dimension."
        yield Finding("open", claim, f"Status {join_names(reasons)}." if reasons else "")
