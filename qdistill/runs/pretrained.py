"""Emulators in files: packaged ones, and those of runs."""

import dataclasses
import io
import json
import pathlib
import sys
import zipfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from qdistill import _files
from qdistill._checks import refuse, require_arrays, require_one_of
from qdistill._refusals import explained
from qdistill.runs import config, provenance, records
from qdistill.students import Emulator, Reach

FOLDER = pathlib.Path(__file__).parent / "packaged"
# Entries of a file next to the parameters.
ABOUT = ("config", "score", "provenance", "sha256")
# Optional entries. Without them the ranges of the lessons are sampled when first needed.
REACH = "reach"


@explained
def names() -> list[str]:
    """Return the names of the emulators that come with the package.

    >>> "unitary" in names()
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


@explained
def load(name: str) -> Emulator:
    """Return a packaged emulator by its name.

    Raises:
      ValueError: For an unknown name, with the list of names.

    >>> emulator = load("unitary")
    >>> f"{emulator.score['mean_infidelity']:.1e}"
    '4.4e-06'
    """
    require_one_of(names(), name=name)
    return read(FOLDER / f"{name}.npz")


@explained
def find(place: str) -> Emulator:
    """Return an emulator by its packaged name, by its file, or by the folder of its run.

    Raises:
      FileNotFoundError: If there is none, with the list of packaged names.
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


@explained
def from_run(out: pathlib.Path | str, commit: str | None = None) -> Emulator:
    """Return the emulator of a run with its score, from the run's folder.

    Args:
      out: Folder of the run.
      commit: Commit of the code of the training, for old runs without provenance.

    Raises:
      FileNotFoundError: If there is no run, or no checkpoint.
      ValueError: If the run is damaged, notes another commit, or has a score of other parameters.
    """
    # Importing Orbax takes a second, so it is imported only when a run is read.
    from qdistill.runs import distillation, folder

    out = pathlib.Path(out)
    emulator, step = folder.restore(out)
    path, score, notes = out / "metrics.json", None, emulator.provenance
    if path.exists():
        metrics = distillation.read_metrics(out)
        if "params_sha256" not in metrics:
            raise ValueError(f"`{path}` does not say which parameters it scores. {config.CURE}")
        if metrics["params_sha256"] != records.fingerprint(emulator.params):
            raise ValueError(
                f"`{path}` scores the parameters of step {metrics['training_steps']}, but the "
                f"newest sound checkpoint in `{out}` is that of step {step}. The command of the "
                "run with --resume trains to the end and scores again."
            )
        score = distillation.means(metrics)
        if commit and not notes:
            unknown = dict.fromkeys(("is_modified", "date"))
            notes = ({"commit": commit, **unknown, "environment": metrics["environment"]},)
    if commit and notes and notes[-1]["commit"] != commit:
        refuse("commit", f"the one that the run notes, {notes[-1]['commit']}", commit)
    return dataclasses.replace(emulator, score=score, provenance=notes)


@explained
def write(path: pathlib.Path, emulator: Emulator) -> None:
    """Write an emulator to a file, for `read`.

    Raises:
      ValueError: For an emulator without a config or a score.
      OSError: If the file cannot be written.
    """
    if emulator.config is None or emulator.score is None:
        cure = "Let `qdistill distill` finish the run; --resume continues it."
        refuse("emulator", "of a finished run, with its score", "without", cure)
    about = {
        "config": json.loads(config.to_json(emulator.config)),
        "score": records.plain(emulator.score),
        "provenance": list(emulator.provenance),
    }
    if (taught := emulator.taught) is not None:
        about[REACH] = taught._asdict()
    pack(path, about, {name: np.asarray(leaf) for name, leaf in _leaves(emulator.params).items()})


@explained
def pack(path: pathlib.Path, about: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Write a file of parameters and metadata, with a checksum of everything.

    Raises:
      ValueError: For metadata that are not JSON, or parameters that are no arrays.
      OSError: If the file cannot be written; an existing file is not changed.
    """
    about = records.plain(about, "about")
    require_arrays(arrays=arrays)
    about = about | {"sha256": _sum(about, arrays)}
    with _files.whole(path) as new, new.open("wb") as file:
        np.savez_compressed(file, about=json.dumps(about, allow_nan=False), **arrays)


@explained
def read(path: pathlib.Path | str) -> Emulator:
    """Return the emulator of a file that `write` wrote.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it is damaged, not a file of an emulator, or of another version.
    """
    path = pathlib.Path(path)
    data = path.read_bytes()
    try:
        about, arrays = _unpack(data)
        return _build(about, arrays)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`{path}` cannot be read as an emulator: {error}") from error


def _unpack(data: bytes) -> tuple[Any, dict[str, np.ndarray]]:
    """The metadata and the arrays in the bytes of a file."""
    try:
        if not zipfile.is_zipfile(io.BytesIO(data)):
            raise ValueError("no archive")
        with np.load(io.BytesIO(data)) as members:
            arrays = {name: members[name] for name in members.files}
        # NumPy returns members that are not arrays as bytes.
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("no arrays")
    except Exception as error:  # NumPy, zipfile and zlib raise many types of errors.
        raise ValueError("it is damaged, or not an archive of arrays.") from error
    if "about" not in arrays:
        raise ValueError("it has no metadata.")
    try:
        return json.loads(str(arrays.pop("about").item())), arrays
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its metadata are not JSON: {error}") from error


def _build(about: Any, arrays: dict[str, np.ndarray]) -> Emulator:
    """The emulator from the content of a file; refused if it is not of the form of `write`."""
    if not isinstance(about, dict):
        refuse("about", "a table", repr(about)[:80])
    for name in ABOUT:
        if name not in about:
            refuse(f"about.{name}", "given", "missing", config.CURE)
    known = (*ABOUT, REACH)
    for name in set(about) - set(known):
        refuse(f"about.{name}", "one of " + ", ".join(known), "unknown", config.NEWER)
    reach = _check_reach(about[REACH]) if REACH in about else None
    settings = config.from_json(json.dumps(about["config"]))
    score, notes = check_score(about["score"]), tuple(provenance.check(about["provenance"]))
    student = settings.student.build(settings.system)
    like = jax.eval_shape(student.init, jax.random.key(0))
    forms = _leaves(like)
    if {n: leaf.shape for n, leaf in forms.items()} != {n: a.shape for n, a in arrays.items()}:
        raise ValueError("its arrays are not those of the student that it names.")
    leaves = [_as_leaf(name, arrays[name], form.dtype) for name, form in forms.items()]
    if about["sha256"] != _sum(about, arrays):
        refuse("about.sha256", "the checksum of all else in the file", repr(about["sha256"]))
    params = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return student.bind(params, config=settings, score=score, provenance=notes, reach=reach)


def _as_leaf(name: str, array: np.ndarray, dtype: Any) -> jax.Array:
    """A parameter of a file in the precision of this process."""
    kind = next((kind for kind in (jnp.floating, jnp.integer) if jnp.issubdtype(dtype, kind)), None)
    if kind is not None and not jnp.issubdtype(array.dtype, kind):
        refuse(f"params.{name}", f"of a type like {np.dtype(dtype)}", array.dtype)
    with np.errstate(over="ignore"):
        leaf = jnp.asarray(array, dtype)
    if not np.isfinite(np.asarray(leaf)).all():
        refuse(f"params.{name}", "finite", "not")
    return leaf


def _sum(about: dict[str, Any], arrays: dict[str, Any]) -> str:
    rest = {name: value for name, value in about.items() if name != "sha256"}
    return records.fingerprint(arrays, json.dumps(rest, sort_keys=True))


@explained
def check_score(score: Any) -> dict[str, Any]:
    """Return the score of an emulator; refuse one that is not a dict of numbers.

    Raises:
      ValueError: For values other than finite numbers and null.
    """
    if not isinstance(score, dict):
        refuse("score", "a table of numbers", repr(score)[:80])
    for name, value in score.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and abs(value) <= sys.float_info.max):
            refuse(f"score.{name}", "a finite number", repr(value)[:80])
    return score


def _check_reach(reach: Any) -> Reach:
    """The recorded ranges of the lessons; refused if they are not a dict of numbers."""
    if not isinstance(reach, dict) or tuple(reach) != Reach._fields:
        refuse(REACH, "a table of " + ", ".join(Reach._fields), repr(reach)[:80])
    for name, value in reach.items():
        if not isinstance(value, float) or not np.isfinite(value):
            refuse(f"{REACH}.{name}", "a finite number", repr(value)[:80])
    return Reach(**reach)


def _leaves(params: PyTree) -> dict[str, Any]:
    """The arrays of parameters by their paths."""
    return {
        jax.tree_util.keystr(place, simple=True, separator="/"): leaf
        for place, leaf in jax.tree.leaves_with_path(params)
    }
