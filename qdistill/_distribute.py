"""Data parallelism over many devices and processes: each computes its share of the examples.

Examples are split over devices and parameters are replicated, so a program gives the same result
on many devices as on one, up to the rounding of sums.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from qdistill._checks import refuse, require_at_least, require_between

Tree = TypeVar("Tree")
AXIS = "batch"


def mesh_of(n_devices: int | None = None) -> Mesh:
    """Return a one-dimensional mesh of the first `n_devices` devices, or of all.

    Raises:
      ValueError: If there are fewer devices.

    >>> mesh_of(1).axis_names, mesh_of(1).size
    (('batch',), 1)
    """
    there = jax.devices()
    n_devices = len(there) if n_devices is None else n_devices
    require_at_least(1, n_devices=n_devices)
    if n_devices > len(there):
        cure = "A CPU is split by jax.config.update('jax_num_cpu_devices', n) before any use of it."
        refuse("n_devices", f"at most {len(there)}", n_devices, cure)
    return jax.make_mesh((n_devices,), (AXIS,), (AxisType.Auto,), devices=there[:n_devices])


def make_mesh(n_devices: int | None = None) -> Mesh | None:
    """Return a mesh of devices of all processes, or None for a single device.

    Args:
      n_devices: Number of devices; None for all that are available.

    Raises:
      ValueError: If there are fewer devices, or if several processes do not use all of them.

    >>> make_mesh(1) is None
    True
    """
    mesh = mesh_of(n_devices)
    if jax.process_count() > 1 and mesh.size != len(jax.devices()):
        refuse("devices", f"{len(jax.devices())}, those of all processes", mesh.size)
    return mesh if mesh.size > 1 else None


def spread(mesh: Mesh | None, function: Callable[..., Tree]) -> Callable[..., Tree]:
    """Return a function of many examples, of which each device computes its share; jit it.

    If the number of devices does not divide the number of examples, the last example is repeated
    and its extra results are dropped.

    Args:
      mesh: The result of `make_mesh`; for None the function is returned unchanged.
      function: ``(examples, *shared) -> results``, on pytrees of arrays. The first axis of all
        leaves of examples and results counts the examples, which must be treated independently.
    """
    if mesh is None:
        return function

    def spread_function(examples: PyTree, *shared: Any) -> Tree:
        n = len(jax.tree.leaves(examples)[0])
        index = jnp.minimum(jnp.arange(-(-n // mesh.size) * mesh.size), n - 1)
        # The check of values that vary over devices is off: loops over constants would fail it.
        on_shares = jax.shard_map(
            function,
            mesh=mesh,
            in_specs=(PartitionSpec(AXIS), *[PartitionSpec()] * len(shared)),
            out_specs=PartitionSpec(AXIS),
            check_vma=False,
        )
        padded = examples if len(index) == n else jax.tree.map(lambda x: x[index], examples)
        return jax.tree.map(lambda x: x[:n], on_shares(padded, *shared))

    return spread_function


def jit(mesh: Mesh | None, function: Callable[..., Tree]) -> Any:
    """Return `jax.jit` of a function, with results replicated on every device."""
    if mesh is None:
        return jax.jit(function)
    return jax.jit(function, out_shardings=NamedSharding(mesh, PartitionSpec()))


def replicate(mesh: Mesh | None, tree: Tree) -> Tree:
    """Return a pytree of arrays replicated on every device; all processes give the same values."""
    if mesh is None:
        return tree
    whole = NamedSharding(mesh, PartitionSpec())
    return _map_data(lambda data: jax.device_put(data, whole), tree)


def to_host(tree: Tree) -> Tree:
    """Return a replicated pytree on the first device of this process alone."""
    return _map_data(lambda data: jax.device_put(data, jax.local_devices()[0]), tree)


def _map_data(put: Callable[[np.ndarray], jax.Array], tree: Tree) -> Tree:
    """A pytree with its arrays placed by `put`; random keys go by their integer data."""

    def put_leaf(leaf: jax.Array) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return put(np.asarray(leaf))
        data = put(np.asarray(jax.random.key_data(leaf)))
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))

    return jax.tree.map(put_leaf, tree)


def join(coordinator: str | None, n_processes: int | None, process: int | None) -> int:
    """Join a run of several processes, if there are several. Call it before any use of JAX.

    Arguments that are None are read from QDISTILL_COORDINATOR, QDISTILL_PROCESSES and
    QDISTILL_PROCESS. If these are not set, there is one process.

    Args:
      coordinator: Address of the first process, ``"host:port"``.
      n_processes: Number of processes.
      process: Index of this process, from 0.

    Returns:
      The number of processes, without a look at the devices, which may still be changed.

    Raises:
      ValueError: If only some of the three are given, or they do not agree.
    """
    coordinator = coordinator or os.environ.get("QDISTILL_COORDINATOR")
    n_processes = _number("QDISTILL_PROCESSES", n_processes)
    process = _number("QDISTILL_PROCESS", process)
    given = {"coordinator": coordinator, "processes": n_processes, "process": process}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return 1
    if missing:
        refuse(missing[0], "given with " + ", ".join(set(given) - set(missing)), "missing")
    require_at_least(1, processes=n_processes)
    require_at_least(0, process=process)
    require_between(0, (n_processes or 1) - 1, process=process)
    host, _, port = str(coordinator).rpartition(":")
    if not host or not port.isdecimal():
        refuse("coordinator", "host:port", repr(coordinator))
    if n_processes is None or n_processes == 1:
        return 1
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(coordinator, n_processes, process)
    return n_processes


def start(
    n_devices: int,
    coordinator: str | None = None,
    n_processes: int | None = None,
    process: int | None = None,
) -> Mesh | None:
    """Join the other processes, if any, and return the mesh. Call it before any use of JAX.

    Args:
      n_devices: Number of devices of all processes together; with several processes, 1 means all
        devices. A CPU is split into as many devices as are requested.
      coordinator, n_processes, process: See `join`.

    Raises:
      ValueError: If `join` or `make_mesh` raises it.
    """
    require_at_least(1, devices=n_devices)
    n_processes = join(coordinator, n_processes, process)
    if n_processes > 1 and n_devices == 1:
        return make_mesh()
    if n_devices > 1:
        # Only the number of CPU devices is set, which has no effect on GPUs.
        jax.config.update("jax_num_cpu_devices", -(-n_devices // n_processes))
    return make_mesh(n_devices)


def is_main() -> bool:
    """Return whether this is the process that writes files."""
    return jax.process_index() == 0


def wait(name: str) -> None:
    """Wait until all processes have reached the barrier of this name."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def any_process(flag: bool) -> bool:
    """Return whether the flag is set in any process; all processes must call this."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def _number(name: str, value: int | None) -> int | None:
    text = os.environ.get(name)
    if value is not None or text is None:
        return value
    if not text.isdecimal():
        refuse(name, "a whole number", repr(text))
    return int(text)
