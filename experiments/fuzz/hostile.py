"""Hostile values in place of a valid argument, and their expected effects."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.fuzz.calls import Copy, New, scratch
from qdistill.physics.grid import Grid
from qdistill.system import System

NAN, INF = float("nan"), float("inf")


class Hostile(NamedTuple):
    """A hostile value, and its kind.

    Attributes:
      kind: ``"same"`` for the valid value in another form, which must be refused or change nothing;
        ``"nan"`` for a value with NaN or infinity; otherwise ``"bad"``.
      value: The value.
    """

    kind: str
    value: Any


def hostile(rng: np.random.Generator, value: Any) -> Hostile:
    """Return a hostile value in place of a valid one, or one with a hostile part."""
    if is_box(value) and len(parts := _parts(value)) and rng.random() < 0.5:
        name = list(parts)[rng.integers(len(parts))]
        kind, inner = hostile(rng, parts[name])
        return Hostile(kind, _with_part(value, name, inner))
    choices = [*_like(rng, value), *(Hostile("bad", each) for each in _others(value))]
    return choices[rng.integers(len(choices))]


def is_box(value: Any) -> bool:
    """Return whether a value has parts that can be replaced one by one."""
    if dataclasses.is_dataclass(value):
        return type(value).__name__.endswith("Config")
    return isinstance(value, tuple | list | dict) and not isinstance(value, New | Copy)


def _parts(value: Any) -> dict[Any, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, tuple | list):
        return dict(enumerate(value))
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _with_part(value: Any, name: Any, inner: Any) -> Any:
    if isinstance(value, dict):
        return {**value, name: inner}
    if isinstance(value, tuple | list):
        items = [inner if i == name else item for i, item in enumerate(value)]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return dataclasses.replace(value, **{name: inner})


def _others(value: Any) -> list[Any]:
    """The values of other types."""
    others: list[Any] = [None, "two", 3, 2.5, 1j, True, [], {}, object(), b"x", np.zeros((2, 2))]
    if callable(value):
        others += [lambda: None, lambda *given: NAN]
    return [each for each in others if type(each) is not type(value)]


def _like(rng: np.random.Generator, value: Any) -> list[Hostile]:
    """The values of the same or a similar type."""
    if isinstance(value, bool):
        return []
    if isinstance(value, int | float):
        return _numbers(value)
    if isinstance(value, jax.Array | np.ndarray):
        is_key = jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
        return [Hostile("bad", jnp.zeros(2))] if is_key else _arrays(rng, value)
    if isinstance(value, New | Copy | pathlib.Path):
        return _paths(value)
    makers: list[tuple[type | tuple, Callable[[Any], list[Any]]]] = [
        (str, _texts),
        ((tuple, list), _sequences),
        (Mapping, lambda v: [{}, dict(list(v.items())[1:]), {**v, "other": 3}]),
        (Grid, _grids),
        (System, _systems),
    ]
    for kind, make in makers:
        if isinstance(value, kind):
            return [Hostile("bad", each) for each in make(value)]
    return []


def _numbers(value: float) -> list[Hostile]:
    same = [np.float64(value), np.float32(value), jnp.asarray(value), np.asarray(value)]
    nan = [NAN, INF, -INF, np.float32(NAN)]
    bad = [0, -1, -value, 0.5, 1e6, -1e6, 1e-300, np.array([1.0, 2.0]), jnp.ones(3)]
    if isinstance(value, int):
        same, bad = [np.int64(value), jnp.asarray(value)], [0, -1, -7, 0.5, 2.5, np.ones(2, int)]
    return [
        Hostile(kind, each)
        for kind, values in (("same", same), ("nan", nan), ("bad", bad))
        for each in values
    ]


def _arrays(rng: np.random.Generator, value: Any) -> list[Hostile]:
    array = np.asarray(value)
    twice = np.repeat(array, 2, axis=-1) if array.ndim else array
    bad: list[Any]
    same = [array, array.astype(_double(array.dtype)), jnp.asarray(value), array.tolist()]
    same += [twice[..., ::2]] if array.ndim else []
    bad = [
        array[None],
        array.astype(str),
        array.astype(object),
        -array if array.dtype != bool else None,
    ]
    bad += [array.astype(complex), array.real.astype(int), array.real > 0]
    if array.ndim:
        bad += [array[:0], array[:-1], array[0], np.concatenate([array, array]), array[..., None]]
        bad += [array[..., :-1], array[::-1], 1e6 * array]
    nan = []
    if array.size and np.issubdtype(array.dtype, np.inexact):
        for number in (NAN, INF):
            spoilt = array.copy()
            spoilt.flat[rng.integers(array.size)] = number
            nan += [spoilt, jnp.asarray(spoilt)]
    if isinstance(value, jax.Array):
        bad = [
            jnp.asarray(each) if _is_numeric(each) and rng.random() < 0.7 else each for each in bad
        ]
    return [
        Hostile(kind, each)
        for kind, values in (("same", same), ("nan", nan), ("bad", bad))
        for each in values
    ]


def _double(dtype: Any) -> Any:
    return {"f": np.float64, "c": np.complex128, "i": np.int64}.get(np.dtype(dtype).kind, dtype)


def _is_numeric(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fciub"


def _texts(value: str) -> list[Any]:
    return ["", "x" * 10_000, "\0", "../..", "no such name", value + " ", value.upper(), "\u221e"]


def _sequences(value: Any) -> list[Any]:
    kind = (lambda items: tuple(items)) if isinstance(value, tuple) else list
    first = value[0] if len(value) else 1
    found = [kind([]), kind([*value, first]), kind(value[:-1]), kind(value[::-1]), kind([None])]
    return [*found, kind([NAN] * len(value)), kind([[first]]), list(value), tuple(value), "abc"]


def _paths(value: Any) -> list[Hostile]:
    folder = scratch() / "folder"
    folder.mkdir(exist_ok=True)
    (folder / "file.txt").write_text("words")
    file = scratch() / "file.json"
    file.write_text("{ words")
    values: list[Any] = [
        New("nowhere"), New("nowhere/at/all.npz"), Copy(folder), Copy(file), pathlib.Path("\0"),
        New("x" * 5000), "", New("it.gif"), New("it.unknown"),
    ]  # fmt: skip
    return [Hostile("bad", each) for each in values]


def _grids(grid: Grid) -> list[Any]:
    n, length = grid.shape[0], grid.lengths[0]
    more = [Grid(n - 1, length), Grid(2 * n, length), Grid(n, 3 * length), Grid(2, 1.0)]
    more += [Grid((n, n), (length, length)), Grid((4, 4, 4), (4.0, 4.0, 4.0))]
    return [*more, Grid(n, length, "continuum"), Grid(n, length, origin=-7.0, mass=2.0)]


def _systems(system: System) -> list[Any]:
    change = dataclasses.replace
    kinds = [change(system, grid=grid) for grid in _grids(system.grid)]
    kinds += [change(system, dt=-system.dt), change(system, dt=7.0), change(system, n_channel=2)]
    return [*kinds, change(system, bounds=None), change(system, bounds=(0.0, 0.1))]
