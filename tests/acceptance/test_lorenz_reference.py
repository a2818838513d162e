"""Lorenz from (1, 1, 1) against 25 digits at every whole time to t = 20."""

import numpy as np
import pandas as pd

from phaseflow.config import load_config
from phaseflow.plan import Plan
from tests.acceptance.reference import find_reference
from tests.contracts.small import make_tables


def test_the_default_solver_keeps_eight_digits_to_t_20(tmp_path):
    truth = pd.read_csv(find_reference("lorenz_reference_t0_20.csv"))
    (tmp_path / "config.yaml").write_text("simulate: {a: {system: lorenz63, time: {stop: 20, samples: 21}}}")
    make_tables(Plan(load_config(tmp_path / "config.yaml")), tmp_path)
    found = pd.read_parquet(tmp_path / "results/simulate/a/trajectories")
    assert found["t"].tolist() == truth["t"].tolist()
    errors = np.abs(found[["x", "y", "z"]].to_numpy() - truth[["x", "y", "z"]].to_numpy()).max(axis=1)
    assert errors[:11].max() < 1e-11
    assert errors.max() < 1e-8
