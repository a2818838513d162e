"""How often 95 % intervals of a diffusion cover, over simulated series: by default 1,000 of each length.

Run from the checkout: python benchmarks/interval_coverage.py [series]
"""

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from phaseflow.errors import DataError
from phaseflow.models._prices import fit_geometric
from phaseflow.models._reverting import fit_reverting
from phaseflow.models._series import Array, Calibrated

KAPPA, THETA, SIGMA = 1.0, 0.5, 0.4
Z = 1.959964


def draw_reverting(rng: np.random.Generator, n: int, dt: float) -> Array:
    """Return a stationary series."""
    slope = math.exp(-KAPPA * dt)
    spread = SIGMA / math.sqrt(2 * KAPPA)
    kicks = rng.standard_normal(n) * spread * math.sqrt(1 - slope**2)
    kicks[0] = rng.standard_normal() * spread
    return THETA + lfilter([1.0], [1.0, -slope], kicks)


def cover(series: Sequence[Array], truth: Sequence[float], fit: Callable[[Array], Calibrated]) -> Array:
    """Return the shares of intervals that hold the truth; a series that cannot be fitted counts as a miss."""
    hits = np.zeros(3)
    for values in series:
        try:
            found = fit(values)
        except DataError:
            continue
        intervals = found.intervals or [(e - Z * s, e + Z * s) for e, s in zip(found.estimates, found.errors, strict=True)]
        hits += [low <= true <= high for (low, high), true in zip(intervals, truth, strict=True)]
    return hits / len(series)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    rng = np.random.default_rng(0)
    for relaxations, n in ((5, 100), (10, 100), (20, 100), (100, 500), (200, 1_000)):
        dt = relaxations / n
        series = [draw_reverting(rng, n + 1, dt) for _ in range(count)]
        shares = cover(series, (KAPPA, THETA, SIGMA), lambda v, dt=dt: fit_reverting([v], dt, ["k", "t", "s"], "series", 0.95, 199, rng))
        print(
            f"Ornstein-Uhlenbeck, kappa T = {relaxations}: kappa {shares[0]:.3f}, theta {shares[1]:.3f}, sigma {shares[2]:.3f}", flush=True
        )
    for n in (20, 250):
        steps = 0.05 / 252 + 0.2 / math.sqrt(252) * rng.standard_normal((count, n))
        series = [100 * np.exp(np.concatenate([[0.0], np.cumsum(row)])) for row in steps]
        shares = cover(series, (0.07, 0.2, 0.05), lambda v: fit_geometric([v], 1 / 252, ["mu", "sigma"], "series", 0.95))
        print(f"geometric Brownian motion, {n} steps: mu {shares[0]:.3f}, sigma {shares[1]:.3f}, growth {shares[2]:.3f}", flush=True)
