"""What the tables say, and above all when they say nothing."""

import math

import pandas as pd
import pytest

from phaseflow.findings import format_measured, format_number, join_names
from phaseflow.findings._starts import find_interval
from phaseflow.plugins import list_plugins, load_plugin

SETTINGS = {"time": {"stop": "40"}, "solver": {"method": "taylor", "tolerance": "1e-12"}, "certify": {"method": "none"}}


def find_in_members(settings, members):
    return load_plugin("findings", "trajectories").find(settings, members, {})


def find_in_trials(variables, trials):
    return load_plugin("findings", "minimize").find({"variables": dict.fromkeys(variables)}, trials, {})


def find_in_terms(statistics, terms):
    return load_plugin("findings", "linear").find({}, terms, statistics)


def make_members(statuses, **columns):
    times = [40.0 if status == "ok" else 0.5 + place for place, status in enumerate(statuses)]
    table = {"member": range(len(statuses)), "status": statuses, "status_time": times, "steps": [100] * len(statuses)}
    empty = {"reliable_until": math.nan, "reliable_censored": None}
    return pd.DataFrame({**table, **empty, **columns})


def make_trials(values, statuses, **columns):
    table = {"algorithm": "a", "status": statuses, "value": values, "x": 0.0, "message": "why", "feasibility": 0.0}
    evidence = {"gap_proven": math.nan, "kkt_residual": 1e-9, "certificate": "none", "certificate_reason": "not built"}
    return pd.DataFrame({**table, **evidence, **columns}, index=range(len(values)))


def make_terms(low, high, digits=math.nan):
    names = [f"b{place}" for place in range(len(low))]
    return pd.DataFrame({"term": names, "ci_low": low, "ci_high": high, "certified_digits": digits})


def list_standings(findings):
    return [finding.standing for finding in findings]


def join_claims(findings):
    return " ".join(finding.claim for finding in findings)


def test_members_that_reached_the_stop_are_counted_and_their_reliability_is_left_open():
    findings = find_in_members(SETTINGS, make_members(["ok"]))
    assert list_standings(findings) == ["open", "supported"]
    assert findings[-1].claim == "1 of 1 members reached t = 40."
    assert "was not checked" in findings[-2].claim
    assert "certify: none" in findings[0].evidence


def test_members_that_ended_early_are_a_failure_with_status_and_first_time():
    findings = find_in_members(SETTINGS, make_members(["ok", "not_finite", "step_limit", "not_finite"]))
    assert list_standings(findings) == ["failed", "open", "supported"]
    assert findings[0].claim == "3 of 4 members ended before t = 40."
    assert findings[0].evidence.startswith("2 with status not_finite, the first at t = 1.5; 1 with status step_limit")


def test_no_claim_of_success_where_every_member_failed():
    assert list_standings(find_in_members(SETTINGS, make_members(["not_finite"]))) == ["failed", "open"]


def test_reliable_times_are_reported_by_the_least_of_them():
    settings = SETTINGS | {"certify": {"method": "reference"}}
    members = make_members(["ok"] * 3, reliable_until=[20.0, 31.0, math.nan], reliable_censored=[False, True, None])
    finding = find_in_members(settings, members)[-2]
    assert finding.standing == "supported"
    assert finding.claim == "2 of 3 members can be relied on up to t = 20 at least."
    assert "1 are good to the end; 1 have no value" in finding.evidence
    estimated = find_in_members(SETTINGS | {"certify": {"method": "estimate"}}, members)[-2]
    assert estimated.claim.endswith("at least, by an estimate.")


def test_a_run_in_automatic_precision_is_held_against_another_precision_alone():
    members = make_members(["ok"] * 2, bits=[113.0, 224.0], reliable_until=[40.0, 40.0], reliable_censored=[True, True])
    settings = SETTINGS | {"solver": {"precision": "auto"}, "certify": {"method": "reference", "tolerance": "1e-3"}}
    evidence = find_in_members(settings, members)[-2].evidence
    assert "Two precisions agree on every digit that is kept" in evidence
    assert "0.001" not in evidence


def test_a_run_of_many_digits_says_how_many_bits_it_took():
    members = make_members(["ok"] * 2, bits=[113.0, 224.0])
    auto = find_in_members(SETTINGS | {"solver": {"method": "taylor", "tolerance": "1e-16", "precision": "auto"}}, members)[-1]
    assert "113 to 224 bits, raised until two precisions agreed on every digit that is kept, constants exact" in auto.evidence
    assert "tolerance" not in auto.evidence
    fixed = find_in_members(SETTINGS | {"solver": {"method": "taylor", "precision": 60}}, members[1:])[-1]
    assert "with 224 bits, constants exact" in fixed.evidence


@pytest.mark.parametrize(
    "findings",
    [
        find_in_members(SETTINGS, make_members([])),
        find_in_trials(["x"], make_trials([], [])),
        find_in_terms({}, make_terms([], [])),
    ],
)
def test_an_empty_table_says_nothing(findings):
    assert list_standings(findings) == ["open"]
    assert "nothing can be said" in findings[0].claim


def test_the_least_value_is_counted_within_the_stated_agreement_and_nothing_proves_it():
    findings = find_in_trials(["x"], make_trials([1.0, 1.0 + 5e-9, 1.0 + 5e-8, 7.0], ["converged"] * 4))
    assert list_standings(findings) == ["supported", "open"]
    assert findings[0].claim == "The least value seen is 1, reached by 2 of 4 trials."
    assert "to within 1e−8" in findings[0].evidence
    assert "Seen at x = 0." in findings[0].evidence
    assert findings[1].claim == "Nothing proves that it is the least possible."


def test_agreement_is_relative_for_large_values():
    claim = find_in_trials([], make_trials([1e6, 1e6 + 1e-3], ["converged"] * 2))[0].claim
    assert claim.endswith("reached by 2 of 2 trials.")


def test_a_least_value_that_no_converged_trial_reached_is_open():
    findings = find_in_trials(["x"], make_trials([1.0, 2.0], ["stopped", "converged"]))
    assert list_standings(findings) == ["open", "open", "open"]
    assert "none of them converged, so it may lie lower" in findings[0].claim
    assert findings[2].claim == "1 of 2 trials stopped before they converged."


def test_failed_trials_alone_name_no_value():
    findings = find_in_trials(["x"], make_trials([math.nan] * 3, ["failed"] * 3))
    assert list_standings(findings) == ["open", "failed"]
    assert "no least value can be named" in findings[0].claim
    assert findings[1].evidence == "3 × “why”."


def test_values_of_failed_infinite_and_infeasible_trials_do_not_count():
    trials = make_trials([-9.0, -math.inf, -5.0, 2.0], ["failed"] + ["converged"] * 3, feasibility=[0.0, 0.0, 0.1, 0.0])
    assert "The least value seen is 2, reached by 1 of 4 trials." in join_claims(find_in_trials(["x"], trials))


def test_unknown_feasibility_supports_no_least_value():
    trials = make_trials([1.0], ["converged"], feasibility=math.nan)
    assert "no least value" in find_in_trials(["x"], trials)[0].claim


def test_certificates_and_proven_gaps_support_the_claim():
    exact = make_trials([1.0, 1.0], ["converged"] * 2, certificate=["exact_optimal", "none"])
    assert find_in_trials(["x"], exact)[1].claim == "It is proven to be the least possible."
    gap = make_trials([1.0], ["converged"], gap_proven=0.25, gap_scope="global")
    assert "at most 0.25 above the least possible" in find_in_trials(["x"], gap)[1].claim
    tight = make_trials([1.0], ["converged"], gap_proven=1e-12, gap_scope="global")
    assert "proven to be the least possible, to within 1e−12, of all points" in find_in_trials(["x"], tight)[1].claim


def test_a_certificate_of_another_trial_or_of_a_local_minimum_proves_nothing_global():
    other = make_trials([1.0, 5.0], ["converged"] * 2, certificate=["none", "exact_optimal"])
    assert find_in_trials(["x"], other)[1].standing == "open"
    certified = {"certificate": "unique_minimum", "certified_x": 1 / 3, "certified_error": 2e-17, "certified_radius": 0.02}
    local = make_trials([1.0], ["converged"], gap_proven=1e-15, gap_scope="local", **certified)
    findings = find_in_trials(["x"], local)
    assert list_standings(findings) == ["supported", "supported", "open"]
    assert findings[1].claim == "A local minimum next to it is proven, for 1 of 1 such trials."
    assert "It lies at x = 0.333333333333, to within 2e−17." in findings[1].evidence
    assert "no other within 0.02 × max(1, |x|)" in findings[1].evidence
    assert findings[2].claim == "Nothing proves that it is the least possible."
    bounded = find_in_trials(["x"], local.assign(proven_bound=0.5))
    assert "that no value lies below 0.5 is" in bounded[2].claim
    alone = find_in_trials(["x"], local.assign(gap_scope="global", certified_radius=math.inf))
    assert list_standings(alone) == ["supported"] * 3
    assert "no other within the bounds" in alone[2].evidence


def test_proven_saddles_and_wrong_derivatives_are_failures():
    trials = make_trials(
        [1.0, 2.0, 2.0], ["converged"] * 3, certificate=["unique_minimum", "saddle", "stationary"], gradient_error=[0, 1e-15, 1e-3]
    )
    findings = find_in_trials(["x"], trials)
    claims = [finding.claim for finding in findings if finding.standing == "failed"]
    assert claims[0] == "1 of 3 trials ended at what is proven to be a saddle, not a minimum."
    assert claims[1] == "1 of 3 trials ended at what is proven to be a maximum, not a minimum."
    assert claims[2].startswith("At 1 of 3 answers the derivatives differ")


def test_answers_under_constraints_count_within_the_tolerance():
    trials = make_trials([1.0, 0.5], ["converged"] * 2, feasibility=[1e-7, 1e-2], proven_bound=math.nan)
    find = load_plugin("findings", "minimize").find
    settings = {"variables": {"x": None}, "constraints": ["x >= 1"]}
    assert "The least value seen is 1," in find(settings, trials, {})[0].claim
    assert "The least value seen is 0.5," in find({**settings, "constraint_tolerance": "1/10"}, trials, {})[0].claim
    nothing = find(settings, trials.assign(feasibility=1.0, proven_bound=math.inf), {})
    assert nothing[1].claim == "It is proven that no point within the bounds keeps the constraints."


def test_coefficients_are_told_apart_by_their_intervals():
    statistics = {"r_squared": 0.99548, "observations": 16, "degrees_of_freedom": 9, "residual_std": 304.85, "confidence": 0.95}
    findings = find_in_terms(statistics, make_terms([1.0, -3.0, -1.0, math.nan], [2.0, -2.0, 1.0, math.nan]))
    assert list_standings(findings) == ["supported", "supported", "open", "open", "open"]
    assert findings[0].claim.startswith("R² = 0.9955, ")
    assert findings[1].claim == "The 95 % intervals of b0 and b1 exclude 0."
    assert findings[2].claim == "The data leave the sign of b2 open."
    assert findings[3].claim == "There is no interval for b3."


def test_an_interval_that_ends_at_zero_does_not_exclude_it():
    assert "leave the sign of b0 open" in join_claims(find_in_terms({"r_squared": 1.0}, make_terms([0.0], [1.0])))


def test_r_squared_without_value_or_intercept_is_not_sold_as_quality():
    terms = make_terms([1.0], [2.0])
    assert find_in_terms({"r_squared": None}, terms)[0].standing == "open"
    assert "not to be compared" in find_in_terms({"r_squared": 0.9, "r_squared_is_centred": False}, terms)[0].claim


def test_digits_are_claimed_only_where_every_term_has_them():
    assert find_in_terms({}, make_terms([1.0, 1.0], [2.0, 2.0], [11, 9]))[-1].claim.startswith("At least 9 digits")
    findings = find_in_terms({"condition_number": 1e9}, make_terms([1.0, 1.0], [2.0, 2.0], [11, None]))
    assert findings[-1].standing == "open"
    assert "about 9 of the 16 digits" in findings[-1].evidence


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (pd.NA, "–"),
        (-math.inf, "−∞"),
        (-0.0, "0"),
        (40.0, "40"),
        (-1.5, "−1.5"),
        (1.0000004, "1.00000"),
        (19 * 0.025, "0.475"),
        (123456.7, "123457"),
        (1234567.0, "1.23457e6"),
        (1.25e-9, "1.25e−9"),
    ],
)
def test_numbers_are_short_and_show_that_they_were_rounded(value, text):
    assert format_number(value) == text


def test_long_lists_of_names_are_cut():
    assert join_names(["a"]) == "a"
    assert join_names(["a", "b", "c"]) == "a, b and c"
    assert join_names(["a", "b", "c"], limit=1) == "a and 2 more"


def test_chaos_is_claimed_only_beyond_two_standard_errors():
    members = make_members(["ok"] * 4, lyapunov_1=[0.9, -0.5, 0.01, math.nan], lyapunov_1_se=[0.02, 0.01, 0.02, math.nan])
    claims = join_claims(find_in_members(SETTINGS, members))
    assert "Neighbours part exponentially in 1 of 4 members." in claims
    assert "They meet in 1 of 4 members." in claims
    assert "2 of 4 members leave it open" in claims
    assert "settled" not in claims


def test_settled_members_are_told_from_averages():
    origins = ["average", "fixed_point", "cycle", "cycle", None]
    values = {"lyapunov_1": [0.9, -0.5, 0.0, 0.0, math.nan], "lyapunov_1_se": [0.02, 1e-14, 1e-14, 0.0, math.nan]}
    findings = find_in_members(SETTINGS, make_members(["ok"] * 5, **values, lyapunov_from=origins))
    claims = join_claims(findings)
    assert "They meet in 1 of 5 members." in claims
    assert "2 of 5 members have settled on a stable cycle." in claims
    assert "1 of 5 members leave it open" in claims
    assert any("1 have settled on a stable fixed point" in finding.evidence for finding in findings)


def test_a_stochastic_path_is_not_asked_how_long_it_is_the_solution():
    settings = {**SETTINGS, "system": {"noise": {"x": {"W": "1"}}}}
    finding = find_in_members(settings, make_members(["ok"]))[-2]
    assert finding.standing == "open"
    assert "sample paths" in finding.claim
    assert "certify: refine" in finding.evidence


def test_the_step_error_of_stochastic_paths_is_reported_by_its_median():
    settings = {**SETTINGS, "system": {"noise": {"x": {"W": "1"}}}, "solver": {"method": "milstein"}}
    finding = find_in_members(settings, make_members(["ok"] * 4, step_error=[0.01, 0.0234, 0.5, math.nan]))[-2]
    assert finding.standing == "supported"
    assert finding.claim == "Halving the step moves the median path by 0.023 of its range."
    assert finding.evidence.startswith("3 of 4 members on the same Brownian paths")
    assert "; 0.01 to 0.5. An estimate" in finding.evidence


def test_exact_paths_are_called_exact_in_distribution():
    settings = {**SETTINGS, "system": {"noise": {"x": {"W": "1"}}}, "solver": {"method": "exact"}}
    finding = find_in_members(settings, make_members(["ok"]))[-2]
    assert finding.standing == "supported"
    assert "exact in distribution" in finding.claim
    assert find_in_members(settings, make_members(["not_finite"]))[-1].standing == "open"


def find(kind, settings, table, statistics=None):
    return load_plugin("findings", kind).find(settings, table, statistics or {})


@pytest.mark.parametrize("kind", [kind for kind in list_plugins("findings") if kind != "trajectories"])
def test_an_empty_table_supports_nothing(kind):
    columns = ["term", "estimate", "std_error", "ci_low", "ci_high", "status", "value", "message", "feasibility"]
    findings = find(kind, {}, pd.DataFrame(columns=columns))
    assert findings
    assert "supported" not in list_standings(findings)


def test_a_calibration_says_how_near_the_truth_it_comes():
    trials = make_trials([1.0, 2.0, 3.0], ["converged"] * 3, error=[0.01, 0.03, 0.2], noise=[0.1, 0.1, 1.0])
    claims = join_claims(find("calibrate", {}, trials))
    assert "0.02 at noise 0.1 and 0.2 at noise 1" in claims
    assert "Nothing proves" in claims


def test_a_calibration_without_a_truth_names_its_best_fit():
    settings = {"calibrate": {"parameters": {"x": {}}, "error": "lognormal"}}
    trials = make_trials([5.0, 4.0, 4.0 + 1e-9], ["converged"] * 3, error=math.nan)
    findings = find("calibrate", settings, trials)
    assert "negative log-likelihood 4, reached by 2 of 3 trials" in findings[0].claim
    assert list_standings(find("calibrate", settings, make_trials([1.0], ["failed"]))) == ["failed"]


def test_a_program_is_optimal_only_where_a_proof_or_a_bound_says_so():
    trials = make_trials([10.0, 12.0], ["converged"] * 2, gap_proven=[0.0, 1e-12])
    exact = trials.assign(certificate="exact_optimal", certificate_reason="because")
    assert "is proven in exact arithmetic for 2 of 2 trials" in join_claims(find("program", {}, exact))
    assert "bound closes the gap to within rounding for 2 of 2 trials" in join_claims(find("program", {}, trials))
    assert "to within 0.5" in join_claims(find("program", {}, trials.assign(gap_proven=[0.0, 0.5])))
    assert "Nothing proves" in join_claims(find("program", {}, trials.assign(gap_proven=math.nan)))
    assert "greatest value" in join_claims(find("program", {"program": {"linear": {"maximize": "x"}}}, trials))
    limited = find("program", {}, trials.assign(status=["converged", "time_limit"], gap_proven=[0.0, 0.5]))
    assert limited[-1].standing == "open"
    assert "1 of 2 trials have no solution" in join_claims(find("program", {}, trials.assign(status=["converged", "infeasible"])))
    prices = {"price.demand.a": [2.0, math.nan], "price_more.demand.a": [2.0, math.inf]}
    assert "One unit more of demand costs: a 2 or cannot be had." in join_claims(find("program", {}, exact.assign(**prices)))


def test_found_equations_are_true_only_where_the_truth_is_known():
    terms = pd.DataFrame({"term": ["x' : x"], "relative_error": [0.001]})
    statistics = {"equations": {"x": {"text": "x' = -x"}}, "is_truth_known": True, "terms_false": 0, "terms_missing": 0}
    assert "right to within 0.001" in join_claims(find("discover", {}, terms, statistics))
    assert list_standings(find("discover", {}, terms, {**statistics, "terms_missing": 1}))[-1] == "failed"
    assert list_standings(find("discover", {}, terms, {**statistics, "is_truth_known": False}))[-1] == "open"


def test_a_drift_that_may_be_none_does_not_beat_a_random_walk():
    terms = pd.DataFrame({"term": ["mu", "sigma"], "estimate": [0.05, 0.2], "ci_low": [-0.01, 0.19], "ci_high": [0.11, 0.21]})
    tests = {"jarque_bera_p": 0.5, "ljung_box_p": 0.5, "ljung_box_squares_p": 0.5}
    findings = find("diffusion", {}, terms, {**tests, "random_walk_p": 0.3})
    assert list_standings(findings) == ["open", "supported", "open", "supported"]
    assert "does not beat a random walk" in join_claims(findings)
    bursts = find("diffusion", {}, terms, {**tests, "random_walk_p": 0.01, "ljung_box_squares_p": 1e-9})
    assert "bursts" in bursts[-1].claim


def make_forecasts(**intervals):
    rows = [{"term": name, "estimate": (low + high) / 2, "ci_low": low, "ci_high": high} for name, (low, high) in intervals.items()]
    return pd.DataFrame(rows).assign(converged=True)


def test_a_network_must_beat_the_best_baseline_beyond_its_interval():
    clear = make_forecasts(persistence=(0.4, 0.5), linear=(0.2, 0.3), lbfgs=(0.01, 0.02), adam=(0.05, 0.06))
    claims = join_claims(find("network", {}, clear))
    assert "lbfgs and adam err less than the best plain forecast, linear" in claims
    assert "lbfgs errs least from these initial weights" in claims
    unclear = make_forecasts(persistence=(0.4, 0.5), linear=(0.2, 0.3), lbfgs=(0.19, 0.25), adam=(0.18, 0.21))
    findings = find("network", {}, unclear)
    assert list_standings(findings) == ["open", "open"]
    assert "is not shown" in findings[0].claim
    stopped = find("network", {}, clear.assign(converged=False))
    assert "stopped before it converged" in stopped[-1].claim


def test_a_root_is_claimed_only_where_it_is_enclosed():
    root = {"root": -0.5, "enclosure_low": -0.5, "enclosure_high": -0.5 + 1e-16}
    touching = {"root": 2.0, "enclosure_low": math.nan, "enclosure_high": math.nan}
    settings = {"variables": {"x": {}}, "roots": True}
    trials = make_trials([1.0], ["converged"])
    claims = join_claims(find("minimize", settings, trials, {"roots": [root, touching]}))
    assert "The function is zero at −0.5." in claims
    assert "It may be zero at 2, which is not shown." in claims
    assert "Whether there are more roots is not shown." in claims
    assert "No root was found" in join_claims(find("minimize", settings, trials, {"roots": []}))
    assert "root" not in join_claims(find("minimize", {"variables": {"x": {}}}, trials, {"roots": []}))


def list_claims(**columns):
    settings = SETTINGS | columns.pop("settings", {})
    n = len(next(iter(columns.values())))
    findings = find_in_members(settings, make_members(["ok"] * n, **columns))
    return [(finding.standing, finding.claim, finding.evidence) for finding in findings[:-2]]


def test_fixed_points_are_those_that_were_found():
    found = list_claims(fixed_points=[1.0, 3.0], fixed_points_stable=[1.0, 2.0], fixed_points_singular=[0.0, 0.0])
    assert [row[:2] for row in found] == [("supported", "1 to 3 fixed points were found in each member, 1 to 2 of them stable.")]
    assert "there may be others" in found[0][2]
    assert list_claims(fixed_points=[0.0])[0][0] == "open"
    singular = list_claims(fixed_points=[9.0], fixed_points_stable=[0.0], fixed_points_singular=[9.0])
    assert singular[1][:2] == ("open", "In 1 of 1 members the stability of some is open.")


def test_a_periodic_orbit_has_the_digits_that_its_errors_support():
    column = {"orbit_period": [1.5586522107161747], "orbit_residual": [3e-11], "orbit_unit_error": [2e-6]}
    found = list_claims(**column, orbit_stability=["saddle"], orbit_status=["found"])
    assert [row[:2] for row in found] == [
        ("supported", "A periodic orbit was found in 1 of 1 members, of period 1.558652: 1 saddle."),
    ]
    assert "is off by at most 2e−6" in found[0][2]
    missing = list_claims(orbit_period=[math.nan] * 2, orbit_status=["not_converged", "equilibrium"])
    assert missing[0][:2] == ("open", "No periodic orbit was found in 2 of 2 members.")
    assert missing[0][2].startswith("1 with status equilibrium; 1 with status not_converged.")


def test_return_times_have_the_digits_that_their_error_supports():
    columns = {"return_time_mean": [0.7499101], "return_time_se": [0.00097], "return_time_min": [0.5], "return_time_max": [1.25]}
    found = list_claims(section_count=[2667.0], **columns)
    assert [row[1] for row in found] == ["The section is crossed 2667 times a member.", "A return takes 0.7499 ± 0.0010 on average."]
    assert list_claims(section_count=[0.0])[0][0] == "open"
    none = list_claims(section_count=[1.0], return_time_mean=[math.nan], return_time_se=[math.nan])
    assert none[1][:2] == ("open", "No member comes back to the section, so there is no return time.")


def test_a_quantity_that_drifts_more_than_the_tolerance_allows_is_not_conserved():
    settings = {"measure": {"energy": {"h": "x"}}}
    # A hundred steps of 1e-12, ten times over: 1e-9.
    found = list_claims(h_drift=[5e-10, 2e-9, math.nan], settings=settings)
    assert [row[0] for row in found] == ["supported", "failed", "open"]
    assert found[1][1] == "h is not conserved in 1 of 3 members."


def test_a_dimension_comes_with_its_error_or_the_reason_why_there_is_none():
    found = list_claims(correlation_dimension=[2.0613], correlation_dimension_se=[0.0195], correlation_dimension_status=["found"])
    assert found[0][1] == "The correlation dimension is 2.061 ± 0.019 in 1 of 1 members."
    none = list_claims(correlation_dimension=[math.nan], correlation_dimension_se=[math.nan], correlation_dimension_status=["at_rest"])
    assert none == [("open", "1 of 1 members have no correlation dimension.", "Status at_rest.")]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (2.0613, 0.0295, "2.06 ± 0.03"),
        (-14.5716, 0.0012, "−14.5716 ± 0.0012"),
        (12345.0, 300.0, "12300 ± 300"),
        (1.0, 3e-9, "1.000000000 ± 3e−9"),
        (0.0, 0.5, "0.0 ± 0.5"),
        (1.5, math.nan, "1.5, its error unknown"),
    ],
)
def test_a_value_is_rounded_where_its_error_begins(value, error, text):
    assert format_measured(value, error) == text


def test_past_the_horizon_averages_stay_meaningful():
    settings = SETTINGS | {"certify": {"method": "reference"}, "system": {"equations": {"x": "-x"}}}
    columns = {"reliable_until": [20.0] * 4, "reliable_censored": [False] * 4, "x_mean": [1.0, 1.2, 0.8, 1.0], "x_mean_se": [0.2] * 4}
    finding = find_in_members(settings, make_members(["ok"] * 4, **columns))[-2]
    # Members may have started close together, so four of them have no smaller an error than one.
    assert finding.claim == "What stays meaningful past the horizon are averages over time: x 1.0 ± 0.2."
    good = find_in_members(settings, make_members(["ok"] * 4, **columns | {"reliable_censored": [True] * 4}))
    assert not any("averages" in finding.claim for finding in good)
    swept = find_in_members(settings | {"sweep": {"r": [1, 2]}}, make_members(["ok"] * 4, **columns))[-2]
    assert "x_mean and x_mean_se" in swept.claim


def test_doubts_of_residuals_are_left_to_errors_that_allow_for_them():
    statistics = {"r_squared": 0.9, "breusch_pagan_p": 1e-4, "breusch_godfrey_p": 0.5, "jarque_bera_p": 0.4}
    terms = make_terms([1.0], [2.0], [15])
    assert "of uneven size (Breusch and Pagan), which the intervals do not allow for" in join_claims(find_in_terms(statistics, terms))
    assert "uneven size (Breusch" not in join_claims(find_in_terms(statistics | {"covariance": "HC3"}, terms))
    # Three tests share the 5 %.
    assert "uneven size" not in join_claims(find_in_terms(statistics | {"breusch_pagan_p": 0.02}, terms))


def test_shrunken_coefficients_claim_no_interval():
    statistics = {"method": "lasso", "terms_kept": 2, "cross_validated_error": 0.5, "penalty": 0.1, "folds": 5, "r_squared": 0.9}
    findings = find_in_terms(statistics, make_terms([math.nan], [math.nan]))
    assert list_standings(findings) == ["supported", "supported", "open"]
    assert "biased on purpose" in findings[-1].evidence


def test_a_family_is_judged_by_its_deviance():
    about = {"family": "poisson", "link": "log", "observations": 9, "degrees_of_freedom": 7, "overdispersion": 4.0}
    findings = find_in_terms(about | {"deviance_explained": 0.25}, make_terms([1.0], [2.0]))
    assert findings[0].claim == "The model takes up 25 % of the deviance (poisson with the link log)."
    assert "4 a degree of freedom" in findings[0].evidence


def find_in_curve(statistics, **columns):
    terms = pd.DataFrame({"term": ["a"], "estimate": [2.0], "std_error": [0.1], "certified_digits": [15], "at_bound": [False], **columns})
    return load_plugin("findings", "curve").find({}, terms, statistics)


def test_a_proven_minimum_is_not_sold_as_the_lowest():
    findings = find_in_curve({"converged": True, "alone_within_std_errors": 0.25, "errors_from": "hessian"})
    assert list_standings(findings) == ["supported", "supported", "open"]
    assert findings[1].claim == "At least 15 digits of every parameter and its error are right."
    assert "within 0.2 standard errors. The errors are those of the Hessian" in findings[1].evidence
    assert "lower is not proven" in findings[2].claim


def test_a_search_that_failed_claims_nothing():
    assert list_standings(find_in_curve({"converged": False, "message": "It ran out of steps."})) == ["failed"]


def test_a_parameter_at_its_bound_is_said_to_be_there():
    findings = find_in_curve({"converged": True, "at_bound": ["a"]}, at_bound=[True], certified_digits=[None])
    assert "beyond its bound" in findings[1].claim
    assert findings[2].standing == "open"


def make_starts(gaps, **columns):
    return make_trials([5.0 + gap for gap in gaps], ["converged"] * len(gaps), start=range(len(gaps)), gap_best_seen=gaps, **columns)


def test_the_success_of_starts_is_rated_with_wilsons_interval():
    # 10 of 10: the lower end is 1/(1 + z^2/10), 0 of 10: the upper one 1 less that (Wilson 1927).
    end = 1 / (1 + 1.959963984540054**2 / 10)
    assert find_interval(10, 10) == pytest.approx((end, 1), rel=1e-14)
    assert find_interval(0, 10) == pytest.approx((0, 1 - end), rel=1e-13)
    # Both ends solve (share - p)^2 = z^2 p (1 - p)/n.
    for p in find_interval(3, 20):
        assert (3 / 20 - p) ** 2 == pytest.approx(1.959963984540054**2 * p * (1 - p) / 20, rel=1e-12)


def test_a_start_is_a_success_within_a_relative_1e_6_and_a_failed_one_is_not():
    trials = make_starts([0.0, 4e-6, 6e-6, 1.0, 0.0, 0.0])
    trials["algorithm"] = ["a"] * 4 + ["b"] * 2
    trials.loc[5, "status"] = "failed"
    finding = next(f for f in find_in_trials(["x"], trials) if f.claim.startswith("Starts that reach"))
    assert finding.claim == "Starts that reach the best value seen: a 2 of 4 (15 % to 85 %); b 1 of 2 (9 % to 91 %)."
    assert finding.evidence.startswith("To within 1e−6 × max(1, |value|).")
    assert "Starts" not in join_claims(find_in_trials(["x"], trials.drop(columns="start")))


def test_starts_of_a_likelihood_are_a_success_within_a_tenth():
    trials = make_starts([0.0, 0.05, 0.2])
    squares, likelihood = ({"calibrate": {"parameters": {"x": {}}, **more}} for more in ({}, {"sigma": {"x": "estimated"}}))
    find = load_plugin("findings", "calibrate").find
    assert "a 1 of 3 (" in join_claims(find(squares, trials, {}))
    assert "a 2 of 3 (" in join_claims(find(likelihood, trials, {}))
