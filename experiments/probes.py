"""Probe the response of emulators to waves: `python experiments/probes.py runs/demo`."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Annotated

import jax
import tyro

from experiments import emulators, retraining, runner
from experiments.retraining import RetrainingConfig
from qdistill import plots
from qdistill._checks import refuse
from qdistill.insight import harness, probes
from qdistill.insight.harness import EXACT, Ensembles
from qdistill.insight.probes import ProbeConfig
from qdistill.students import Emulator, Splitting

# Largest number of ensembles and null models: a panel for each, and one for the exact solver.
MOST = 3


@dataclasses.dataclass(frozen=True)
class Args:
    """Probe emulators and the exact solver, and repeat the training of the first one."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Packaged names, files or folders of runs, of one system; two at most, apart from seeds."""
    out: pathlib.Path = pathlib.Path("runs/probes")
    """Folder of the results."""
    nulls: tuple[int, ...] = (2,)
    """Numbers of FFT pairs per frame of the null models of linear students, clamped split steps;
    one at most."""
    probes: ProbeConfig = dataclasses.field(default_factory=ProbeConfig)
    """Settings of the probes."""
    follow: bool = True
    """Whether to train the first run again from its config, with tests on each process."""
    test: RetrainingConfig = dataclasses.field(default_factory=RetrainingConfig)
    """Settings of these tests."""
    cases: int = 16
    """Number of packets on single barriers that the null models of networks are matched on."""
    frames: int = 40
    """Number of frames after which their errors are matched."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    test = RetrainingConfig(4, 1, 8, args.test.seed, is_small=True)
    return dataclasses.replace(args, test=test, cases=2, frames=4)


def disturb(
    ensembles: Mapping[str, Sequence[Emulator]], args: Args
) -> dict[str, list[harness.Disturbed]]:
    """Return null models of the emulators that are not linear, matched on single barriers."""
    of_networks = {name: each for name, each in ensembles.items() if not each[0].is_linear}
    if not of_networks:
        return {}
    (first, *_), *_ = of_networks.values()
    system = dataclasses.replace(first.system, bounds=None)
    lesson = ("barrier",)
    cases = probes.sample_lessons(system, args.test.seed, args.cases, 1, lesson)
    heights = *args.probes.bounds, float(cases.v.min()), float(cases.v.max())
    exact = harness.solve_exactly(system, (min(heights), max(heights)))
    keys = jax.random.key(args.test.seed)[None]
    return emulators.disturb(of_networks, exact, cases.given[:, -1], cases.v, args.frames, keys)


def ask(args: Args) -> runner.Results:
    """Probe the emulators, and measure errors during the training."""
    ensembles = emulators.load_ensembles(args.runs, MOST - len(args.nulls))
    first, *_ = (seeds[0] for seeds in ensembles.values())
    nulls: Ensembles = {
        **emulators.make_nulls(first.system, args.nulls),
        **disturb(ensembles, args),
    }
    if len(ensembles) + len(nulls) > MOST:
        refuse("runs", f"{MOST} at most, with their null models", [*ensembles, *nulls])
    report = probes.evaluate(ensembles, args.probes, nulls)
    metrics, text = {"probes": report.numbers}, [str(report)]
    # The first training of each ensemble is drawn.
    shown = {name: report.found[name] for name in (EXACT, *nulls)}
    for name, seeds in ensembles.items():
        shown[name] = report.found[f"{name}, seed 1" if len(seeds) > 1 else name]
    order = (EXACT, *ensembles, *nulls)
    figures = plots.draw(dataclasses.replace(report, found={name: shown[name] for name in order}))
    for name, (emulator, *_) in ensembles.items():
        if isinstance(emulator.student, Splitting):
            figures[f"phases-{name}"] = retraining.draw_phases(emulator, args.probes)
    if args.follow:
        learning = retraining.follow(first.config, args.test)
        metrics["learning"] = {"run": next(iter(ensembles)), **learning.numbers}
        text.append(f"{args.runs[0]}: {learning}")
        figures |= plots.draw(learning)
    metrics = runner.rounded(metrics)
    return runner.Results(metrics, "\n".join(text), figures)


if __name__ == "__main__":
    runner.main(ask, Args, smoke)
