"""Convert runs and package files of the first edition: `python experiments/convert.py PLACE ...`.

A place is the folder of a run, or a file of `publish.py`. Places in the new form are not changed.
Checkpoints need no conversion: parameters have the same names and shapes.
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
from qdistill.runs import config, records

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
    """Whether a table is a config of the first edition."""
    if not isinstance(tree, dict) or not {"teacher", "student", "curriculum"} <= set(tree):
        return False
    return "dt" in tree["teacher"]


def convert_folder(out: pathlib.Path) -> bool:
    """Convert `config.json` of a run's folder; return whether it had to be converted."""
    path = out / "config.json"
    tree = json.loads(path.read_text())
    if not is_old(tree):
        return False
    new = convert(tree)
    config.from_json(json.dumps(new))
    records.write(path, json.dumps(new, indent=2, allow_nan=False) + "\n")
    return True


def convert_file(path: pathlib.Path) -> bool:
    """Convert the config in a package file; return whether it had to be converted."""
    with np.load(path) as members:
        arrays = dict(members)
    about = json.loads(arrays.pop("about").item())
    if not is_old(about["config"]):
        return False
    about["config"] = convert(about["config"])
    config.from_json(json.dumps(about["config"]))
    new = path.with_name(path.name + ".new")
    with new.open("wb") as file:
        np.savez_compressed(file, about=json.dumps(about, allow_nan=False), **arrays)
    new.replace(path)
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
