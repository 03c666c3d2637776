"""How hard examples are: the error of one fixed model, which learned nothing."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from experiments.order import matched
from qdistill.forecast import cases, metrics
from qdistill.system import Propagator, System, rollout

# Difficulties at which the lessons are measured.
LEVELS = np.linspace(0.0, 1.0, 5)


def of_lessons(
    system: System, lessons: Sequence[str], n_case: int, n_frames: int, seed: int
) -> Float[np.ndarray, "n_lesson n_level n_case"]:
    """Return the relative L2 error of the fixed model on examples of each lesson and difficulty.

    All difficulties of a lesson share their random keys.

    Args:
      system: A one-dimensional system.
      lessons: Names of lessons.
      n_case: Number of examples.
      n_frames: Number of frames after the first; the error is their mean.
      seed: Random seed of the examples.
    """
    levels, drawn = jnp.asarray(LEVELS, float), []
    for i, name in enumerate(lessons):
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), i), n_case)

        def draw(level: Array, key: Array, name: str = name) -> tuple[Array, Array]:
            return system.sample(name, key, level)

        drawn.append(jax.jit(jax.vmap(jax.vmap(draw, (None, 0)), (0, None)))(levels, keys))
    psi, v = jax.tree.map(lambda *of: jnp.concatenate(of).reshape(-1, of[0].shape[-1]), *drawn)
    truth = cases.simulate(cases.exact(system, v), psi, v, 1, n_frames)
    errors = np.asarray(matched.measure_errors(matched.fixed_model(system), truth).nrmse, float)
    return errors.reshape(len(lessons), len(LEVELS), n_case)


def of_run(model: Propagator, frames: Complex[Array, "n_t n_x"], v: Array) -> Array:
    """Return the relative L2 error of the fixed model on one run, mean over its later frames."""
    forecast = rollout(model, frames[:1], v, len(frames) - 1)
    return jnp.mean(metrics.nrmse(forecast, frames[1:]))
