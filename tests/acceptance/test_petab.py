"""A problem of the PEtab benchmark collection: the published likelihood, and a multistart from the whole bounds."""

import numpy as np
import pytest

from phaseflow.config import load_config
from phaseflow.plan import Plan
from phaseflow.plugins import load_plugin
from phaseflow.problems._posterior import Posterior
from tests.acceptance.reference import find_reference

# Boehm et al. (2014), J. Proteome Res. 13, 5685-5694; the log-likelihood of the collection's own table.
PUBLISHED = 138.22199


@pytest.fixture(scope="module")
def solve(tmp_path_factory):
    path = find_reference("petab/Boehm_JProteomeRes2014") / "Boehm_JProteomeRes2014.yaml"
    config_path = tmp_path_factory.mktemp("boehm") / "config.yaml"
    config_path.write_text(f"seed: 1\noptimize: {{boehm: {{calibrate: {{petab: {path}}}, sweep: {{starts: 100}}}}}}")
    config = load_config(config_path)
    return load_plugin("problems", "calibrate").prepare(config.studies["boehm"], Plan(config).reads("optimize", "boehm"))


def test_the_likelihood_at_the_nominal_parameters_is_the_published_one(solve):
    place = solve.sought.to_scale(solve.sought.start)
    assert Posterior(solve.model, solve.misfit).find_value(place) == pytest.approx(PUBLISHED, abs=1e-4)


def test_some_of_the_first_starts_from_the_whole_bounds_reach_it(solve):
    values = [solve({"start": number, "algorithm": "gauss_newton"}, np.random.default_rng(0)).value for number in range(1, 5)]
    assert min(values) == pytest.approx(PUBLISHED, abs=1e-3)
