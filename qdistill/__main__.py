"""The command `qdistill`: distil, evaluate, forecast, describe runs, export.

`qdistill COMMAND --help` lists the options of a command. `--load FILE` first executes a Python file
of your own, which may define systems, students, lessons and presets.
"""

import dataclasses
import pathlib
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import tyro

from qdistill import __version__
from qdistill import _distribute as cluster
from qdistill.forecast import paper
from qdistill.runs import distillation, extensions, options, presets, pretrained
from qdistill.runs.config import Config
from qdistill.runs.process import running


@dataclasses.dataclass(frozen=True)
class Distill:
    """Distil an emulator from a solver, score it on held-out cases, and draw the figures."""

    config: Annotated[Config, tyro.conf.arg(name="")]
    out: pathlib.Path
    """Folder of the run; it must be new or empty, except with --resume."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""
    resume: bool = False
    """Continue the run in the folder `out`."""
    devices: int = 1
    """Number of devices of all processes together; on a CPU any number."""
    coordinator: str | None = None
    """Address host:port of the first of several processes; or set QDISTILL_COORDINATOR."""
    processes: int | None = None
    """Number of processes; or set QDISTILL_PROCESSES."""
    process: int | None = None
    """Index of this process, from 0; or set QDISTILL_PROCESS."""

    def run(self) -> None:
        """Train, score and draw."""
        from qdistill.runs import report

        mesh = cluster.start(self.devices, self.coordinator, self.processes, self.process)
        config = presets.smoke(self.config) if self.smoke else self.config
        distillation.distill(config, self.out, resume=self.resume, mesh=mesh)
        if cluster.is_main():
            print(report.summary(distillation.read_metrics(self.out)))


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Score a finished run on held-out potentials of every family, next to the clamped split step.

    The scores are written to `evaluation-SEED.json` in the folder of the run.
    """

    run_folder: Annotated[pathlib.Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of the run."""
    seed: int = 0
    """Random seed of the potentials and packets."""
    potentials: int = 100
    """Number of potentials."""
    devices: int = 1
    """Number of devices; on a CPU any number."""

    def run(self) -> None:
        """Score, write and print."""
        from qdistill.forecast import baselines

        mesh = cluster.start(self.devices)
        scores = distillation.evaluate(self.run_folder, self.seed, self.potentials, mesh)
        print(baselines.table(scores))


@dataclasses.dataclass(frozen=True)
class Story:
    """Describe a run, finished or not, or compare several runs. The runs are not changed."""

    runs: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional]
    """Folders of runs."""
    out: pathlib.Path | None = None
    """Folder for the comparison: config.json, metrics.json and a figure."""
    tensorboard: pathlib.Path | None = None
    """Folder for TensorBoard's events, with a subfolder for each run."""
    follow: bool = False
    """With --tensorboard: continue while the runs train, until they are scored."""

    def run(self) -> None:
        """Read, print and draw."""
        from qdistill.runs import story

        story.tell_all(self.runs, self.out)
        if self.tensorboard is not None:
            from qdistill.runs.tensorboard import to_tensorboard

            print(shlex.join(["tensorboard", "--logdir", str(self.tensorboard)]), flush=True)
            to_tensorboard(story.labels(self.runs), self.tensorboard, self.follow)


@dataclasses.dataclass(frozen=True)
class Forecast:
    """Forecast a packet on a potential of your own, and compare with the solver."""

    emulator: Annotated[str, tyro.conf.Positional]
    """A name of the package's emulators, a package file, or the folder of a run."""
    potential: str = "5*exp(-(x-50)**2/8)"
    """A formula in x (bohr), or a table (.csv) or drawing (.png), in hartree."""
    centre: float = 25.0
    """Initial mean position of the packet, in bohr."""
    width: float = 3.0
    """Initial position spread S0 of the packet, in bohr."""
    momentum: float = 3.0
    """Mean momentum in 1/bohr; the energy is about momentum^2 / 2, in hartree."""
    frames: int = 150
    """Number of frames to forecast."""
    v_min: float = 0.0
    """Potential at the lower edge of a drawing, in hartree."""
    v_max: float = 10.0
    """Potential at the upper edge of a drawing, in hartree."""
    out: pathlib.Path = pathlib.Path("runs/forecast")
    """Folder of the results."""

    def run(self) -> None:
        """Solve, forecast, compare and draw."""
        from qdistill.insight import flight
        from qdistill.physics import files, packets
        from qdistill.runs import results

        found = pretrained.find(self.emulator)
        grid = found.system.grid
        v = files.read(grid, self.potential, self.v_min, self.v_max)
        psi = packets.gaussian(grid, self.centre, self.width, self.momentum)

        def work() -> results.Results:
            return results.of_report(flight.evaluate(found, v, psi, self.frames))

        settings = dataclasses.asdict(self) | {"out": str(self.out)}
        print(results.record(self.out, settings, work).report)


@dataclasses.dataclass(frozen=True)
class Export:
    """Write forecasts of the paper's cases and the truth to a file, or the emulator itself."""

    emulator: Annotated[str, tyro.conf.Positional]
    """A name of the package's emulators, a package file, or the folder of a run."""
    out: pathlib.Path
    """New file to write: .nc for xarray, or .npz."""
    as_emulator: Annotated[bool, tyro.conf.arg(name="emulator-file")] = False
    """Write the emulator with its config, score and provenance, as .npz, instead of forecasts."""
    cases: tuple[str, ...] = tuple(paper.CASES)
    """Names of some of the paper's 25 cases."""
    every: int = 4
    """Write every `every`-th frame only."""
    frames: int | None = None
    """Number of frames to forecast; by default that of the run's held-out test."""

    def run(self) -> None:
        """Forecast and write the file."""
        from qdistill.runs import export

        found = pretrained.find(self.emulator)
        if self.as_emulator:
            if self.out.exists():
                raise FileExistsError(f"`{self.out}` exists. Choose another with --out.")
            pretrained.write(self.out, found)
            print(f"{self.out}: {found}")
        else:
            print(export.write_forecasts(self.out, found, self.cases, self.every, self.frames))


COMMANDS: dict[str, type] = {
    "distill": Distill,
    "evaluate": Evaluate,
    "forecast": Forecast,
    "story": Story,
    "export": Export,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command, given the command line's words after the program's name."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with running("qdistill"):
        words = load_extensions(words)
        if words[:1] in (["-h"], ["--help"]):
            print(usage())
        elif words[:1] == ["--version"]:
            print(f"qdistill {__version__}")
        elif not words or words[0] not in COMMANDS:
            print(usage(), file=sys.stderr)
            sys.exit(2)
        else:
            parse(words[0], words[1:])()


def parse(command: str, words: Sequence[str]) -> Callable[[], None]:
    """Return the function that executes a command with its options."""
    choices = {
        name: (text, Distill(preset, pathlib.Path("runs") / name))
        for name, (text, preset) in presets.PRESETS.items()
    }
    form = choices if command == "distill" else COMMANDS[command]
    return options.parse(form, f"qdistill {command}", words).run


def load_extensions(words: list[str]) -> list[str]:
    """Execute the files given by `--load FILE`, and return the other words."""
    others, rest = [], iter(words)
    for word in rest:
        name, _, value = word.partition("=")
        if name != "--load":
            others.append(word)
            continue
        file = value or next(rest, "")
        if not file:
            raise ValueError("`--load` needs a Python file.")
        extensions.load(file)
    return others


def usage() -> str:
    """Return the list of commands."""
    rows = [f"  {name:10}{(kind.__doc__ or '').splitlines()[0]}" for name, kind in COMMANDS.items()]
    end = ["", "qdistill COMMAND --help lists the options of a command."]
    return "\n".join(["usage: qdistill COMMAND ... [--load FILE]", "", *rows, *end])


if __name__ == "__main__":
    main()
