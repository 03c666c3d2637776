"""Search optimiser, rate, batch and size of the Fourier neural operator of the ladder.

Every setting is trained on equal numbers of frames. Settings are compared on potentials of their
own, not on the paper's test. The optimiser is searched first, then the batch, then the size, each
with every rate.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PyTree
from tqdm.auto import tqdm

from experiments import runner
from experiments.ladder import factorial
from experiments.ladder.fno import FNOConfig
from qdistill._checks import require_at_least
from qdistill.forecast import baselines, cases
from qdistill.forecast.cases import Cases
from qdistill.physics.grid import Scalar
from qdistill.runs import presets
from qdistill.system import System
from qdistill.training import batches, losses
from qdistill.training.batches import Block
from qdistill.training.loop import TrainState, train_step
from qdistill.training.stages import Optimiser, Stage, make_optimiser


@dataclasses.dataclass(frozen=True)
class Args:
    """Search the settings of the Fourier neural operator by short trainings."""

    optimisers: tuple[Optimiser, ...] = ("adam", "muon")
    """Optimisers."""
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    """Highest learning rates."""
    batches: tuple[int, ...] = (8, 32)
    """Frames of a batch, that of the search of the optimiser first."""
    channels: tuple[int, ...] = (10, 16)
    """Channels of a layer, those of the other searches first."""
    n_examples: int = 1600
    """Frames of a training."""
    seeds: int = 2
    """Trainings of each setting."""
    n_x: int = 512
    """Points of the lattice, 100/1024 bohr apart."""
    n_cases: int = 20
    """Number of potentials on which settings are compared."""
    n_frames: int = 40
    """Forecast frames."""
    seed: int = 2
    """Random seed of these potentials; the held-out ones of the results have seed 1."""
    out: pathlib.Path = pathlib.Path("runs/search")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(
        args, optimisers=("adam",), batches=(2,), channels=(2,), n_examples=80, n_x=128, n_cases=2,
        n_frames=2,
    )  # fmt: skip


def search(args: Args) -> runner.Results:
    """Train every setting, and return its errors."""
    require_at_least(1, seeds=args.seeds, n_examples=args.n_examples)
    system = factorial.system_of(factorial.Args(n_x=args.n_x))
    families, psi0, v = baselines.sample_cases(jax.random.key(args.seed), system.grid, args.n_cases)
    truth = cases.simulate(cases.exact(system, v), psi0, v, 4, args.n_frames, families)
    attempt = functools.partial(_try, args, system, truth)
    rows: list[dict[str, Any]] = []
    with tqdm(total=len(args.optimisers) + len(args.batches) + len(args.channels) - 2) as bar:
        for optimiser in args.optimisers:
            rows += attempt(optimiser, args.batches[0], args.channels[0])
            bar.update()
        best = min(rows, key=_error)["optimiser"]
        for n_batch in args.batches[1:]:
            rows += attempt(best, n_batch, args.channels[0])
            bar.update()
        n_best = min(rows, key=_error)["n_batch"]
        for n_channels in args.channels[1:]:
            rows += attempt(best, n_best, n_channels)
            bar.update()
    found = {"settings": sorted(rows, key=_error), "n_settings": len(rows)}
    return runner.Results(runner.rounded(found), table(found))


def _error(row: Mapping[str, Any]) -> float:
    """The geometric mean over the seeds."""
    return float(np.exp(np.mean(np.log(row["nrmse"]))))


def _try(
    args: Args, system: System, truth: Cases, optimiser: Optimiser, n_batch: int, n_channels: int
) -> list[dict[str, Any]]:
    """The scores of one setting with every rate."""
    n_steps = 20 * max(1, round(args.n_examples / n_batch / 20))
    stage = presets.frames_stage(n_steps, 1, n_batch, 1.0, n_runs=8)
    stage = dataclasses.replace(stage, optimiser=optimiser)
    # The modes reach the same k in any box.
    n_modes = round(FNOConfig().n_modes * system.grid.lengths[0] / 100)
    form = FNOConfig(n_channels, n_modes=n_modes)
    student = form.build(system)
    params = train(form, stage, system, args.rates, args.seeds)
    rows = []
    for i, rate in enumerate(args.rates):
        of_rate = jax.tree.map(lambda leaf, i=i: leaf[i], params)
        scores = factorial.score(student, of_rate, truth)
        scores.pop("cases")
        rows.append(
            {"optimiser": optimiser, "rate": rate, "n_batch": n_batch, "n_channels": n_channels}
            | scores
        )
    return rows


def train(
    form: FNOConfig, stage: Stage, system: System, rates: Sequence[float], n_seeds: int
) -> PyTree:
    """Return the parameters for every rate and seed; all trainings advance together.

    The stage has the rate 1; updates are proportional to it, since no weights decay.
    """
    setup = factorial.set_up(form, (stage,), system)
    losses_of = losses.rollout_loss(setup.student, 1)
    cut = functools.partial(batches.cut_batch, n_history=1, n_target=1, n_window=None)

    def optimiser(rate: Scalar) -> optax.GradientTransformation:
        return optax.chain(make_optimiser(stage), optax.scale(rate))

    def train_block(rate: Scalar, state: TrainState, block: Block) -> TrainState:
        def advance(state: TrainState, i: jax.Array) -> tuple[TrainState, None]:
            return train_step(losses_of, stage.power, optimiser(rate), state, cut(block, i))[
                0
            ], None

        return jax.lax.scan(advance, state, jnp.arange(stage.batches.n_block))[0]

    keys = jnp.stack([jax.random.key(seed) for seed in range(n_seeds)])
    begin = jax.vmap(setup.trainers[0].init)(keys)
    begin = begin._replace(opt_state=jax.vmap(optimiser(1.0).init)(begin.params))
    state = jax.tree.map(lambda leaf: jnp.stack([leaf] * len(rates)), begin)
    make_block = jax.jit(jax.vmap(setup.trainers[0].make_block))
    over_both = jax.jit(jax.vmap(jax.vmap(train_block, (None, 0, 0)), (0, 0, None)))
    for _ in range(stage.n_steps // stage.batches.n_block):
        block = make_block(jax.tree.map(lambda leaf: leaf[0], state))
        state = over_both(jnp.array(rates, float), state, block)
    return state.params


def table(found: Mapping[str, Any]) -> str:
    """Return the settings as text, the best first."""
    return "\n".join(
        f"{row['optimiser']:5} rate {row['rate']:g}, batch {row['n_batch']:3}, "
        f"{row['n_channels']:3} channels: relative L2 error {_error(row):.2f}"
        for row in found["settings"]
    )


if __name__ == "__main__":
    runner.main(search, Args, smoke)
