"""Null models of students that are not unitary: trivial forecasts, and disturbed exact steps."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex

from experiments.tully import passages as moving
from experiments.tully.passages import Model, Passages
from qdistill.insight import harness
from qdistill.insight.harness import Disturbed
from qdistill.physics import channels
from qdistill.students import Emulator

# Development cases on which errors are matched, and their frames: fewer than it takes to diverge.
N_CASES, N_FRAMES = 16, 10
TRIVIAL = {
    "without coupling": "the exact passage, with the coupling switched off",
    "adiabatic": "the passage without transitions between adiabatic states",
    "free": "free flight, without the potential",
}


def trivial(name: str, model: Model, of: Passages) -> Complex[Array, "n_case n_segment 2 n_x"]:
    """Return the frames of a forecast of `TRIVIAL`."""
    exact, psi, v = moving.exact(model), of.psi, jnp.zeros_like(of.v)
    if name == "without coupling":
        v = jnp.eye(2, dtype=v.dtype)[..., None] * of.v
    if name == "adiabatic":
        v = jnp.eye(2, dtype=v.dtype)[..., None] * channels.adiabatic(of.v).energies[:, None]
        psi = jnp.einsum("acx,ncx->nax", of.states.conj(), psi)
    frames = moving.evolve(exact, psi, v, of.longest)
    if name == "adiabatic":
        frames = jnp.einsum("acx,nsax->nscx", of.states, frames)
    return frames


def disturb(made: Emulator, seed: int) -> Disturbed:
    """Return the exact step plus a random network of the same form, of the error of an emulator.

    Errors are matched over a few frames of single crossings, which are not those of the training.
    """
    system = dataclasses.replace(made.system, bounds=None)
    keys = jax.random.split(jax.random.key(2**32 - 7), N_CASES)
    psi, v = jax.vmap(lambda key: system.sample("crossing", key, 1.0))(keys)
    exact = harness.solve_exactly(system, (-0.25, 0.25))
    return harness.disturb(made, exact, psi, v, N_FRAMES, jax.random.key(seed))


def on(null: Disturbed, model: Model) -> Disturbed:
    """Return a disturbed step in the box of a model."""
    exact = moving.exact(model, null.system.dt)
    assert isinstance(null.network, Emulator)
    return dataclasses.replace(null, exact=exact, network=null.network.on(model.grid))
