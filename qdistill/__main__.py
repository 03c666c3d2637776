"""The command `qdistill`: distil, evaluate, forecast, tell the story of a run, export.

`qdistill COMMAND --help` lists the options of a command. `--load FILE` executes a Python file of
one's own first, which may define systems, students, lessons and presets.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import jax
import tyro

from qdistill import _distribute as cluster
from qdistill.runs import distillation, extensions, presets, report, story
from qdistill.runs.config import Config
from qdistill.runs.signals import Stopped


@dataclasses.dataclass(frozen=True)
class Distill:
    """Distil an emulator from the solver, score it on held-out cases, and draw the figures."""

    config: Annotated[Config, tyro.conf.arg(name="")]
    out: pathlib.Path
    """Folder of the run: it must be new or empty, unless the run in it is resumed."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""
    resume: bool = False
    """Continue the run in the folder."""
    devices: int = 1
    """How many share the work, those of all processes together; on a CPU any number."""
    coordinator: str | None = None
    """Of several processes: host:port of the first, or QDISTILL_COORDINATOR."""
    processes: int | None = None
    """How many, or QDISTILL_PROCESSES."""
    process: int | None = None
    """Which of them this is, from 0, or QDISTILL_PROCESS."""

    def run(self) -> None:
        """Train, score, draw."""
        mesh = cluster.start(self.devices, self.coordinator, self.processes, self.process)
        config = presets.smoke(self.config) if self.smoke else self.config
        loaded = tuple(extensions.LOADED.values())
        config = dataclasses.replace(config, extensions=loaded)
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
    """Of the potentials and packets."""
    potentials: int = 100
    """How many."""
    devices: int = 1
    """How many share the work; on a CPU any number."""

    def run(self) -> None:
        """Score, write, print."""
        from qdistill.forecast import baselines

        mesh = cluster.start(self.devices)
        scores = distillation.evaluate(self.run_folder, self.seed, self.potentials, mesh)
        print(baselines.table(scores))


@dataclasses.dataclass(frozen=True)
class Story:
    """Tell the story of a run, finished or not, or compare several. The runs are not touched."""

    runs: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional]
    """Folders of runs."""
    out: pathlib.Path | None = None
    """Folder for the comparison: config.json, metrics.json and a figure."""
    tensorboard: pathlib.Path | None = None
    """Folder for TensorBoard's events, one in it for each run."""
    follow: bool = False
    """With --tensorboard: continue while the runs train, until they are scored."""

    def run(self) -> None:
        """Read, print, draw."""
        story.tell_all(self.runs, self.out, self.tensorboard, self.follow)


COMMANDS: dict[str, type] = {"distill": Distill, "evaluate": Evaluate, "story": Story}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command, with the words after the program's name."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        words = load_extensions(words)
        if not words or words[0] not in COMMANDS:
            print(usage(), file=sys.stderr if words and words[0] not in ("-h", "--help") else None)
            sys.exit(0 if words and words[0] in ("-h", "--help") else 2)
        jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
        parse(words[0], words[1:])()
    except (OSError, ValueError, FloatingPointError, ImportError) as error:
        sys.exit(f"qdistill: {error}")
    except Stopped as stopped:
        print(f"qdistill: {stopped}", file=sys.stderr)
        sys.exit(128 + stopped.number)


def parse(command: str, words: Sequence[str]) -> Callable[[], None]:
    """Return what a command does, with its options."""
    prog = f"qdistill {command}"
    if command != "distill":
        return tyro.cli(COMMANDS[command], prog=prog, args=words).run
    choices = {
        name: (text, Distill(preset, pathlib.Path("runs") / name))
        for name, (text, preset) in presets.PRESETS.items()
    }
    return tyro.extras.overridable_config_cli(choices, prog=prog, args=words).run


def load_extensions(words: list[str]) -> list[str]:
    """Execute the files of `--load FILE`, and return the other words."""
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
