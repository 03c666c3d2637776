"""Many devices, and many processes: the same programs, each on its share of the examples.

Whatever stands for one example is computed where the example lies, and parameters lie everywhere,
so a program gives on many devices what it gives on one, to the rounding of its sums.
"""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from qdistill import _devices as devices
from qdistill._checks import refuse, require_at_least, require_between

Tree = TypeVar("Tree")


def make_mesh(n_devices: int | None = None) -> Mesh | None:
    """A row of devices, those of all processes; None for a single device, which needs no mesh.

    Args:
      n_devices: How many; None for all there are.

    Raises:
      ValueError: If there are not so many, or with several processes, if not all are taken.

    >>> make_mesh(1) is None
    True
    """
    row = devices.mesh(n_devices)
    if jax.process_count() > 1 and row.size != len(jax.devices()):
        refuse("devices", f"{len(jax.devices())}, those of all processes", row.size)
    return row if row.size > 1 else None


def spread(mesh: Mesh | None, function: Callable[..., Tree]) -> Callable[..., Tree]:
    """A function of many examples, each device computing its share of them. To be jitted.

    Where devices do not divide the examples, the last one is repeated and what it gives dropped.

    Args:
      mesh: From `make_mesh`; with None the function is returned as it is.
      function: ``(examples, *shared) -> results``: pytrees of arrays. The first axis of all leaves
        of examples and of results counts the examples, each of which has to be treated alone.
    """
    if mesh is None:
        return function

    def spread_function(examples: PyTree, *shared: Any) -> Tree:
        n = len(jax.tree.leaves(examples)[0])
        index = jnp.minimum(jnp.arange(-(-n // mesh.size) * mesh.size), n - 1)
        # Without the check of what varies over devices, which loops over constants would fail.
        on_shares = jax.shard_map(
            function,
            mesh=mesh,
            in_specs=(PartitionSpec(devices.AXIS), *[PartitionSpec()] * len(shared)),
            out_specs=PartitionSpec(devices.AXIS),
            check_vma=False,
        )
        padded = examples if len(index) == n else jax.tree.map(lambda x: x[index], examples)
        return jax.tree.map(lambda x: x[:n], on_shares(padded, *shared))

    return spread_function


def jit(mesh: Mesh | None, function: Callable[..., Tree]) -> Any:
    """`jax.jit`, with results that lie whole on every device."""
    if mesh is None:
        return jax.jit(function)
    return jax.jit(function, out_shardings=NamedSharding(mesh, PartitionSpec()))


def replicate(mesh: Mesh | None, tree: Tree) -> Tree:
    """A pytree of arrays, whole on every device; each process gives the same values."""
    if mesh is None:
        return tree
    whole = NamedSharding(mesh, PartitionSpec())
    return _map_data(lambda data: jax.device_put(data, whole), tree)


def to_host(tree: Tree) -> Tree:
    """The same arrays on this process's first device alone, from a replicated pytree."""
    return _map_data(lambda data: jax.device_put(data, jax.local_devices()[0]), tree)


def _map_data(put: Callable[[np.ndarray], jax.Array], tree: Tree) -> Tree:
    """A pytree with its arrays put elsewhere; random keys by the integers that they are made of."""

    def put_leaf(leaf: jax.Array) -> jax.Array:
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return put(np.asarray(leaf))
        data = put(np.asarray(jax.random.key_data(leaf)))
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))

    return jax.tree.map(put_leaf, tree)


def join(coordinator: str | None, n_processes: int | None, process: int | None) -> bool:
    """Join a run of several processes, if there are several; to be called before any use of jax.

    What is None is read from QDISTILL_COORDINATOR, QDISTILL_PROCESSES and QDISTILL_PROCESS. If that
    too says nothing, there is one process.

    Args:
      coordinator: Address of the first process, ``"host:port"``.
      n_processes: How many there are.
      process: Which of them this is, from 0.

    Returns:
      Whether there are several processes.

    Raises:
      ValueError: If only some of the three are given, or they do not fit together.
    """
    coordinator = coordinator or os.environ.get("QDISTILL_COORDINATOR")
    n_processes = _number("QDISTILL_PROCESSES", n_processes)
    process = _number("QDISTILL_PROCESS", process)
    given = {"coordinator": coordinator, "processes": n_processes, "process": process}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return False
    if missing:
        refuse(missing[0], "given with " + ", ".join(set(given) - set(missing)), "missing")
    require_at_least(1, processes=n_processes)
    require_at_least(0, process=process)
    require_between(0, (n_processes or 1) - 1, process=process)
    host, _, port = str(coordinator).rpartition(":")
    if not host or not port.isdecimal():
        refuse("coordinator", "host:port", repr(coordinator))
    if n_processes == 1:
        return False
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(coordinator, n_processes, process)
    return True


def start(
    n_devices: int,
    coordinator: str | None = None,
    n_processes: int | None = None,
    process: int | None = None,
) -> Mesh | None:
    """Join the other processes, if there are any, and take the devices; before any use of jax.

    Args:
      n_devices: Of all processes together; with several, 1 stands for all that there are. A CPU
        counts as so many as are asked for.
      coordinator, n_processes, process: See `join`.

    Raises:
      ValueError: As `join` and `make_mesh`.
    """
    require_at_least(1, devices=n_devices)
    several = join(coordinator, n_processes, process)
    if several and n_devices == 1:
        return make_mesh()
    if n_devices > 1:
        # Nothing but the number of CPUs is touched, so this does no harm where there are GPUs.
        share = n_devices // jax.process_count() if several else n_devices
        devices.use_cpu_devices(share)
    return make_mesh(n_devices)


def is_main() -> bool:
    """Whether this process writes what only one may write."""
    return jax.process_index() == 0


def wait(name: str) -> None:
    """Wait until all processes have come to the point of this name."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def any_process(flag: bool) -> bool:
    """Whether the flag is set in any process; all have to ask."""
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
