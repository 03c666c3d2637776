"""What was learned of two channels: masses, strengths, and the matrices in the kicks."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from experiments.tully.apart import Apart
from qdistill.students import Emulator, Splitting
from qdistill.teacher import schemes

# Momenta in 1/bohr at which masses are read, and the half-width of the fit of the group velocity.
AT, AROUND = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0), 2.0
N_FIT = 32


def measure(made: Emulator) -> dict[str, Any]:
    """Return everything that is read out of an emulator of two channels."""
    student, params = made.student, made.params
    assert isinstance(student, Splitting)
    sets = {"both": params}
    found: dict[str, Any] = {}
    if isinstance(student, Apart):
        sets = {"first": params, "second": params | params["second"]}
        found["strengths"] = dict(
            zip(("first", "second", "coupling"), map(float, params["strength"]), strict=True)
        )
    plain = Splitting(student.form, student.system)
    kept = ("landscape", "slope", "offset")
    masses = {}
    for name, of in sets.items():
        one: PyTree = {key: of[key] for key in kept}
        masses[name] = masses_of(plain, plain.dispersion(one))
    shared: PyTree = {key: params[key] for key in kept}
    return found | {"at": list(AT), "masses": masses, "kicks": kicks_of(plain, shared)}


def with_exact_waves(made: Emulator) -> Emulator:
    """Return an emulator with the kinetic phases of the solver in place of the learned ones.

    Its knots follow k^2 / 2 m exactly. What errors it still has, come from the kicks and from the
    form of the splitting.
    """
    student = made.student
    assert isinstance(student, Splitting)
    system, form = student.system, student.form
    at = student.network.knots()
    slope = at / system.grid.mass[0] * system.dt / form.n_pairs
    # Slopes are learned in units of |k| below 1/bohr.
    unit = np.minimum(at, 1.0) if form.smooth else np.ones_like(at)
    learned = np.divide(slope, unit, out=np.zeros_like(slope), where=unit > 0)
    rows = jnp.asarray(np.tile(learned, (len(made.params["slope"]), 1)), float)
    return student.bind(made.params | {"slope": rows, "offset": 0 * made.params["offset"]})


def masses_of(student: Splitting, omega: Float[np.ndarray, " n_k"]) -> list[float]:
    """Return k / (d omega / dk) at some momenta, from parabolas fitted around them."""
    k = student.system.grid.wavenumbers()
    masses = []
    for at in AT:
        near = np.abs(k - at) < AROUND
        _, slope, _ = np.polyfit(k[near] - at, omega[near], 2)[::1]
        masses.append(at / slope)
    return masses


def kicks_of(student: Splitting, params: PyTree) -> dict[str, Any]:
    """Return the share of the end kicks, and what the kicks add to V, over crossings.

    The sum of the kicks over dt, minus V, is fitted by multiples of the matrix (V')^2 / m and of
    V'' / m in units of h^2 / 24, where h is the duration of half a frame. `residual` is the part
    of it, in the mean square, that is neither; `size` its root mean square in hartree.
    """
    system = student.system
    h = system.dt / student.form.n_pairs
    shares = np.asarray(student.network.apply({"params": params}, method="shares"))
    keys = jax.random.split(jax.random.key(2**32 - 5), N_FIT)
    v = jax.vmap(lambda key: system.sample("crossing", key, 1.0)[1])(keys)
    of_x = jax.jit(jax.vmap(lambda v: student.network.apply({"params": params}, v)[0]))(v)
    matrices = np.asarray(of_x, float) / system.dt
    added = matrices.sum(axis=1) - np.asarray(v, float)
    regressors = [np.asarray(each, float) for each in jax.vmap(lambda v: _matrices(system, v))(v)]
    # The potentials jump at the ends of the box.
    away = slice(40, -40)
    columns = np.stack([each[..., away].ravel() for each in regressors], axis=1) * h**2 / 24
    target = added[..., away].ravel()
    fitted, *_ = np.linalg.lstsq(columns, target, rcond=None)
    rest = target - columns @ fitted
    square, curvature = map(float, fitted)
    end = float(shares[0])
    return {
        "end share": end,
        "square of slope": square,
        "curvature": curvature,
        "residual": float(rest @ rest / (target @ target)),
        "size": float(np.sqrt(np.mean(target**2))),
        # Of two pairs of equal drifts, in units of h^2 / 24; zero for the fourth order.
        "invariant": 1 + 48 * (end - 0.25) ** 2 + square,
    }


def _matrices(system: Any, v: Array) -> tuple[Array, Array]:
    """The matrices (V')^2 / m and V'' / m."""
    (dx,), (mass,) = system.grid.dx, system.grid.mass
    curvature = (jnp.roll(v, 1, -1) + jnp.roll(v, -1, -1) - 2 * v) / dx**2
    return schemes.between_channels(system.grid, v)[0], curvature / mass
