"""Gauss-Newton steps: their normal equations by another way, and what a few steps reach."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from jaxtyping import PyTree

from experiments.corrections import optimisers
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.physics.eigenstates import eigenstates
from qdistill.physics.grid import Grid
from qdistill.students import Splitting, UnitaryConfig
from qdistill.students.unitary import SplittingPhases
from qdistill.system import System
from qdistill.teacher import chebyshev
from qdistill.training import (
    BatchConfig,
    Stage,
    TrainingConfig,
    _gauss_newton,
    fit,
    make_trainers,
)
from qdistill.training.boxes import Spectra, SpectraConfig

LINE = System(Grid(64, 6.25), bounds=(-16.0, 16.0))
BOXES = SpectraConfig(n_box=32, n_states=8, horizon=20)
FORM = UnitaryConfig(start="informed", kinetic_cap=30.0, reach=2, n_units=3)
STAGE = Stage(
    n_steps=6,
    batches=BatchConfig(n_batch=8, n_block=2, n_runs=8, examples="spectra", spectra=BOXES),
    optimiser="gauss-newton",
)


def spectra(rng: np.random.Generator) -> Spectra:
    v = jnp.asarray(5 * rng.normal(size=32).cumsum() / 4, float)
    energies, states = eigenstates(Grid(32, 3.125), v, BOXES.n_states)
    return Spectra(energies[None], states[None], v[None], jnp.zeros(1, int))


def waves(student: Splitting, params: PyTree) -> jax.Array:
    """The weighted errors of plane waves over 200 frames, and phases that are out of bounds."""
    phases = student.network.apply({"params": params}, (64,), method=SplittingPhases.kinetic_phases)
    kinetic, largest = LINE.grid.kinetic_energy()[:33], 2 * np.pi - 16 * LINE.dt
    phases = jnp.sum(jnp.asarray(phases), axis=0)[:33]
    weights = 1 / (1 + np.exp(kinetic - BOXES.ceiling))
    weights += 0.003 / (1 + np.exp(kinetic - 0.9 * largest / LINE.dt))
    n_frames = 10 * BOXES.horizon
    errors = n_frames * np.sqrt(2 * weights / weights.sum()) * (phases - kinetic * LINE.dt)
    outside = jnp.maximum(phases - largest, 0)
    outside -= jnp.maximum(0.9 * largest - phases, 0) * (kinetic * LINE.dt > 0.9 * largest)
    return jnp.concatenate([errors, outside / 33**0.5])


@pytest.mark.parametrize("n_pairs", [1, 2, 3])
def test_normal_equations_are_those_of_residuals_in_the_students_eigenbasis(n_pairs: int) -> None:
    student = Splitting(dataclasses.replace(FORM, n_pairs=n_pairs), LINE)
    flat, unravel = ravel_pytree(jax.jit(student.init)(jax.random.key(0)))
    rng = np.random.default_rng(n_pairs)
    flat, examples = flat + jnp.asarray(rng.normal(0, 0.1, flat.shape), float), spectra(rng)
    energies, states, v = (leaf[0] for leaf in examples[:3])
    boxed, turns = student.on(Grid(32, 3.125)), np.exp(-1j * LINE.dt * np.asarray(energies))

    def frames(flat: jax.Array, psi: jax.Array) -> jax.Array:
        return jax.vmap(boxed.step(unravel(flat), v).advance)(psi + 0j)

    own_turns, own = np.linalg.eig(np.asarray(jax.jit(frames)(flat, jnp.eye(32))).T)
    weights = 1 / (1 + np.exp(energies - BOXES.ceiling)) / (1 + np.exp(-4 * np.asarray(energies)))
    weights = (weights / weights.sum())[:, None] / (
        np.abs(own_turns - turns[:, None]) ** 2 + BOXES.horizon**-2
    )

    def residuals(flat: jax.Array) -> jax.Array:
        errors = (frames(flat, states) - turns[:, None] * states) @ own.conj()
        errors = (np.sqrt(weights) * errors).ravel()
        return jnp.concatenate([errors.real, errors.imag])

    problem = _gauss_newton.least_squares(student, BOXES)
    normal = jax.jit(problem.normal)(unravel(flat), examples)

    def together(flat: jax.Array) -> jax.Array:
        return jnp.concatenate([residuals(flat), waves(student, unravel(flat))])

    jacobian, errors, of_boxes = jax.jit(
        lambda flat: (jax.jacfwd(together)(flat), together(flat), residuals(flat))
    )(flat)
    size = float(jnp.max(jnp.abs(jacobian.T @ jacobian)))
    assert normal.each[0] == pytest.approx(float(jnp.sum(of_boxes**2)), rel=1e-3)
    assert normal.loss == pytest.approx(float(jnp.sum(errors**2)), rel=1e-3)
    loss = jax.jit(problem.loss)(unravel(flat), examples, normal.weights)
    assert loss == pytest.approx(float(normal.loss), rel=1e-3)
    np.testing.assert_allclose(normal.matrix, jacobian.T @ jacobian, atol=1e-3 * size)
    wanted = jacobian.T @ errors
    np.testing.assert_allclose(normal.gradient, wanted, atol=1e-3 * float(jnp.max(jnp.abs(wanted))))


def test_plane_waves_turn_the_other_way_backwards_in_time() -> None:
    """The same errors and bounds for phases of the other sign: those of the informed start."""
    flat = []
    for dt in (LINE.dt, -LINE.dt):
        student = Splitting(FORM, dataclasses.replace(LINE, dt=dt))
        problem = _gauss_newton._Problem(student, BOXES, 1.0)
        params = jax.jit(student.init)(jax.random.key(0))
        flat.append(np.asarray(problem._in_empty_space(params)))
    n_half = len(flat[0]) // 2
    np.testing.assert_allclose(flat[1][:n_half], -flat[0][:n_half], atol=1e-4)
    np.testing.assert_allclose(flat[1][n_half:], flat[0][n_half:], atol=1e-4)


def test_a_power_below_one_gives_less_weight_to_boxes_of_large_losses() -> None:
    student = Splitting(FORM, LINE)
    flat, unravel = ravel_pytree(jax.jit(student.init)(jax.random.key(0)))
    rng = np.random.default_rng(0)
    boxes = [spectra(rng) for _ in range(3)]
    plain = jax.jit(_gauss_newton.least_squares(student, BOXES).normal)
    alone = [plain(unravel(flat), box) for box in boxes]
    together = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *boxes)
    of_power = _gauss_newton.least_squares(student, BOXES, power=0.4)
    found = jax.jit(of_power.normal)(unravel(flat), together)
    each = np.array([normal.each[0] for normal in alone])
    weights = (each / np.median(each) + 0.3) ** -0.6
    assert max(each) > 2 * min(each)
    np.testing.assert_allclose(found.weights, weights, rtol=1e-3)
    slopes = jax.jit(jax.jacfwd(lambda flat: waves(student, unravel(flat))))(flat)
    in_space = slopes.T @ slopes
    in_boxes = sum(
        weight * (normal.matrix - in_space) for weight, normal in zip(weights, alone, strict=True)
    )
    size = float(jnp.max(jnp.abs(found.matrix)))
    np.testing.assert_allclose(found.matrix, in_boxes / 3 + in_space, atol=1e-3 * size)


def test_a_stage_of_six_steps_learns() -> None:
    student = Splitting(FORM, LINE)
    plan = TrainingConfig((STAGE,), checkpoint_every=2)
    lessons = CurriculumConfig(lessons=("barrier",))
    trainers = make_trainers(student, chebyshev(LINE, 1e-6), lessons, plan)
    state = trainers[0].init(jax.random.key(0))
    losses = [metrics["loss"] for _, metrics in fit(trainers, plan.boundaries, state)]
    assert losses[-1] < losses[0] / 2


def test_boxes_of_a_student_from_scratch_are_smoothed() -> None:
    lessons = CurriculumConfig(lessons=("barrier",))
    plan = TrainingConfig((STAGE,), checkpoint_every=2)
    steepest = {}
    for start in ("nothing", "informed"):
        student = Splitting(dataclasses.replace(FORM, start=start), LINE)
        (trainer,) = make_trainers(student, chebyshev(LINE, 1e-6), lessons, plan)
        v = trainer.make_block(trainer.init(jax.random.key(0))).spectra.v
        steepest[start] = np.max(np.abs(np.diff(v, axis=1)), axis=1)
    # The same edges, but for those that are smoothed.
    is_gentler = steepest["nothing"] < 0.9 * steepest["informed"]
    assert 0 < is_gentler.sum() < len(is_gentler)
    np.testing.assert_allclose(
        steepest["nothing"][~is_gentler], steepest["informed"][~is_gentler], rtol=1e-3
    )


def test_a_step_that_raises_the_loss_is_not_taken() -> None:
    student = Splitting(FORM, LINE)
    params = jax.jit(student.init)(jax.random.key(0))
    examples = spectra(np.random.default_rng(0))
    problem = _gauss_newton.least_squares(student, BOXES)
    wrong = problem._replace(
        normal=lambda *given: (found := problem.normal(*given))._replace(gradient=-found.gradient)
    )
    past = _gauss_newton.no_steps(params)
    same, kept, _ = jax.jit(lambda p, s: _gauss_newton.step(wrong, p, past, 0.5, s))(
        params, examples
    )
    jax.tree.map(np.testing.assert_array_equal, same, params)
    assert kept.damping == pytest.approx(0.4)


def test_a_step_is_divided_by_the_normal_matrices_of_all_batches() -> None:
    """Each older one has half the weight of the next."""
    student = Splitting(FORM, LINE)
    params, rng = jax.jit(student.init)(jax.random.key(0)), np.random.default_rng(0)
    problem = _gauss_newton.least_squares(student, BOXES)
    step, normal = (
        jax.jit(f) for f in (functools.partial(_gauss_newton.step, problem), problem.normal)
    )
    past, matrix = _gauss_newton.no_steps(params), np.zeros(())
    for _ in range(3):
        # With so much damping every step lowers the loss.
        examples, past = spectra(rng), past._replace(damping=jnp.array(10.0))
        found = normal(params, examples)
        matrix = 0.5 * matrix + np.asarray(found.matrix, float)
        new, past, _ = step(params, past, 0.5, examples)
        size = float(np.max(np.abs(matrix)))
        np.testing.assert_allclose(past.matrix, matrix, atol=1e-4 * size)
        diagonal = np.maximum(np.diag(matrix), 1e-7 * np.max(np.diag(matrix)))
        wanted = -np.linalg.solve(matrix + 10 * np.diag(diagonal), found.gradient)
        change = ravel_pytree(new)[0] - ravel_pytree(params)[0]
        np.testing.assert_allclose(change, wanted, atol=2e-3 * np.max(np.abs(wanted)))
        params = new


def test_other_students_and_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="`student` must be a reversible splitting on a line"):
        _gauss_newton.least_squares(
            Splitting(UnitaryConfig(reversible=False), LINE), SpectraConfig()
        )
    with pytest.raises(ValueError, match="`examples` must be spectra for Gauss-Newton steps"):
        dataclasses.replace(STAGE, batches=BatchConfig(n_block=2))
    with pytest.raises(ValueError, match="`relative` must be False for Gauss-Newton steps"):
        dataclasses.replace(STAGE, relative=True)


@pytest.mark.parametrize("kind", [_gauss_newton._Problem, optimisers._Untold])
def test_adam_in_the_study_follows_the_gradient_of_the_same_loss(kind: type) -> None:
    student = Splitting(FORM, LINE)
    flat, unravel = ravel_pytree(jax.jit(student.init)(jax.random.key(0)))
    rng = np.random.default_rng(0)
    flat, examples = flat + jnp.asarray(rng.normal(0, 0.1, flat.shape), float), spectra(rng)
    problem, params = kind(student, BOXES, 0.5), unravel(flat)
    loss, slopes = jax.jit(jax.value_and_grad(optimisers.loss(problem)))(params, examples)
    normal, gradient = jax.jit(problem.normal)(params, examples), ravel_pytree(slopes)[0]
    expected = 2 * np.asarray(normal.gradient)
    assert np.linalg.norm(gradient - expected) < 1e-3 * np.linalg.norm(expected)
    assert float(loss) == pytest.approx(float(normal.loss), rel=1e-4)
