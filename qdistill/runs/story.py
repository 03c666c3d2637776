"""Summaries of runs from their folders, finished or not, and comparisons of several runs."""

import dataclasses
import math
import os
import pathlib
import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from qdistill import plots
from qdistill._checks import refuse, require_record
from qdistill._doors import require_values
from qdistill._refusals import explained
from qdistill.forecast import paper
from qdistill.physics.grid import require_line
from qdistill.runs import (
    checkpoints,
    config,
    distillation,
    divergence,
    folder,
    presets,
    provenance,
    records,
    report,
    results,
)
from qdistill.runs.config import Config
from qdistill.runs.results import Results
from qdistill.students import count_parameters

BARS = "▁▂▃▄▅▆▇█"


class Story(NamedTuple):
    """The content of the folder of a run.

    Attributes:
      out: The folder.
      config: All settings.
      log: The lines of `metrics.jsonl`, oldest first.
      metrics: Content of `metrics.json`; None before the run is scored.
      provenance: See `provenance.read`.
    """

    out: pathlib.Path
    config: Config
    log: list[dict[str, Any]]
    metrics: dict[str, Any] | None
    provenance: list[dict[str, Any]]

    @property
    def step(self) -> int:
        """The number of steps trained so far."""
        return self.log[-1]["step"] if self.log else 0

    @property
    def is_whole(self) -> bool:
        """Whether the log has every block of the training."""
        return [line["step"] for line in self.log] == self.config.training.block_ends

    @property
    def seconds(self) -> np.ndarray:
        """The seconds of training, without compilation, at the end of every block."""
        times = [line["teacher_seconds"] + line["student_seconds"] for line in self.log]
        return np.cumsum(np.array(times, float))


@explained
def read(out: pathlib.Path) -> Story:
    """Return the content of the folder of a run.

    Raises:
      FileNotFoundError: If there is no run.
      ValueError: If a file there is damaged, with its name.
    """
    if not (out / "config.json").exists():
        raise FileNotFoundError(f"There is no run in `{out}`: it has no config.json.")
    settings = folder.read_config(out / "config.json")
    is_scored = (out / "metrics.json").exists()
    metrics = distillation.read_metrics(out) if is_scored else None
    return Story(out, settings, folder.read_log(out), metrics, provenance.read(out))


def _require_stories(**stories: Story) -> None:
    """Refuse stories whose log, scores or provenance are not as `read` returns them."""
    for name, story in stories.items():
        require_record([dict(records.BLOCK)], **{f"{name}.log": story.log})
        if story.metrics is not None:
            require_record(report.SUMMARISED, **{f"{name}.metrics": story.metrics})
            cost = "microseconds_per_frame"
            require_record(float | None, **{f"{name}.{cost}": story.metrics.get(cost)})
        provenance.check(story.provenance)


@explained
def tell(story: Story) -> str:
    """Return a summary as text: student, system, training, scores and next commands."""
    _require_stories(story=story)
    parts = [_who(story), _training(story), _score(story), _origin(story), _folder(story)]
    return "\n\n".join("\n".join(part) for part in [*parts, _next(story)] if part)


def _who(story: Story) -> list[str]:
    settings = story.config
    system, grid = settings.system, settings.system.grid
    student = settings.student.build(system)
    size = count_parameters(jax.eval_shape(student.init, jax.random.key(0)))
    plan = settings.curriculum
    points, box = (" x ".join(f"{n:g}" for n in each) for each in (grid.shape, grid.lengths))
    weights = "" if len(plan.lessons) == 1 else f", {plan.plan}"
    return [
        f"{story.out}: preset {settings.preset}, seed {settings.seed}, {_state(story)}",
        f"student   {settings.student.name}, {size:,} parameters",
        f"system    {type(system).__name__}, {grid.dispersion}, {points} points on {box} bohr, "
        f"frames of {system.dt:g} a.u.",
        f"teacher   {settings.teacher.solver}",
        f"lessons   {', '.join(plan.lessons)}{weights}",
        f"begun by  {begin(settings, story.out)}",
    ]


def _state(story: Story) -> str:
    n_steps = story.config.training.boundaries[-1]
    where = f"at step {story.step:,} of {n_steps:,}"
    if story.metrics is None:
        return where
    if story.is_whole and story.metrics["training_steps"] == n_steps:
        return "finished and scored"
    scored = f"scored at step {story.metrics['training_steps']:,}"
    if not story.log:
        return f"{scored}, without its log"
    if story.is_whole or story.step < n_steps:
        return f"{where}, but {scored}"
    return f"{where}, {scored}, but blocks are missing in its log"


def _training(story: Story) -> list[str]:
    """A row for each stage, and the curve of the loss."""
    head = f"{'stage':<7}{'steps':>8} {'examples':<10}{'batch':>6}{'frames':>8} {'optimiser':<10}"
    rows = [f"{head}{'rate':>8}{'first loss':>12}{'last loss':>11}{'seconds':>9}"]
    ends, took = story.config.training.boundaries, np.diff(story.seconds, prepend=0.0)
    for i, stage in enumerate(story.config.training.stages):
        mine = [k for k, line in enumerate(story.log) if line["stage"] == i]
        first, last = (_short(story.log[mine[k]]["loss"]) if mine else "" for k in (0, -1))
        rows.append(
            f"{i + 1:<7}{stage.n_steps:>8,} {stage.batches.examples:<10}{stage.batches.n_batch:>6}"
            f"{stage.batches.n_target:>8} {stage.optimiser:<10}{stage.peak_rate:>8.0e}"
            f"{first:>12}{last:>11}{took[mine].sum() if mine else 0:>9.0f}"
        )
    if story.log:
        rows.append(f"{'loss':<7}{_bars([line['loss'] for line in story.log])} (log scale)")
    if back := divergence.read(story.out):
        rows.append(f"It diverged and went back {len(back)} times.")
    if story.log and story.step < ends[-1]:
        left = story.seconds[-1] / story.step * (ends[-1] - story.step)
        rows.append(f"About {left / 60:.1f} min are left, at the mean time of a step so far.")
    return rows


def _bars(losses: Iterable[float | None], width: int = 60) -> str:
    """A line of bars: the mean logarithm in equal parts of the log; ! where it is not finite."""
    there = np.array([math.nan if not x or x <= 0 else math.log(x) for x in losses])
    parts = [part[np.isfinite(part)] for part in np.array_split(there, min(width, len(there)))]
    means = np.array([part.mean() if part.size else math.nan for part in parts])
    if not np.isfinite(means).any():
        return "not finite"
    low, span = np.nanmin(means), max(float(np.ptp(means[np.isfinite(means)])), 1e-9)
    return "".join(
        "!" if math.isnan(mean) else BARS[min(int(8 * (mean - low) / span), 7)] for mean in means
    )


def _score(story: Story) -> list[str]:
    return [report.summary(story.metrics)] if story.metrics else []


def _origin(story: Story) -> list[str]:
    """The code and the machines of the run."""
    lines = []
    for note in story.provenance:
        commit, place = note["commit"] or "unknown code", note["environment"]
        changed = " with changes" if note["is_modified"] else ""
        lines.append(
            f"{note['date']}: {commit}{changed}, {place['device']} ({place['cpu_count']} cores), "
            f"python {place['python']}, jax {place['jax']}"
        )
    return lines or ["The code that trained it is not noted."]


def _folder(story: Story) -> list[str]:
    steps = checkpoints.steps_in(story.out / "checkpoints")
    kept = ", ".join(f"{step:,}" for step in steps) or "none"
    paths = [path for path in story.out.iterdir() if path.is_file()]
    names = sorted(path.name for path in paths if not path.name.startswith("."))
    figures = [name.removesuffix(".png") for name in names if name.endswith(".png")]
    files = [name for name in names if not name.endswith(".png")]
    lines = [f"files     {', '.join(files)}", f"saved at  {kept}"]
    return lines + ([f"figures   {', '.join(figures)}"] if figures else [])


def _next(story: Story) -> list[str]:
    """The commands that continue the run or use its result."""
    out, name = shlex.quote(str(story.out)), story.out.name
    if story.step < story.config.training.boundaries[-1] or not story.metrics:
        return ["next:", f"  {begin(story.config, story.out)} --resume"]
    loads = "".join(f" --load {shlex.quote(each.path)}" for each in story.config.extensions)
    scored = [
        f"  qdistill evaluate {out}{loads} --seed 1",
        f"  qdistill export {out}{loads} --out {shlex.quote(f'{name}.nc')}",
    ]
    system = story.config.system
    try:
        require_line(system.grid)
        require_values(system)
    except ValueError:
        # The paper's cases and held-out potentials are not for this system.
        scored = []
    file = shlex.quote(f"{name}.npz")
    return ["next:", *scored, f"  qdistill export {out}{loads} --out {file} --emulator-file"]


@explained
def begin(settings: Config, out: pathlib.Path) -> str:
    """Return the command that starts a run with these settings; dots for settings without option.

    It is quoted for a shell.

    >>> begin(presets.PRESETS["demo"][1], pathlib.Path("runs/demo"))
    'qdistill distill demo --out runs/demo'
    """
    files = [word for each in settings.extensions for word in ("--load", each.path)]
    return shlex.join(["qdistill", "distill", *_options(settings), *files, "--out", str(out)])


def _options(settings: Config) -> list[str]:
    """The preset, and the options of settings that differ from it, as separate words."""
    if settings.preset not in presets.PRESETS:
        return ["..."]
    preset = presets.PRESETS[settings.preset][1]
    settings = dataclasses.replace(settings, extensions=preset.extensions)
    if settings == presets.smoke(preset):
        return [settings.preset, "--smoke"]
    ours, theirs = config.leaves(settings), config.leaves(preset)
    if set(ours) != set(theirs):
        return [settings.preset, "..."]
    changed = [_option(name, ours[name]) for name in ours if ours[name] != theirs[name]]
    return [settings.preset, *(word for words in changed for word in words)]


def _option(name: str, value: Any) -> list[str]:
    """A setting as a command-line option."""
    *path, last = name.replace("_", "-").split(".")
    if isinstance(value, bool):
        return ["--" + ".".join([*path, last if value else f"no-{last}"])]
    words = value if isinstance(value, tuple) else (value,)
    return ["--" + ".".join([*path, last]), *map(str, words)]


@explained
def labels(outs: Sequence[pathlib.Path]) -> dict[str, pathlib.Path]:
    """Return runs by the shortest part of their paths that distinguishes them.

    >>> list(labels([pathlib.Path("a/demo"), pathlib.Path("b/demo")]))
    ['a/demo', 'b/demo']
    """
    # "." and ".." are named as the folders that they stand for.
    wholes = [pathlib.Path(os.path.abspath(out)) for out in outs]
    for n in range(1, 1 + max(len(whole.parts) for whole in wholes)):
        names = ["/".join(whole.parts[-n:]) for whole in wholes]
        if len(set(names)) == len(outs):
            return dict(zip(names, outs, strict=True))
    refuse("runs", "different folders", [str(out) for out in outs])


SCORES = ("mean_infidelity", "worst_correlation", "mean_nrmse", "max_norm_drift")
UNKNOWN = ("training_seconds", "loss", *SCORES, "microseconds_per_frame")
# The form of a row of the comparison.
ROW = {"run": str, "student": str, "step": int, "is_paper_test": bool} | dict.fromkeys(
    UNKNOWN, float | None
)


@explained
def compare(stories: dict[str, Story]) -> list[dict[str, Any]]:
    """Return a row for each run, with the names of `metrics.json`; None for unknown values."""
    _require_stories(**{f"stories[{name!r}]": story for name, story in stories.items()})
    rows = []
    for name, story in stories.items():
        metrics = story.metrics or {"benchmark": {}}
        scores = metrics["benchmark"]
        rows.append(
            {
                "run": name,
                "student": story.config.student.name,
                "lessons": list(story.config.curriculum.lessons),
                "step": story.step,
                "training_seconds": float(story.seconds[-1]) if story.log else None,
                "loss": story.log[-1]["loss"] if story.log else None,
                **{score: scores.get(score) for score in SCORES},
                "microseconds_per_frame": metrics.get("microseconds_per_frame"),
                "is_paper_test": set(scores.get("cases", ())) == set(paper.CASES),
            }
        )
    return rows


@explained
def table(rows: list[dict[str, Any]]) -> str:
    """Return the comparison as a text table, with the paper's networks if its test was taken."""
    require_record([ROW], rows=rows)
    wide = max(17, *(len(row["run"]) + 2 for row in rows))
    names = ("step", "train s", "last loss", "1 - corr", "worst", "nrmse", "drift", "us/frame")
    lines = [f"{'run':{wide}}{'student':9}" + "".join(f"{name:>11}" for name in names)]
    for row in rows:
        worst = row["worst_correlation"]
        cells = [
            f"{row['step']:,}",
            "" if row["training_seconds"] is None else f"{row['training_seconds']:,.0f}",
            *(_short(row[name]) for name in ("loss", "mean_infidelity")),
            _short(None if worst is None else 1 - worst),
            *(_short(row[name]) for name in ("mean_nrmse", "max_norm_drift")),
            "" if row["microseconds_per_frame"] is None else f"{row['microseconds_per_frame']:.0f}",
        ]
        start = f"{row['run']:{wide}}{row['student']:9}"
        lines.append(start + "".join(f"{cell:>11}" for cell in cells))
    for model in ("demo-gru", "full-gru") if any(row["is_paper_test"] for row in rows) else ():
        error = 1 - paper.published_means(model)["correlation"]
        lines.append(f"{'paper ' + model:{wide}}{'gru':9}{'':33}{error:11.1e}")
    return "\n".join(lines)


@explained
def plot(stories: dict[str, Story]) -> plots.Figure:
    """Draw loss against step and time, and scores, with the paper's if its test was taken."""
    _require_stories(**{f"stories[{name!r}]": story for name, story in stories.items()})
    logs = {
        name: (
            np.array([line["step"] for line in story.log]),
            story.seconds,
            np.array([line["loss"] for line in story.log], float),
        )
        for name, story in stories.items()
    }
    rows = compare(stories)
    scores = {row["run"]: row["mean_infidelity"] for row in rows}
    published = {
        f"paper's {model}": 1 - paper.published_means(model)["correlation"]
        for model in ("full-gru", "demo-gru")
        if any(row["is_paper_test"] for row in rows)
    }
    return plots.plot_runs(logs, scores, published)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _printable(text: str) -> str:
    """The text with digits instead of bars, if the terminal cannot print bars."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return text.translate({ord(bar): str(i) for i, bar in enumerate(BARS, 1)})
    return text


@explained
def tell_all(
    outs: Sequence[pathlib.Path],
    into: pathlib.Path | None = None,
) -> None:
    """Print a summary of one run, or a comparison of several, and write the comparison if asked.

    Args:
      outs: Folders of runs.
      into: Folder of the comparison: config.json, metrics.json and a figure.

    Raises:
      FileNotFoundError: If there is no run.
      ValueError: For no folder, and if a file of a run is damaged.
    """
    if not outs:
        refuse("outs", "not empty", outs, "Name the folder of a run, or several.")
    named = labels(outs)
    stories = {name: read(out) for name, out in named.items()}
    rows = compare(stories)
    print(_printable(tell(*stories.values()) if len(outs) == 1 else table(rows)))
    if into is not None:
        figures = {"comparison": plot(stories)}
        compared = Results({"runs": rows}, table(rows), figures)
        results.record(into, {"runs": list(map(str, outs))}, lambda: compared)
