"""Several runs beside each other: a table and a figure."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from qdistill.forecast import benchmark
from qdistill import plots
from qdistill._checks import refuse
from qdistill.runs.story import Story


def labels(outs: Sequence[pathlib.Path]) -> dict[str, pathlib.Path]:
    """Runs by the name of their folder, or by as much of the path as tells them apart.

    >>> list(labels([pathlib.Path("a/demo"), pathlib.Path("b/demo")]))
    ['a/demo', 'b/demo']
    """
    for n in range(1, 1 + max(len(out.parts) for out in outs)):
        names = ["/".join(out.parts[-n:]) for out in outs]
        if len(set(names)) == len(outs):
            return dict(zip(names, outs, strict=True))
    refuse("runs", "different folders", [str(out) for out in outs])


def compare(stories: dict[str, Story]) -> list[dict[str, Any]]:
    """What tells runs apart: a row for each, as `metrics.json` names things; None where unknown."""
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
                "mean_infidelity": scores.get("mean_infidelity"),
                "worst_correlation": scores.get("worst_correlation"),
                "mean_nrmse": scores.get("mean_nrmse"),
                "max_norm_drift": scores.get("max_norm_drift"),
                "microseconds_per_frame": metrics.get("microseconds_per_frame"),
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The comparison in text, with the paper's two networks below."""
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
    for model in ("demo-gru", "full-gru"):
        error = 1 - benchmark.published_means(model)["correlation"]
        lines.append(f"{'paper ' + model:{wide}}{'gru':9}{'':33}{error:11.1e}")
    return "\n".join(lines)


def draw(stories: dict[str, Story]) -> plots.Figure:
    """Loss against step and time, and the scores beside the paper's."""
    logs = {
        name: (
            np.array([line["step"] for line in story.log]),
            story.seconds,
            np.array([line["loss"] for line in story.log], float),
        )
        for name, story in stories.items()
    }
    scores = {row["run"]: row["mean_infidelity"] for row in compare(stories)}
    paper = {
        f"paper's {model}": 1 - benchmark.published_means(model)["correlation"]
        for model in ("full-gru", "demo-gru")
    }
    return plots.plot_runs(logs, scores, paper)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"
