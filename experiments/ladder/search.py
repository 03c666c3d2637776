"""Search rate, optimiser, batch and size of the Fourier neural operator of the ladder.

Every setting is trained on equal numbers of frames. Settings are compared on potentials of their
own, not on the paper's test. First optimiser, rate and batch are searched together, then the size
with the best of these.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm.auto import tqdm

from experiments import runner
from experiments.ladder import factorial
from experiments.ladder.fno import FNOConfig
from qdistill._checks import require_at_least
from qdistill.forecast import baselines, cases
from qdistill.forecast.cases import Cases
from qdistill.runs import presets
from qdistill.runs.config import Config
from qdistill.system import System
from qdistill.training.stages import Optimiser


@dataclasses.dataclass(frozen=True)
class Args:
    """Search the settings of the Fourier neural operator by short trainings."""

    optimisers: tuple[Optimiser, ...] = ("adam", "muon")
    """Optimisers."""
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    """Highest learning rates."""
    batches: tuple[int, ...] = (8, 32)
    """Frames of a batch."""
    channels: tuple[int, ...] = (6, 10, 16, 24)
    """Channels of a layer; the second is that of the first part of the search."""
    n_examples: int = 6400
    """Frames of a training."""
    seeds: int = 2
    """Trainings of each setting."""
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
        args, optimisers=("adam",), rates=(1e-3, 1e-2), batches=(2,), channels=(2, 3),
        n_examples=8, n_cases=2, n_frames=2,
    )  # fmt: skip


def search(args: Args) -> runner.Results:
    """Train every setting, and return its errors."""
    require_at_least(1, seeds=args.seeds, n_examples=args.n_examples)
    require_at_least(2, channels=len(args.channels))
    system = Config().system
    families, psi0, v = baselines.sample_cases(jax.random.key(args.seed), system.grid, args.n_cases)
    truth = cases.simulate(cases.exact(system, v), psi0, v, 4, args.n_frames, families)
    rows: list[dict[str, Any]] = []
    usual = args.channels[1]
    for setting in tqdm(
        list(itertools.product(args.optimisers, args.rates, args.batches)), leave=False
    ):
        rows.append(_try(args, system, truth, usual, *setting))
    best = min(rows, key=_error)
    for n_channels in args.channels:
        if n_channels != usual:
            same = (best["optimiser"], best["rate"], best["n_batch"])
            rows.append(_try(args, system, truth, n_channels, *same))
    found = {"settings": sorted(rows, key=_error), "n_settings": len(rows)}
    return runner.Results(runner.rounded(found), table(found))


def _error(row: Mapping[str, Any]) -> float:
    """The geometric mean over the seeds."""
    return float(np.exp(np.mean(np.log(row["nrmse"]))))


def _try(
    args: Args,
    system: System,
    truth: Cases,
    n_channels: int,
    optimiser: Optimiser,
    rate: float,
    n_batch: int,
) -> dict[str, Any]:
    stage = presets.frames_stage(
        max(1, args.n_examples // n_batch), 1, n_batch, rate, n_runs=4 if args.smoke else 16
    )
    if args.smoke:
        stage = dataclasses.replace(stage, batches=dataclasses.replace(stage.batches, n_block=2))
    stage = dataclasses.replace(stage, optimiser=optimiser)
    form = FNOConfig(n_channels)
    keys = jnp.stack([jax.random.key(seed) for seed in range(args.seeds)])
    params = factorial.fit(form, (stage,), keys, system)
    scores = factorial.score(form.build(system), params, truth)
    scores.pop("cases")
    settings = {
        "optimiser": optimiser, "rate": rate, "n_batch": n_batch, "n_channels": n_channels
    }  # fmt: skip
    return settings | scores


def table(found: Mapping[str, Any]) -> str:
    """Return the settings as text, the best first."""
    return "\n".join(
        f"{row['optimiser']:5} rate {row['rate']:g}, batch {row['n_batch']:3}, "
        f"{row['n_channels']:3} channels: relative L2 error {_error(row):.2f}"
        for row in found["settings"]
    )


if __name__ == "__main__":
    runner.main(search, Args, smoke)
