"""In how many of 20 seeds Lorenz's equations are found with 5 % of noise: the seven terms, coefficients within 5 %.

Run from the checkout: python benchmarks/discovery.py
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from phaseflow.catalogues import Catalogue
from phaseflow.models.discover import MODEL
from phaseflow.seeds import open_stream
from phaseflow.settings.fits import Fit

SEEDS = 20


def simulate(start: Sequence[float]) -> pd.DataFrame:
    """Return ten time units of Lorenz's system at dt 0.01."""
    times = np.linspace(0, 10, 1_001)

    def slope(_t: float, u: Any) -> tuple[float, float, float]:
        return 10 * (u[1] - u[0]), u[0] * (28 - u[2]) - u[1], u[0] * u[1] - 8 / 3 * u[2]

    values = solve_ivp(slope, (0, 10), start, method="DOP853", rtol=1e-12, atol=1e-12, t_eval=times).y.T
    return pd.DataFrame(values, columns=list("xyz")).assign(t=times)


def is_found(table: pd.DataFrame, seed: int) -> bool:
    """Tell whether one seed's fit has the true terms and coefficients."""
    truth = Catalogue()["lorenz63"].model_dump(mode="json", exclude_none=True)
    fit = Fit.model_validate({"discover": {"ensemble": 0}, "noise": 0.05, "to": "data.lorenz", "truth": truth})
    about = MODEL.fit(fit, table, "lorenz", open_stream(seed, 1)).statistics
    return not about["terms_missing"] and not about["terms_false"] and about["largest_relative_error"] < 0.05


if __name__ == "__main__":
    first = simulate((1, 1, 1))
    settled = simulate(simulate(simulate((1, 1, 1))[list("xyz")].iloc[-1])[list("xyz")].iloc[-1])
    for name, table in (("(1, 1, 1)", first), ("the attractor", settled)):
        begun = time.process_time()
        found = sum(is_found(table, seed) for seed in range(SEEDS))
        print(f"from {name}: {found} of {SEEDS} seeds, {(time.process_time() - begun) / SEEDS:.1f} s of processor each")
