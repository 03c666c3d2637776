"""What matters in the training of `demo-newton`: its steps, or what its loss tells.

`python experiments/corrections/optimisers.py` goes on from the first stage of the preset in several
ways, five seeds each: by Gauss-Newton steps whose loss has no plane waves, so that the kinetic
energy is not given, and by Adam on the same boxes and loss, with and without plane waves. Smoothed
boxes are among the boxes of all.
"""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PyTree

from experiments import runner
from experiments.corrections import figure, splittings, study, unsmoothed
from experiments.corrections.bench import Bench, Sizes
from qdistill._checks import require_at_least, require_one_of
from qdistill.runs import folder
from qdistill.runs.config import Config
from qdistill.students import Splitting as Student
from qdistill.training import _gauss_newton
from qdistill.training._gauss_newton import LeastSquares
from qdistill.training.boxes import Spectra
from qdistill.training.loop import Trainer, TrainState, fit
from qdistill.training.stages import Stage

NEWTON, ADAM, UNTOLD = "Gauss-Newton", "Adam", ", kinetic energy not given"
WAYS = (NEWTON, NEWTON + UNTOLD, ADAM, ADAM + UNTOLD)
# Boxes of a step of Adam; a block of boxes of the preset has ten such batches.
N_BATCH = 8


@dataclasses.dataclass(frozen=True)
class Args:
    """Read the correction of trainings that go on from one stage in several ways."""

    ways: tuple[str, ...] = (NEWTON + UNTOLD, ADAM)
    """Ways to go on; that of the preset, Gauss-Newton, is read by `from_scratch.py`."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of the trainings."""
    n_blocks: int = 300
    """Blocks of boxes for Adam, each of ten steps; those of Gauss-Newton steps are the preset's."""
    peak_rate: float = 3e-3
    """Largest rate of Adam; it rises linearly and falls as a cosine to a 300th."""
    sizes: Sizes = dataclasses.field(default_factory=Sizes)
    """Sizes of the test sets."""
    beside: pathlib.Path = pathlib.Path("runs/from_scratch-newton/metrics.json")
    """Numbers of trainings of the preset, which the figure shows too if the file exists."""
    kept: pathlib.Path = pathlib.Path("runs/optimisers-measured")
    """Folder of what was measured, which is not repeated."""
    out: pathlib.Path = pathlib.Path("runs/optimisers")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    sizes = Sizes(2, 2, 5, 10, 2, 2, edges=(0.0,))
    ways = (NEWTON + UNTOLD, ADAM)
    return dataclasses.replace(
        args, ways=ways, seeds=(0, 1), n_blocks=2, sizes=sizes, kept=args.out / "measured"
    )


def read(args: Args) -> runner.Results:
    """Train and read every seed in every way."""
    require_at_least(2, seeds=len(args.seeds))
    require_at_least(1, n_blocks=args.n_blocks)
    for way in args.ways:
        require_one_of(WAYS, ways=way)
    config = unsmoothed.config_of(unsmoothed.Args(smoke=args.smoke))
    bench = Bench(args.sizes, args.kept)
    rows: dict[str, dict[str, Any]] = {way: {} for way in args.ways}
    for seed in args.seeds:
        for way in args.ways:
            name = f"{way}-{args.n_blocks}-{args.peak_rate:g}-seed{seed}".replace(" ", "-")
            found = bench.keep(name, measure, config, way, seed, args)
            rows[way][f"seed {seed}"] = found
            errors = ", ".join(f"{kind} {error:.1e}" for kind, error in found["error"].items())
            gradient = found["ensembles"]["medium"]["gradient"]
            shares = f"share {found['shares'][0]:.3f}, (V')^2 {gradient:.2f}"
            print(f"{way}, seed {seed}: {shares}, {errors}", flush=True)
    results = {
        "unit": "h^2 / 24 with h = dt / n_pairs",
        "versions": {
            way: {"trainings": each, **unsmoothed.answer(each)} for way, each in rows.items()
        },
    }
    ways = dict(rows)
    if args.beside.exists():
        preset = json.loads(args.beside.read_text())["trainings"]
        ways = {f"{NEWTON}, kinetic energy given": preset, **rows}
    drawn = {"ways": figure.plot_ways(ways)}
    return runner.Results(runner.rounded(results), unsmoothed.table(results), drawn)


def measure(config: Config, way: str, seed: int, args: Args, bench: Bench) -> dict[str, Any]:
    """Return what one training learned, and its errors."""
    student = folder.set_up(config).student
    assert isinstance(student, Student)
    made = splittings.of_parameters(student, train(config, way, seed, args))
    return study.measure(made, bench) | {"error": unsmoothed.errors(made, bench)}


def train(config: Config, way: str, seed: int, args: Args) -> PyTree:
    """Return the parameters after the first stage of the preset and one way to go on."""
    setup = folder.set_up(config)
    first, *others = setup.trainers
    n_first = config.training.boundaries[0]
    state = first.init(jax.random.key(seed))
    for last, _ in fit((first,), [n_first], state):
        state = last
    stages = config.training.stages[1:]
    if way.startswith(NEWTON):
        for stage, trainer in zip(stages, others, strict=True):
            state = _by_newton(setup.student, stage, trainer, state, UNTOLD in way)
        return state.params
    return _by_adam(setup.student, stages[-1], others[-1], state, UNTOLD in way, args)


class _Untold(_gauss_newton._Problem):
    """The least squares without plane waves, but with the bounds of phases out of resonance."""

    def _in_empty_space(self, params: PyTree) -> Array:
        return super()._in_empty_space(params)[self.n_half :]


@functools.cache
def _problem(student: Student, stage: Stage, is_untold: bool) -> _gauss_newton._Problem:
    kind = _Untold if is_untold else _gauss_newton._Problem
    return kind(student, stage.batches.spectra, stage.power)


def _by_newton(
    student: Any, stage: Stage, trainer: Trainer, state: TrainState, is_untold: bool
) -> TrainState:
    """The state after the steps of a stage."""
    step = _newton_step(student, stage, is_untold)
    past = _gauss_newton.no_steps(state.params)
    for _ in range(stage.n_steps):
        spectra = trainer.make_block(state).spectra
        params, past = step(state.params, past, spectra)
        state = state._replace(step=state.step + 1, params=params)
    return state


@functools.cache
def _newton_step(student: Student, stage: Stage, is_untold: bool) -> Callable:
    problem = _problem(student, stage, is_untold)
    squares = LeastSquares(problem.loss, problem.normal)

    @jax.jit
    def step(params: PyTree, past: Any, spectra: Spectra) -> tuple[PyTree, Any]:
        return _gauss_newton.step(squares, params, past, stage.memory, spectra)[:2]

    return step


def _by_adam(
    student: Any, stage: Stage, trainer: Trainer, state: TrainState, is_untold: bool, args: Args
) -> PyTree:
    """The parameters after the blocks of Adam."""
    block_of_steps, optimiser = _adam_steps(
        student, stage, is_untold, args.n_blocks, args.peak_rate
    )
    opt_state = optimiser.init(state.params)
    for _ in range(args.n_blocks):
        spectra = trainer.make_block(state).spectra
        params, opt_state = block_of_steps(state.params, opt_state, spectra)
        state = state._replace(step=state.step + 1, params=params)
    return state.params


@functools.cache
def _adam_steps(
    student: Student, stage: Stage, is_untold: bool, n_blocks: int, peak_rate: float
) -> tuple[Callable, optax.GradientTransformation]:
    """The steps of one block, and the optimiser."""
    problem = _problem(student, stage, is_untold)
    n_batch = min(N_BATCH, stage.batches.n_runs)
    n_each = stage.batches.n_runs // n_batch
    n_steps = n_blocks * n_each
    rate = optax.warmup_cosine_decay_schedule(
        peak_rate / 300, peak_rate, n_steps // 20, n_steps, peak_rate / 300
    )
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate, b2=0.99))

    def one(carry: tuple[PyTree, Any], spectra: Spectra) -> tuple[tuple[PyTree, Any], None]:
        params, opt_state = carry
        gradient = jax.grad(loss(problem))(params, spectra)
        updates, opt_state = optimiser.update(gradient, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), None

    @jax.jit
    def block(params: PyTree, opt_state: Any, spectra: Spectra) -> tuple[PyTree, Any]:
        batches = jax.tree.map(
            lambda leaf: leaf[: n_each * n_batch].reshape(n_each, n_batch, *leaf.shape[1:]), spectra
        )
        return jax.lax.scan(one, (params, opt_state), batches)[0]

    return block, optimiser


def loss(problem: _gauss_newton._Problem) -> Callable[[PyTree, Spectra], Array]:
    """Return the loss of a least-squares problem, to be differentiated.

    As for Gauss-Newton steps, the student's eigenstates and all weights are held fixed.
    """

    def of(params: PyTree, spectra: Spectra) -> Array:
        fixed = jax.lax.stop_gradient(params)

        def one(box: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            energies, states, v = box
            (own, roots, _), each = jax.lax.stop_gradient(problem._residuals(fixed, *box))
            frame = _gauss_newton._Frame(problem, *problem._free_phases(params, v))
            exact = jnp.exp(-1j * problem.dt * energies)[:, None]
            error = frame.through(states + 0j)[-1] - exact * states
            return jnp.sum(jnp.abs(roots * (error @ own.T)) ** 2), each

        losses, each = jax.lax.map(one, spectra[:3])
        weights = jax.lax.stop_gradient(problem._weights(each))
        return jnp.mean(weights * losses) + jnp.sum(problem._in_empty_space(params) ** 2)

    return of


if __name__ == "__main__":
    runner.main(read, Args, smoke)
