"""Emulators in files: those of the package, and those of runs."""

import dataclasses
import json
import pathlib
import zipfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from qdistill import _refusals
from qdistill._checks import refuse, require_one_of
from qdistill.runs import config
from qdistill.students import Emulator

FOLDER = pathlib.Path(__file__).parent / "packaged"


def names() -> list[str]:
    """Return the names of the emulators that come with the package.

    >>> "unitary" in names()
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def load(name: str) -> Emulator:
    """Return an emulator that comes with the package, by its name.

    Raises:
      ValueError: For an unknown name, with the list of names.

    >>> emulator = load("unitary")
    >>> f"{emulator.score['mean_infidelity']:.1e}"
    '4.4e-06'
    """
    require_one_of(names(), name=name)
    return read(FOLDER / f"{name}.npz")


def find(place: str) -> Emulator:
    """Return an emulator by its name in the package, by its file, or by the folder of its run.

    Raises:
      FileNotFoundError: If it is none of these, with the list of names.
      ValueError: If the file or run is damaged.
    """
    path = pathlib.Path(place)
    if place in names() and not path.exists():
        return load(place)
    if not path.exists():
        raise FileNotFoundError(
            f"There is no run in `{place}`, and no emulator of that name comes with the package; "
            f"there are {', '.join(names())}."
        )
    return from_run(path) if path.is_dir() else read(path)


def from_run(out: pathlib.Path | str, commit: str | None = None) -> Emulator:
    """Return the emulator of a run with its score, from the run's folder.

    Args:
      out: The folder.
      commit: Of the code that trained it, for a run from before runs noted it.

    Raises:
      FileNotFoundError: If there is no run, or no checkpoint.
      ValueError: If the run is damaged, or notes another commit.
    """
    # Orbax takes a second: it is imported where a run is read.
    from qdistill.runs import distillation, folder

    out = pathlib.Path(out)
    emulator = folder.load(out)
    path, score, notes = out / "metrics.json", None, emulator.provenance
    if path.exists():
        metrics = json.loads(path.read_text())
        score = distillation.means(metrics)
        if commit and not notes:
            unknown = dict.fromkeys(("is_modified", "date"))
            notes = ({"commit": commit, **unknown, "environment": metrics["environment"]},)
    if commit and notes and notes[-1]["commit"] != commit:
        refuse("commit", f"the one that the run notes, {notes[-1]['commit']}", commit)
    return dataclasses.replace(emulator, score=score, provenance=notes)


def write(path: pathlib.Path, emulator: Emulator) -> None:
    """Write an emulator to a file, which `read` reads.

    Raises:
      ValueError: For an emulator without a config or a score.
      OSError: If the file cannot be written.
    """
    if emulator.config is None or emulator.score is None:
        cure = "Let `qdistill distill` finish the run; --resume continues it."
        refuse("emulator", "of a finished run, with its score", "without", cure)
    about = {
        "config": json.loads(config.to_json(emulator.config)),
        "score": emulator.score,
        "provenance": list(emulator.provenance),
    }
    arrays: dict[str, Any] = {n: np.asarray(leaf) for n, leaf in _leaves(emulator.params).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez_compressed(file, about=json.dumps(about, allow_nan=False), **arrays)


def read(path: pathlib.Path | str) -> Emulator:
    """Return the emulator of a file that `write` wrote.

    Raises:
      FileNotFoundError: If it is not there.
      ValueError: If it is damaged, or no such file.
    """
    path = pathlib.Path(path)
    try:
        # Opened here, so that it is closed where it is damaged.
        with path.open("rb") as file, np.load(file) as members:
            arrays = dict(members)
        about = json.loads(arrays.pop("about").item())
        settings = config.from_json(json.dumps(about["config"]))
        student = settings.student.build(settings.system)
        like = jax.eval_shape(student.init, jax.random.key(0))
        shapes = {name: leaf.shape for name, leaf in _leaves(like).items()}
        if shapes != {name: array.shape for name, array in arrays.items()}:
            raise ValueError("its arrays are not those of the student that it names.")
        leaves = [jnp.asarray(arrays[n], leaf.dtype) for n, leaf in _leaves(like).items()]
        params = jax.tree.unflatten(jax.tree.structure(like), leaves)
        notes = tuple(about["provenance"])
        return student.bind(params, config=settings, score=about["score"], provenance=notes)
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"`{path}` cannot be read as an emulator: {error}") from error


def _leaves(params: PyTree) -> dict[str, Any]:
    """The arrays of parameters, by their places."""
    return {
        jax.tree_util.keystr(place, simple=True, separator="/"): leaf
        for place, leaf in jax.tree.leaves_with_path(params)
    }


_refusals.tell(__name__)
