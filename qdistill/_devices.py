"""The devices over which a batch is split: GPUs, or parts of one CPU.

Arrays that `split` has placed keep their meaning: any jitted function of them runs on all devices,
and the compiler adds what has to be exchanged. `on_each` is for what needs no exchange.
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
    """Make the CPU count as several devices; before anything is computed.

    Raises:
      RuntimeError: If JAX has already computed something.
    """
    require_at_least(1, n_devices=n_devices)
    jax.config.update("jax_num_cpu_devices", n_devices)


def mesh(n_devices: int | None = None) -> Mesh:
    """The first `n_devices`, or all, as one row.

    Raises:
      ValueError: For more devices than there are.

    >>> mesh(1).axis_names, mesh(1).size
    (('batch',), 1)
    """
    there = jax.devices()
    n_devices = len(there) if n_devices is None else n_devices
    require_at_least(1, n_devices=n_devices)
    if n_devices > len(there):
        cure = "More parts of a CPU: devices.use_cpu_devices(n), before anything is computed."
        refuse("n_devices", f"at most {len(there)}", n_devices, cure)
    return jax.make_mesh((n_devices,), (AXIS,), (AxisType.Auto,), devices=there[:n_devices])


def split(row: Mesh, tree: PyTree) -> PyTree:
    """The first axis of every array over the devices.

    Raises:
      ValueError: If an axis is no multiple of their number.
    """
    _require_divisible(row, tree)
    return jax.device_put(tree, NamedSharding(row, PartitionSpec(AXIS)))


def replicate(row: Mesh, tree: PyTree) -> PyTree:
    """A copy of every array on each device."""
    return jax.device_put(tree, NamedSharding(row, PartitionSpec()))


def on_each(row: Mesh, function: Map) -> Map:
    """A function of batches, each device applying it to its own part of the first axis of all.

    Parts do not know of each other: a mean over the batch is one of the part.

    Args:
      row: The devices.
      function: Of arrays, or trees of them, that share their first axis.

    Raises:
      ValueError: When called, if an axis is no multiple of the number of devices.

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
