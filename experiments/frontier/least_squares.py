"""Distillation of an effective Hamiltonian from eigenstates by least squares, without descent.

The teacher gives the eigenstates of small boxes. The student's Hamiltonian is linear in its
parameters, so the error for each pair of eigenstates is linear too, and the best parameters solve a
small linear system.
"""

import dataclasses
import functools
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from qdistill import curriculum
from qdistill._checks import refuse, require_at_least, require_between, require_positive
from qdistill.physics.band import to_waves
from qdistill.physics.eigenstates import eigenstates
from qdistill.physics.grid import Grid
from qdistill.students import EffectiveHamiltonian, Emulator
from qdistill.system import System
from qdistill.training.boxes import cut_out


@dataclasses.dataclass(frozen=True)
class OperatorsConfig:
    """Settings of the boxes, and weights of their eigenstates.

    Attributes:
      lessons: Names of the lessons from whose potentials boxes are cut.
      n_boxes: Number of boxes.
      n_box: Points of a box.
      n_states: Number of eigenstates of a box, from the lowest; at most the number of waves.
      floor: Energy in hartree below which states have little weight.
      ceiling: Energy in hartree above which states have little weight.
      horizon: Time in atomic units over which errors accumulate.
      power: The sum of (error of a box)^(2 power) is minimised; with 1 the worst boxes dominate.
      ridge: Largest share of the ridge penalty in the least squares.
      n_passes: Number of reweighted solutions; `power` weights boxes by their previous errors.
    """

    lessons: tuple[str, ...] = ("potentials",)
    n_boxes: int = 256
    n_box: int = 256
    n_states: int = 44
    floor: float = 0.0
    ceiling: float = 12.0
    horizon: float = 20.0
    power: float = 0.7
    ridge: float = 1e-5
    n_passes: int = 6

    def __post_init__(self) -> None:  # noqa: D105
        for name in ("n_boxes", "n_box", "n_states", "n_passes"):
            require_at_least(1, **{name: getattr(self, name)})
        require_positive(horizon=self.horizon, power=self.power, ridge=self.ridge)
        require_positive(**{"ceiling - floor": self.ceiling - self.floor})


def equations(
    config: OperatorsConfig, student: EffectiveHamiltonian, v: Float[Array, "*n_box"]
) -> tuple[Float[Array, "n_pair n_weight"], Float[Array, " n_pair"]]:
    """Return the weighted linear equations of a box for the parameters.

    With p_n the part of eigenstate n in the band, the effective Hamiltonian should have
    <p_m|H|p_n> = (E_m + E_n) <p_m|p_n> / 2. To first order a deviation makes an error of psi that
    grows with time up to the horizon, or up to 1 / |E_m - E_n|.

    Args:
      config: Settings.
      student: A student on the grid of the box.
      v: Potential on that grid.
    """
    box, form = student.system.grid, student.form
    energies, states = eigenstates(box, v, config.n_states)
    p = jax.vmap(lambda psi: to_waves(student.band, psi + 0j).real)(states) / box.cell**0.5
    start = {"weights": jnp.zeros((form.n_fields, form.n_terms), v.dtype)}
    mean = (energies[:, None] + energies[None]) / 2
    missing = mean * (p @ p.T) - p @ student.hamiltonian(start, v) @ p.T
    gaps = energies[:, None] - energies[None]
    counts = jax.nn.sigmoid(config.ceiling - energies)
    counts *= jax.nn.sigmoid(4 * (energies - config.floor))
    weights = jnp.sqrt(counts[:, None] * counts[None] / (gaps**2 + config.horizon**-2))
    weights /= jnp.sqrt(jnp.sum(counts) + 1e-6)

    def answer(power: int, term: Array) -> Array:
        return p @ student.between_waves(term, power) @ p.T

    terms = student.terms(v)
    answers = jnp.concatenate(
        [jax.lax.map(functools.partial(answer, power), terms) for power in range(form.n_fields)]
    )
    return (weights[None] * answers).reshape(len(answers), -1).T, (weights * missing).ravel()


def fit(
    config: OperatorsConfig, student: EffectiveHamiltonian, key: Key[Array, ""]
) -> tuple[PyTree, dict[str, Any]]:
    """Return the parameters of a student that fit random boxes best.

    Args:
      config: Settings of the boxes.
      student: A student on a line or in a square box; the boxes have its spacing.
      key: Random key of the potentials.

    Returns:
      The parameters, and root-mean-square errors of the boxes before and after: to first order, the
      predicted relative error of a packet there at the horizon.

    Raises:
      ValueError: For a student without fields, boxes that do not fit into the grid, or more states
        than waves.
    """
    form, grid = student.form, student.system.grid
    require_at_least(1, n_fields=form.n_fields)
    require_between(4, grid.shape[0], n_box=config.n_box)
    boxed = student.on(box_of(grid, config.n_box))
    if config.n_states > boxed.band.n_wave:
        wanted = f"at most {boxed.band.n_wave}, the waves of the band"
        refuse("n_states", wanted, config.n_states)
    v = sample_boxes(config, student.system, key)

    def box(v: Float[Array, "*n_box"]) -> tuple[Array, Array, Array]:
        a, b = equations(config, boxed, v)
        return a.T @ a, a.T @ b, b @ b

    parts = jax.jit(lambda v: jax.lax.map(box, v))(v)
    normal = tuple(np.asarray(part, float) for part in parts)
    weights, errors = _solve(config, *normal)
    report = {
        "n_boxes": config.n_boxes,
        "foretold_error_before": float(np.sqrt(normal[2].mean())),
        "foretold_error": float(np.sqrt(errors.mean())),
    }
    shape = (form.n_fields, form.n_terms)
    return {"weights": jnp.asarray(weights.reshape(shape), float)}, report


def distil(
    config: OperatorsConfig, student: EffectiveHamiltonian, key: Key[Array, ""]
) -> tuple[Emulator, dict[str, Any]]:
    """Return the emulator that fits random boxes best, and its report with weights and seconds.

    Raises:
      ValueError: If `fit` raises it.
    """
    start = time.perf_counter()
    params, report = fit(config, student, key)
    weights = np.asarray(params["weights"]).tolist()
    seconds = time.perf_counter() - start
    return student.bind(params), report | {"training_seconds": seconds, "weights": weights}


def box_of(grid: Grid, n_box: int) -> Grid:
    """Return a box with a number of points along each axis and the grid's spacing."""
    lengths = tuple(n_box * dx for dx in grid.dx)
    return Grid((n_box,) * grid.n_dim, lengths, grid.dispersion, grid.origin, grid.mass)


def sample_boxes(
    config: OperatorsConfig, system: System, key: Key[Array, ""]
) -> Float[Array, "n_boxes *n_box"]:
    """Sample potentials of random lessons, all with equal probability.

    On a line boxes are cut out of long potentials; in two dimensions lessons fit into any box.
    """
    is_line = system.grid.n_dim == 1
    box = dataclasses.replace(system, grid=box_of(system.grid, config.n_box))

    def sample(key: Key[Array, ""], share: Array) -> Array:
        key_lesson, key_cut = jax.random.split(key)
        room = system if is_line else box
        _, (_, v) = curriculum.sample(key_lesson, room, config.lessons, share, 1.0)
        return cut_out(key_cut, v, config.n_box) if is_line else v

    keys, share = jax.random.split(key, config.n_boxes), jnp.ones(len(config.lessons))
    return jax.jit(jax.vmap(sample, (0, None)))(keys, share)


def _solve(
    config: OperatorsConfig, squares: np.ndarray, products: np.ndarray, before: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The least-squares solution over all boxes, and the squared error of each box."""
    counts = np.ones(len(before))
    for _ in range(config.n_passes):
        matrix = np.tensordot(counts, squares, 1)
        scale = np.sqrt(np.diag(matrix)) + 1e-30
        matrix = matrix / scale / scale[:, None] + config.ridge * np.eye(len(scale))
        x = np.linalg.solve(matrix, counts @ products / scale) / scale
        errors = np.maximum(before - 2 * products @ x + squares @ x @ x, 0)
        counts = (errors + 1e-4) ** (config.power - 1)
    return x, errors
