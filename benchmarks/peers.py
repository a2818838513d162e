"""The same trajectories by other software: each function takes a tolerance and returns what integrates Lorenz's system.

What it returns takes initial states of shape (n, 3) and times, and gives samples of shape (n, n_times, 3). Compiling comes before.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integrate = Callable[[Array, Array], Array]
SIGMA, RHO, BETA = 10.0, 28.0, 8 / 3


def slope(y: Array, _t: float) -> list[float]:
    """Return the time derivative."""
    return [SIGMA * (y[1] - y[0]), y[0] * (RHO - y[2]) - y[1], y[0] * y[1] - BETA * y[2]]


def odeint(tolerance: float) -> Integrate:
    """Loop over scipy's odeint, as most people do."""
    from scipy.integrate import odeint as solve

    return lambda initial, times: np.array([solve(slope, y, times, rtol=tolerance, atol=tolerance) for y in initial])


def solve_ivp(tolerance: float) -> Integrate:
    """Loop over scipy's solve_ivp with DOP853."""
    from scipy.integrate import solve_ivp as solve

    def integrate(initial: Array, times: Array) -> Array:
        options = {"method": "DOP853", "t_eval": times, "rtol": tolerance, "atol": tolerance}
        return np.array([solve(lambda t, y: slope(y, t), times[[0, -1]], y, **options).y.T for y in initial])

    return integrate


def numbalsoda_dop853(tolerance: float) -> Integrate:
    """Loop over numbalsoda's DOP853 inside a compiled function."""
    from numbalsoda import dop853

    return _numbalsoda(dop853, tolerance)


def numbalsoda_lsoda(tolerance: float) -> Integrate:
    """Loop over numbalsoda's LSODA inside a compiled function."""
    from numbalsoda import lsoda

    return _numbalsoda(lsoda, tolerance)


def _numbalsoda(solve: Callable[..., tuple[Array, bool]], tolerance: float) -> Integrate:
    import numba
    from numbalsoda import lsoda_sig

    @numba.cfunc(lsoda_sig)
    def right_hand_side(_t: float, y: Array, dy: Array, _p: Array) -> None:
        dy[0] = SIGMA * (y[1] - y[0])
        dy[1] = y[0] * (RHO - y[2]) - y[1]
        dy[2] = y[0] * y[1] - BETA * y[2]

    address = right_hand_side.address

    @numba.njit
    def integrate(initial: Array, times: Array) -> Array:
        samples = np.empty((len(initial), len(times), 3))
        for member in range(len(initial)):
            samples[member], _ = solve(address, initial[member], times, rtol=tolerance, atol=tolerance)
        return samples

    return integrate


def diffrax_dopri8(tolerance: float) -> Integrate:
    """Return diffrax's Dopri8, mapped over members."""
    import diffrax
    import jax

    jax.config.update("jax_enable_x64", True)
    term = diffrax.ODETerm(lambda t, y, _: jax.numpy.stack(slope(y, t)))
    control = diffrax.PIDController(rtol=tolerance, atol=tolerance)

    def solve(y: Array, times: Array) -> Array:
        saved = diffrax.SaveAt(ts=times)
        span = (times[0], times[-1], None)
        return diffrax.diffeqsolve(term, diffrax.Dopri8(), *span, y, saveat=saved, stepsize_controller=control, max_steps=None).ys

    mapped = jax.jit(jax.vmap(solve, in_axes=(0, None)))
    return lambda initial, times: np.asarray(mapped(initial, times))


def heyoka_batch(tolerance: float) -> Integrate:
    """Loop over heyoka's batches of eight with dense output."""
    import heyoka as hy

    x, y, z = hy.make_vars("x", "y", "z")
    equations = [(x, SIGMA * (y - x)), (y, x * (RHO - z) - y), (z, x * y - BETA * z)]
    integrator = hy.taylor_adaptive_batch(equations, np.zeros((3, 8)), tol=tolerance, force_avx512=True)

    def integrate(initial: Array, times: Array) -> Array:
        samples = np.empty((len(initial), len(times), 3))
        grid = np.repeat(times[:, None], 8, axis=1)
        for first in range(0, len(initial), 8):
            lanes = np.minimum(np.arange(first, first + 8), len(initial) - 1)
            integrator.set_time(times[0])
            integrator.state[:] = initial[lanes].T
            found = integrator.propagate_grid(grid)[1]
            samples[first : first + 8] = found.transpose(2, 0, 1)[: len(initial) - first]
        return samples

    return integrate
