"""Trained students that come with the package: `qdistill.load("unitary")` forecasts at once.

Each is a file of arrays beside this one. It carries the config of the run that it comes from, the
run's score on the paper's test, and what is known of the code and machine that trained it.
"""

import functools
import json
import pathlib
import zipfile
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, PyTree

from qdistill import config, provenance, students, teacher
from qdistill.arguments import (
    refuse,
    require_at_least,
    require_between,
    require_finite,
    require_one_of,
    require_real,
    require_shape,
)
from qdistill.config import Config
from qdistill.grid import Grid
from qdistill.rollout import rollout
from qdistill.solver import Step
from qdistill.students import Student, StudentConfig
from qdistill.teacher import TeacherConfig

FOLDER = pathlib.Path(__file__).parent


class Pretrained(NamedTuple):
    """A trained student.

    Attributes:
      config: All settings of its run.
      grid: Where it forecasts.
      student: What it is.
      params: What it learned.
      score: Its cost, and its means on the paper's test, as in `metrics.json`; None if it has none.
      provenance: Who worked on the run, oldest first, see `provenance.now`.
    """

    config: Config
    grid: Grid
    student: Student
    params: PyTree
    score: dict[str, Any] | None
    provenance: list[dict[str, Any]]

    @property
    def commit(self) -> str | None:
        """Of the code that ended its training; None if that is not known."""
        return self.provenance[-1]["commit"] if self.provenance else None

    def propagator(self, v: Float[Array, " n_x"]) -> Step:
        """Its step of `config.teacher.dt` in a landscape, used as a teacher's is.

        The state is psi, or the last `student.n_history` frames, oldest first.

        Args:
          v: Landscape in hartree.

        Raises:
          ValueError: For what is no landscape on `grid`.

        >>> student = load("unitary")
        >>> step = student.propagator(jnp.zeros(1024))
        >>> step(jnp.ones(1024, jnp.complex64)).shape
        (1024,)
        """
        _require_landscape(self.grid, v)
        return self.student.propagator(self.params)(v)

    def forecast(
        self, psi: Complex[Array, "*n_t n_x"], v: Float[Array, " n_x"], n_frames: int
    ) -> Complex[Array, "n_frames n_x"]:
        """The frames that follow psi, or that follow several given frames.

        A student that needs more than one frame, and is given psi alone, takes its first ones
        from the run's own solver; they are the first of the result.

        Args:
          psi: One frame, or several, oldest first; in bohr^(-1/2).
          v: Landscape in hartree.
          n_frames: How many.

        Raises:
          ValueError: For frames or a landscape of another shape than `grid`'s, too few frames, and
            a landscape outside `config.teacher.v_range` where the solver is needed.

        >>> load("unitary").forecast(jnp.ones(1024, jnp.complex64), jnp.zeros(1024), 5).shape
        (5, 1024)
        """
        _require_landscape(self.grid, v)
        is_alone = psi.ndim == len(self.grid.shape)
        frames = psi[None] if is_alone else psi
        require_shape((len(frames), *self.grid.shape), psi=frames)
        n_solved = self.student.n_history - 1 if is_alone else 0
        require_at_least(1 + n_solved, n_frames=n_frames)
        if n_solved:
            require_between(*self.config.teacher.v_range, v=v)
        return _forecast(
            self.config.student, self.config.teacher, n_solved, n_frames, self.params, frames, v
        )


# What is compiled serves every student of one form.
@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _forecast(
    form: StudentConfig,
    physics: TeacherConfig,
    n_solved: int,
    n_frames: int,
    params: PyTree,
    frames: Complex[Array, "n_t n_x"],
    v: Float[Array, " n_x"],
) -> Complex[Array, "n_frames n_x"]:
    grid, solve = teacher.make(physics)
    student = students.make(form, grid, physics.dt)
    solved = rollout(solve(v), frames[-1], n_solved) if n_solved else frames[:0]
    state = student.state(jnp.concatenate([frames, solved]))
    step = student.propagator(params)(v)
    return jnp.concatenate([solved, rollout(step, state, n_frames - n_solved, student.psi)])


def names() -> list[str]:
    """The names of the students that come with the package.

    >>> "unitary" in names()
    True
    """
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def load(name: str) -> Pretrained:
    """A student that comes with the package, by its name.

    Raises:
      ValueError: For an unknown name, with the list of names.

    >>> student = load("unitary")
    >>> f"{student.score['mean_infidelity']:.1e}"
    '4.4e-06'
    """
    require_one_of(names(), name=name)
    return read(FOLDER / f"{name}.npz")


def from_run(out: pathlib.Path, commit: str | None = None) -> Pretrained:
    """The student of a run, from the run's folder.

    Args:
      out: The folder.
      commit: Of the code that trained it, for a run from before runs noted it.

    Raises:
      FileNotFoundError: If there is no run, or no checkpoint.
      ValueError: If the run is damaged, or notes another commit.
    """
    from qdistill import runs

    settings, setup, params = runs.load(out)
    path, score, notes = out / "metrics.json", None, provenance.read(out)
    if path.exists():
        metrics = json.loads(path.read_text())
        costs = ("n_parameters", "training_steps", "training_seconds")
        means = {name: of for name, of in metrics["benchmark"].items() if name != "cases"}
        score = {name: metrics[name] for name in costs} | means
        if commit and not notes:
            unknown = dict.fromkeys(("is_modified", "date"))
            notes = [{"commit": commit, **unknown, "environment": metrics["environment"]}]
    if commit and notes and notes[-1]["commit"] != commit:
        refuse("commit", f"the one that the run notes, {notes[-1]['commit']}", commit)
    return Pretrained(settings, setup.grid, setup.student, params, score, notes)


def write(path: pathlib.Path, student: Pretrained) -> None:
    """Write a student to a file, which `read` reads.

    Raises:
      ValueError: For a student without a score.
      OSError: If the file cannot be written.
    """
    if student.score is None:
        cure = "Let distill.py finish the run; --resume goes on with it."
        refuse("student.score", "there", "missing", cure)
    about = {
        "config": json.loads(config.to_json(student.config)),
        "score": student.score,
        "provenance": student.provenance,
    }
    arrays: dict[str, Any] = {n: np.asarray(leaf) for n, leaf in _leaves(student.params).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez_compressed(file, about=json.dumps(about, allow_nan=False), **arrays)


def read(path: pathlib.Path) -> Pretrained:
    """The student of a file that `write` wrote.

    Raises:
      FileNotFoundError: If it is not there.
      ValueError: If it is damaged, or no such file.
    """
    try:
        # Opened here, so that it is closed where it is damaged.
        with path.open("rb") as file, np.load(file) as members:
            arrays = dict(members)
        about = json.loads(arrays.pop("about").item())
        settings = config.from_json(json.dumps(about["config"]))
        grid, _ = teacher.make(settings.teacher)
        student = students.make(settings.student, grid, settings.teacher.dt)
        like = jax.eval_shape(student.init, jax.random.key(0))
        shapes = {name: leaf.shape for name, leaf in _leaves(like).items()}
        if shapes != {name: array.shape for name, array in arrays.items()}:
            raise ValueError("its arrays are not those of the student that it names")
        leaves = [jnp.asarray(arrays[n], leaf.dtype) for n, leaf in _leaves(like).items()]
        params = jax.tree.unflatten(jax.tree.structure(like), leaves)
        return Pretrained(settings, grid, student, params, about["score"], about["provenance"])
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"`{path}` is not the file of a student: {error}.") from error


def _leaves(params: PyTree) -> dict[str, Any]:
    """The arrays of parameters, by their places."""
    return {
        jax.tree_util.keystr(place, simple=True, separator="/"): leaf
        for place, leaf in jax.tree.leaves_with_path(params)
    }


def _require_landscape(grid: Grid, v: Array) -> None:
    require_shape(grid.shape, v=v)
    require_real(v=v)
    require_finite(v=v)
