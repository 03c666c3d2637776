"""Animate a forecast and the exact solution: `python experiments/movie.py demo`."""

import dataclasses
import pathlib
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments import runner
from qdistill import plots
from qdistill._checks import require_one_of, require_positive
from qdistill.forecast import cases, paper
from qdistill.forecast.held_out import BenchmarkConfig, make_paper_cases, make_truth
from qdistill.physics import channels, crossings, packets
from qdistill.runs import pretrained
from qdistill.system import System

# Tully's models, for students of two channels, the way in bohr until the packet has left, and what
# is drawn to both sides.
TULLY = {f"tully-{number}": model for number, model in crossings.TULLY.items()}
WAY = 20.0


@dataclasses.dataclass(frozen=True)
class Args:
    """Animate a forecast of one of the paper's 25 cases, or of Tully's models."""

    student: Annotated[str, tyro.conf.Positional] = "demo"
    """Name of a packaged emulator, a file of `qdistill export`, or the folder of a run."""
    case: str = "steps"
    """Name of the case, as in a run's metrics.json; of two channels tully-1, tully-2 or tully-3."""
    momentum: float = 16.0
    """Momentum in 1/bohr of the packet of two channels."""
    title: str = ""
    """Title of the animation; by default the emulator's preset and the case."""
    film: Literal["gif", "mp4"] = "gif"
    """Kind of file; an MP4 needs ffmpeg, as in `pip install -e '.[video]'`."""
    seconds: float = 10.0
    """Duration in seconds."""
    out: pathlib.Path = pathlib.Path("runs/movie")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps with a few frames."""


def shoot(args: Args) -> runner.Results:
    """Simulate, forecast, animate and score one case."""
    emulator = pretrained.find(args.student)
    system, test = emulator.system, emulator.config.benchmark
    require_one_of(TULLY if system.n_channel else paper.CASES, case=args.case)
    require_positive(momentum=args.momentum)
    if system.n_channel:
        n_frames = round(WAY * system.grid.mass[0] / args.momentum / system.dt)
        test = dataclasses.replace(test, n_frames=n_frames)
    test = dataclasses.replace(test, n_frames=8) if args.smoke else test
    truth = make_case(args, test, system)
    frames = cases.forecast(emulator, truth)
    scores = cases.summarise(truth.family, cases.measure(system, truth, frames))
    true, guess = (np.concatenate([truth.given[0], each[0]]) for each in (truth.frames, frames))
    x, t = np.asarray(system.grid.positions()), system.dt * np.arange(len(true))
    preset = emulator.config.preset
    title = args.title or f"{preset} on {args.case}, a held-out potential"
    path = args.out / f"forecast.{args.film}"
    v, figures = np.asarray(truth.v[0]), {}
    if system.n_channel:
        v, true, guess = (
            each[..., np.abs(x) < WAY] for each in over_curves(truth.v[0], true, guess)
        )
        x = x[np.abs(x) < WAY]
        shares = {"exact": true, preset: guess}
        populations = {n: (np.abs(f) ** 2).sum(-1) * system.grid.cell for n, f in shares.items()}
        figures["populations"] = plots.plot_populations(t, populations, title)
    else:
        figures["wavefunction"] = plots.plot_wavefunction(x, t, v, true, title)
    plots.animate_forecast(x, t, v, true, guess, path, test.n_given, title, args.seconds)
    return runner.Results(
        {"preset": preset, "n_given": test.n_given, "benchmark": scores},
        f"{path}: {test.n_frames} frames, mean relative L2 error {scores['mean_nrmse']:.1e}",
        figures,
    )


def make_case(args: Args, test: BenchmarkConfig, system: System) -> cases.Cases:
    """Return the case with its exact solution: of the paper, or a packet on Tully's lower state."""
    if not system.n_channel:
        return make_paper_cases(test, system, [args.case])
    # Model 3 has couplings above those of the lessons.
    system = dataclasses.replace(system, bounds=None)
    v = system.as_potential(TULLY[args.case])
    packet = packets.gaussian(system.grid, -WAY / 2, 1.0, args.momentum)
    psi = channels.adiabatic(v).states[:, 0] * packet[None]
    solver = make_truth(test, system, v[None])
    return cases.simulate(solver, psi[None], v[None], test.n_given, test.n_frames, (args.case,))


def over_curves(v: jax.Array, *frames: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the adiabatic energies, and frames over the adiabatic states."""
    found = channels.adiabatic(v)
    turn = jax.vmap(lambda psi: channels.to_adiabatic(found.states, psi))
    return np.asarray(found.energies), *(np.asarray(turn(jnp.asarray(each))) for each in frames)


if __name__ == "__main__":
    runner.main(shoot, Args)
