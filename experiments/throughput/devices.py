"""Batches whose parts devices compute without communication."""

from collections.abc import Callable
from typing import TypeAlias

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from qdistill._checks import refuse
from qdistill._distribute import AXIS

Map: TypeAlias = Callable[..., PyTree]


def split(row: Mesh, tree: PyTree) -> PyTree:
    """Return a pytree with the first axis of every array split over the devices.

    Raises:
      ValueError: If the length of an axis is not a multiple of the number of devices.
    """
    _require_divisible(row, tree)
    return jax.device_put(tree, NamedSharding(row, PartitionSpec(AXIS)))


def on_each(row: Mesh, function: Map) -> Map:
    """Return a function of batches that each device applies to its own part of the first axis.

    There is no communication: a mean over the batch becomes a mean over the part.

    Args:
      row: The mesh of devices.
      function: A function of arrays, or pytrees of them, with a common first axis.

    Raises:
      ValueError: When called, if the length of an axis is not a multiple of the number of devices.
    """
    spec = PartitionSpec(AXIS)
    mapped = jax.shard_map(function, mesh=row, in_specs=spec, out_specs=spec, check_vma=False)

    def checked(*args: PyTree) -> PyTree:
        _require_divisible(row, args)
        return mapped(*args)

    return checked


def _require_divisible(row: Mesh, tree: PyTree) -> None:
    for leaf in jax.tree.leaves(tree):
        if leaf.ndim == 0 or leaf.shape[0] % row.size:
            requirement = f"a multiple of {row.size} devices"
            refuse("first axis", requirement, leaf.shape[0] if leaf.ndim else "missing")
