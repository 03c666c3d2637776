"""Convert runs and package files of older versions: `python experiments/convert.py PLACE ...`.

A place is the folder of a run, or a file of `qdistill export`. Places in the new form stay as they
are.
Configs get the form of the second edition, configs and files get checksums, and checkpoints and
scores get the identity of their run. Parameters and scores do not change by a bit.
"""

import json
import pathlib
import sys
from typing import Any

import numpy as np

# Importing these modules registers the students of the studies.
from experiments.frontier import kernel as kernel
from experiments.ladder import fno as fno
from experiments.ladder import local as local
from qdistill.runs import checkpoints, config, folder, pretrained, records

# Settings that are missing in the oldest runs, with their values then.
ADDED: dict[str, dict[str, Any]] = {
    "teacher": {"n_dim": 1},
    "training": {
        "on_divergence": "stop",
        "diverged": 1000.0,
        "rollback_rate": 0.5,
        "max_rollbacks": 10,
    },
    "unitary": {"smooth": False},
}
LESSONS = {
    "landscapes": "potentials",
    "plane-free": "packets",
    "plane-wall": "wall",
    "plane-slit": "slit",
    "plane-shape": "shape",
}
WINDOWED = ("linear", "dense", "conv", "lstm", "gru")


def convert(old: dict[str, Any]) -> dict[str, Any]:
    """Return a config of the second edition from one of the first."""
    teacher = ADDED["teacher"] | old["teacher"]
    n_dim = teacher["n_dim"]
    grid = {
        "shape": [teacher["n_x"]] * n_dim,
        "lengths": [teacher["length"]] * n_dim,
        "dispersion": teacher["dispersion"],
        "origin": [0.0] * n_dim,
        "mass": [1.0] * n_dim,
    }
    system = {
        "name": "System",
        "grid": grid,
        "dt": teacher["dt"],
        "n_channel": 0,
        "bounds": teacher["v_range"],
    }
    student, name = old["student"], old["student"]["name"]
    if name in WINDOWED:
        form = {key: student[key] for key in ("n_units", "windows")}
    else:
        form = ADDED.get(name, {}) | student[name]
    training = ADDED["training"] | old["training"]
    training["stages"] = [
        stage | {"batches": stage["batches"] | {"placement": _placement(stage["batches"])}}
        for stage in training["stages"]
    ]
    lessons = [LESSONS.get(lesson, lesson) for lesson in old["curriculum"]["lessons"]]
    return {
        "preset": old["preset"],
        "seed": old["seed"],
        "system": system,
        "teacher": {key: teacher[key] for key in ("solver", "tolerance", "n_substeps")},
        "curriculum": old["curriculum"] | {"lessons": lessons},
        "student": {"name": name, **form},
        "training": training,
        "benchmark": {"n_substeps": 100, "n_cases": 24} | old["benchmark"],
        "extensions": [],
    }


def _placement(batches: dict[str, Any]) -> str:
    return {"landscape": "potential"}.get(batches["placement"], batches["placement"])


def is_old(tree: Any) -> bool:
    """Return whether a dict is a config of the first edition."""
    if not isinstance(tree, dict) or not {"teacher", "student", "curriculum"} <= set(tree):
        return False
    return "dt" in tree["teacher"]


def sealed(tree: dict[str, Any]) -> str:
    """Return a config of any edition as JSON of the present one, with its checksum."""
    if "sha256" not in tree:
        tree = convert(tree) if is_old(tree) else tree
        tree = tree | {"sha256": config.checksum(config.from_tree(tree))}
    text = json.dumps(tree, indent=2, allow_nan=False) + "\n"
    config.from_json(text)
    return text


def convert_folder(out: pathlib.Path) -> bool:
    """Convert the folder of a run; return whether it had to be converted."""
    path = out / "config.json"
    tree = json.loads(path.read_text())
    text = sealed(tree)
    is_done = "sha256" not in tree
    if is_done:
        records.write(path, text)
    run = json.loads(text)["sha256"]
    for step in checkpoints.steps_in(out / "checkpoints"):
        is_done |= _mark(out / "checkpoints" / str(step), {"step": step, "run": run})
    scores = out / "metrics.json"
    if checkpoints.steps_in(out / "checkpoints") and scores.exists():
        metrics = json.loads(scores.read_text())
        emulator, step = folder.restore(out)
        if "params_sha256" not in metrics and metrics["training_steps"] == step:
            records.write_json(
                scores, metrics | {"params_sha256": records.fingerprint(emulator.params)}
            )
            is_done = True
    return is_done


def _mark(checkpoint: pathlib.Path, of: dict[str, Any]) -> bool:
    """Write its identity into a checkpoint; return whether it was missing."""
    path, list_of_sums = (checkpoint / name for name in (checkpoints.METRICS, checkpoints.SUMS))
    metrics = json.loads(path.read_text())
    if "run" in metrics:
        return False
    records.write(path, json.dumps(metrics | of))
    if list_of_sums.exists():
        noted = json.loads(list_of_sums.read_text())
        mine = str(checkpoints.METRICS)
        records.write(list_of_sums, json.dumps(noted | {mine: checkpoints.sums(checkpoint)[mine]}))
    return True


def convert_file(path: pathlib.Path) -> bool:
    """Convert a package file; return whether it had to be converted."""
    with np.load(path) as members:
        arrays = dict(members)
    about = json.loads(arrays.pop("about").item())
    if "sha256" in about and "sha256" in about["config"]:
        return False
    pretrained.pack(path, about | {"config": json.loads(sealed(about["config"]))}, arrays)
    return True


def main() -> None:
    """Convert every place given on the command line."""
    for place in map(pathlib.Path, sys.argv[1:]):
        try:
            done = convert_folder(place) if place.is_dir() else convert_file(place)
        except (OSError, ValueError, KeyError) as error:
            sys.exit(f"convert.py: `{place}`: {error}")
        print(f"{place}: {'converted' if done else 'nothing to do'}")


if __name__ == "__main__":
    main()
