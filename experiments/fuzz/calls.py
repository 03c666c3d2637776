"""A valid small call of every public function and class: milliseconds each, with few shapes."""

import dataclasses
import functools
import inspect
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.fuzz.names import name_of
from qdistill._checks import require_one_of
from qdistill.forecast.cases import Cases
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.system import System
from qdistill.teacher import chebyshev, split_step


class Call(NamedTuple):
    """A public function and valid arguments of it.

    Attributes:
      function: The function.
      arguments: Arguments by name. A `New` or a `Copy` is made again for every call.
      read: ``result -> values``, the part of the result that is checked; by default all of it.
      is_slow: Whether it takes seconds, because it calls many of the others.
    """

    function: Callable[..., Any]
    arguments: dict[str, Any]
    read: Callable[[Any], Any]
    is_slow: bool = False

    def __call__(self, /, **changed: Any) -> Any:
        """Call the function, with some arguments changed, and read the result."""
        given = {name: _made(value) for name, value in (self.arguments | changed).items()}
        # A `singledispatch` function takes its first argument by position.
        bound = inspect.signature(self.function).bind(**given)
        return self.read(self.function(*bound.args, **bound.kwargs))


class New(NamedTuple):
    """The path of a file or folder that does not exist yet."""

    name: str


class Copy(NamedTuple):
    """The path of a new copy of a file or folder."""

    path: pathlib.Path


def _made(value: Any) -> Any:
    if isinstance(value, New):
        return pathlib.Path(tempfile.mkdtemp(dir=scratch())) / value.name
    if isinstance(value, Copy):
        place = pathlib.Path(tempfile.mkdtemp(dir=scratch())) / value.path.name
        copy = shutil.copytree if value.path.is_dir() else shutil.copyfile
        return pathlib.Path(copy(value.path, place))
    return value


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory()


def scratch() -> pathlib.Path:
    """Return a folder for the files of calls, which is removed when the process ends."""
    return pathlib.Path(_scratch().name)


class Calls(dict[str, Call]):
    """The calls by the names of their functions."""

    def add(
        self,
        function: Callable[..., Any],
        /,
        read: Callable[[Any], Any] = lambda result: result,
        **arguments: Any,
    ) -> None:
        """Add the call of a function."""
        inspect.signature(function).bind(**arguments)
        self[name_of(function)] = Call(function, arguments, read)

    def add_slow(self, function: Callable[..., Any], /, **arguments: Any) -> None:
        """Add the call of a function that takes seconds."""
        self.add(function, **arguments)
        self[name_of(function)] = self[name_of(function)]._replace(is_slow=True)


class Samples:
    """The small arrays and solvers of one system, shared by all calls, in the present precision."""

    def __init__(self) -> None:  # noqa: D107
        self.key = jax.random.key(0)
        # A spacing of half a bohr allows wavenumbers up to 6.3 per bohr.
        self.line = Grid(64, 32.0)
        self.x = self.line.positions()
        self.plane = Grid((32, 32), (16.0, 16.0))
        self.system = System(self.line, bounds=(-16.0, 31.0))
        self.psi = packets.gaussian(self.line, centre=12.0, width=1.5, momentum=2.0)
        self.v = potentials.barrier(self.x, height=2.0, width=3.0, centre=16.0)
        self.frames = jnp.stack([self.psi, 1j * self.psi, -self.psi])
        self.many_v = jnp.stack([self.v, 0.5 * self.v])
        self.solver = split_step(self.system, n_substeps=4)
        self.exact = chebyshev(self.system, 1e-5)
        given = jnp.stack([jnp.stack([self.psi] * 4)] * 2)
        self.cases = Cases(given, self.many_v, given[:, :3], ("barrier", "well"))


def calls_of(part: str, samples: Samples | None = None) -> Calls:
    """Return the calls of a subpackage, with arguments in the present precision."""
    from experiments.fuzz import calls_insight, calls_physics, calls_plots, calls_runs, calls_work

    makers = {
        "physics": calls_physics.physics,
        "system": calls_physics.system,
        "teacher": calls_physics.teacher,
        "curriculum": calls_work.curriculum,
        "students": calls_work.students,
        "training": calls_work.training,
        "forecast": calls_work.forecast,
        "insight": calls_insight.insight,
        "plots": calls_plots.plots,
        "runs": calls_runs.runs,
    }
    require_one_of(makers, subpackages=part)
    found = Calls()
    makers[part](found, samples or Samples())
    return found


def arrays(result: Any) -> list[Any]:
    """Return all arrays of numbers in a result: in pytrees, dataclasses and containers."""
    if isinstance(result, jax.Array | np.ndarray):
        is_key = jnp.issubdtype(result.dtype, jax.dtypes.prng_key)
        return [] if is_key else [result]
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        result = [getattr(result, field.name) for field in dataclasses.fields(result)]
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, list | tuple):
        return [array for value in result for array in arrays(value)]
    return []
