"""Splitting of batches over devices: GPUs, or parts of one CPU.

A jitted function of arrays that `split` has placed runs on all devices, and the compiler adds the
communication. `on_each` is for functions that need no communication.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from qdistill._checks import refuse, require_at_least

Map: TypeAlias = Callable[..., PyTree]
AXIS = "batch"


def use_cpu_devices(n_devices: int) -> None:
    """Make the CPU count as several devices. Call it before any computation.

    Raises:
      RuntimeError: If JAX has already computed something.
    """
    require_at_least(1, n_devices=n_devices)
    jax.config.update("jax_num_cpu_devices", n_devices)


def mesh(n_devices: int | None = None) -> Mesh:
    """Return a one-dimensional mesh of the first `n_devices` devices, or of all.

    Raises:
      ValueError: If there are fewer devices.

    >>> mesh(1).axis_names, mesh(1).size
    (('batch',), 1)
    """
    there = jax.devices()
    n_devices = len(there) if n_devices is None else n_devices
    require_at_least(1, n_devices=n_devices)
    if n_devices > len(there):
        cure = "Call devices.use_cpu_devices(n) before any computation to split a CPU."
        refuse("n_devices", f"at most {len(there)}", n_devices, cure)
    return jax.make_mesh((n_devices,), (AXIS,), (AxisType.Auto,), devices=there[:n_devices])


def split(row: Mesh, tree: PyTree) -> PyTree:
    """Return a pytree with the first axis of every array split over the devices.

    Raises:
      ValueError: If the length of an axis is not a multiple of the number of devices.
    """
    _require_divisible(row, tree)
    return jax.device_put(tree, NamedSharding(row, PartitionSpec(AXIS)))


def replicate(row: Mesh, tree: PyTree) -> PyTree:
    """Return a pytree with every array copied to each device."""
    return jax.device_put(tree, NamedSharding(row, PartitionSpec()))


def on_each(row: Mesh, function: Map) -> Map:
    """Return a function of batches that each device applies to its own part of the first axis.

    There is no communication: a mean over the batch becomes a mean over the part.

    Args:
      row: The mesh of devices.
      function: A function of arrays, or pytrees of them, with a common first axis.

    Raises:
      ValueError: When called, if the length of an axis is not a multiple of the number of devices.

    >>> import jax.numpy as jnp
    >>> on_each(mesh(1), jnp.sin)(jnp.zeros(3))
    Array([0., 0., 0.], dtype=float32)
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
