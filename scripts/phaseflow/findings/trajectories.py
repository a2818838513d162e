"""What the members of a scenario show: how many reached the end, how long they are true, whether they are chaotic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from phaseflow.findings import Finding, Findings, count_of, format_measured, format_number, span, to_numbers, to_texts
from phaseflow.findings._measures import find_measures

# An estimate of an error has no more digits to show.
_ERROR_DIGITS = 2
# A scan goes two ways, and its exponents differ where they are so many standard errors apart.
_WAYS = 2
_APART = 3
_MOST_AVERAGES = 6


def find_in_members(settings: Mapping[str, Any], members: pd.DataFrame, _statistics: Mapping[str, Any]) -> list[Finding]:
    """Say which members of a scenario reached the stop, and how long they are reliable."""
    if members.empty:
        return [Finding("open", "There are no members, so nothing can be said.")]
    stop = str(settings.get("time", {}).get("stop", "its stop"))
    is_ok = members["status"] == "ok"
    reached = count_of(int(is_ok.sum()), len(members), "member")
    findings = []
    if not is_ok.all():
        claim = f"{count_of(int((~is_ok).sum()), len(members), 'member')} ended before t = {stop}."
        findings.append(Finding("failed", claim, _describe_ends(members[~is_ok])))
    findings += [*_find_hysteresis(settings, members), *_find_chaos(members), *find_measures(settings, members)]
    findings += [_find_reliability(settings, members), *_find_averages(settings, members)]
    if is_ok.any():
        findings.append(Finding("supported", f"{reached} reached t = {stop}.", _describe_solver(settings, members[is_ok])))
    return findings


def _describe_solver(settings: Mapping[str, Any], members: pd.DataFrame) -> str:
    solver = settings.get("solver", {})
    if settings.get("system", {}).get("noise"):
        return f"Method {solver.get('method', 'not stated')}, {span(to_numbers(members, 'steps'))} steps."
    if (precision := solver.get("precision", "double")) != "double":
        return f"{_describe_precision(precision, members)}, constants exact; {span(to_numbers(members, 'steps'))} steps."
    tolerance = "swept" if "solver.tolerance" in members else solver.get("tolerance", "not stated")
    steps = to_numbers(members, "steps").dropna()
    taken = f"; {span(steps)} steps" if len(steps) else ""
    return f"Method {solver.get('method', 'not stated')}, tolerance {tolerance} in each step{taken}."


def _describe_precision(precision: Any, members: pd.DataFrame) -> str:
    bits = span(to_numbers(members, "bits"))
    if precision == "auto":
        return f"Taylor's method with {bits} bits, raised until two precisions agreed on every digit that is kept"
    return f"Taylor's method with {bits} bits"


def _describe_ends(members: pd.DataFrame) -> str:
    times = to_numbers(members, "status_time")
    parts = []
    for status, ends in times.groupby(members["status"], sort=True):
        known = ends.dropna()
        when = f", the first at t = {format_number(known.min())}" if len(known) else ""
        parts.append(f"{len(ends)} with status {status}{when}")
    return f"{'; '.join(parts)}. Their rows stay in the table."


def _find_chaos(members: pd.DataFrame) -> list[Finding]:
    """Say where the largest Lyapunov exponent differs from zero by more than two of its standard errors, and what it is taken from."""
    if "lyapunov_1" not in members:
        return []
    exponent, error = to_numbers(members, "lyapunov_1"), to_numbers(members, "lyapunov_1_se")
    origins, n = to_texts(members, "lyapunov_from"), len(members)
    n_cycles, n_points = (int((origins == origin).sum()) for origin in ("cycle", "fixed_point"))
    above, below = int((exponent > 2 * error).sum()), int((exponent < -2 * error).sum())
    averages = "The largest Lyapunov exponent against two standard errors, from blocks of the run, its halves and its fluctuation."
    findings = []
    if above:
        findings.append(Finding("supported", f"Neighbours part exponentially in {count_of(above, n, 'member')}.", averages))
    if below:
        points = f" {n_points} have settled on a stable fixed point: there the exponents are its eigenvalues' real parts."
        findings.append(Finding("supported", f"They meet in {count_of(below, n, 'member')}.", averages + points * bool(n_points)))
    if n_cycles:
        evidence = (
            "Newton's method from the end of the run finds the cycle; the exponents are the logarithms of its Floquet multipliers over "
            "the period, and one of them is zero."
        )
        findings.append(Finding("supported", f"{count_of(n_cycles, n, 'member')} have settled on a stable cycle.", evidence))
    if n - above - below - n_cycles:
        claim = f"{count_of(n - above - below - n_cycles, n, 'member')} leave it open whether neighbours part."
        findings.append(Finding("open", claim, "There the exponent is zero to within its error, as on a torus, or has no value."))
    return findings


def _find_hysteresis(settings: Mapping[str, Any], members: pd.DataFrame) -> list[Finding]:
    """Say where a scan that passed a value twice found two largest Lyapunov exponents, more than three standard errors apart."""
    swept = settings.get("continuation")
    if swept is None or "lyapunov_1" not in members:
        return []
    known = pd.DataFrame({name: to_numbers(members, name) for name in (swept, "lyapunov_1", "lyapunov_1_se")}).dropna()
    passed = known.groupby(swept).filter(lambda rows: len(rows) == _WAYS).groupby(swept)
    if not len(passed):
        return []
    first, second = passed.first(), passed.last()
    apart = (first["lyapunov_1"] - second["lyapunov_1"]).abs()
    differs = apart > _APART * (first["lyapunov_1_se"] ** 2 + second["lyapunov_1_se"] ** 2) ** 0.5
    evidence = f"The largest exponents of both ways against {_APART} standard errors of their difference."
    if not differs.any():
        return [Finding("open", f"Both ways of the scan along {swept} found the same motion, to within its errors.", evidence)]
    where = differs[differs].index.to_series()
    passed_twice = count_of(int(differs.sum()), len(differs), "value")
    claim = f"At {passed_twice} of {swept} ({span(where)}) the motion depends on which way the scan went: hysteresis."
    return [Finding("supported", claim, evidence)]


def _find_reliability(settings: Mapping[str, Any], members: pd.DataFrame) -> Finding:
    if settings.get("system", {}).get("noise"):
        return _find_step_error(settings, members)
    method = settings.get("certify", {}).get("method", "none")
    until = to_numbers(members, "reliable_until").dropna()
    if until.empty:
        evidence = f"certify: {method}. A tolerance bounds the error of one step, not that of a trajectory."
        return Finding("open", "How long the trajectories stay close to the exact solution was not checked.", evidence)
    censored = int(members["reliable_censored"].eq(True).sum()) if "reliable_censored" in members else 0
    missing = len(members) - len(until)
    claim = f"{count_of(len(until), len(members), 'member')} can be relied on up to t = {format_number(until.min())} at least"
    claim += ", by an estimate." if method == "estimate" else "."
    allowed = format_number(float(settings.get("certify", {}).get("tolerance", "nan")))
    against = {"reference": "runs in higher precision", "estimate": "two more runs at smaller tolerances"}.get(method, method)
    is_exact = settings.get("solver", {}).get("precision") == "auto"
    how = "Two precisions agree on every digit that is kept" if is_exact else f"Within {allowed} of each state's range, against {against}"
    evidence = f"{how}; the median is t = {format_number(until.median())}; {censored} are good to the end"
    return Finding("supported", claim, f"{evidence}; {missing} have no value." if missing else f"{evidence}.")


def _find_averages(settings: Mapping[str, Any], members: pd.DataFrame) -> list[Finding]:
    """Say what a run still shows where it is no longer the solution: averages over time."""
    until = to_numbers(members, "reliable_until")
    is_past = until.notna() & ~members["reliable_censored"].eq(True) if "reliable_censored" in members else until.notna()
    states = [state for state in settings.get("system", {}).get("equations", {}) if f"{state}_mean" in members]
    if not is_past.any() or not states:
        return []
    evidence = (
        "Past its horizon a run no longer follows its own solution, but where it stays on an attractor it still samples it. The errors are "
        "from blocks of the run and its halves; where motion is not stationary they are no bound."
    )
    if settings.get("sweep"):
        columns = f"{states[0]}_mean and {states[0]}_mean_se"
        return [Finding("supported", f"What stays meaningful past the horizon are averages over time: {columns}, ...", evidence)]
    means = [f"{state} {format_measured(*_average(members, state))}" for state in states[:_MOST_AVERAGES]]
    more = f" and {len(states) - len(means)} more" if len(states) > len(means) else ""
    return [Finding("supported", f"What stays meaningful past the horizon are averages over time: {', '.join(means)}{more}.", evidence)]


def _average(members: pd.DataFrame, state: str) -> tuple[float, float]:
    """Return a mean over members with the root mean square of their own errors.

    Careful: it is not divided by their number, because members that start close together err together.
    """
    means, own = to_numbers(members, f"{state}_mean").dropna(), to_numbers(members, f"{state}_mean_se").dropna()
    return float(means.mean()), float((own**2).mean()) ** 0.5


def _find_step_error(settings: Mapping[str, Any], members: pd.DataFrame) -> Finding:
    """Say how far the step has moved the paths of a stochastic equation."""
    if settings.get("solver", {}).get("method") == "exact" and members["status"].eq("ok").any():
        evidence = (
            "Each sample is drawn from the exact transition law, so no step has moved it; means over members have Monte Carlo errors."
        )
        return Finding("supported", "The paths are exact in distribution at the sampled times.", evidence)
    errors = to_numbers(members, "step_error").dropna()
    if errors.empty:
        evidence = "The step bounds the error of each path and of the averages; neither was measured (certify: refine measures the first)."
        claim = "These are sample paths of a stochastic equation: how far the step has moved them was not checked."
        return Finding("open", claim, evidence)
    claim = f"Halving the step moves the median path by {format_number(errors.median(), _ERROR_DIGITS)} of its range"
    measured = f"{count_of(len(errors), len(members), 'member')} on the same Brownian paths, the largest difference at the samples"
    swept = ", over all steps of the sweep" if "solver.step" in members else ""
    evidence = (
        f"{measured}; {span(errors, _ERROR_DIGITS)}{swept}. An estimate: the error of a path is about twice this difference where the "
        "strong order is 1, and 3.4 times where it is 1/2; that of averages over members is less."
    )
    return Finding("supported", f"{claim}.", evidence)


FINDINGS = Findings(find_in_members)
