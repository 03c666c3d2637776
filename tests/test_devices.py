"""Several devices give what one gives. They have to be made before JAX begins: a new process."""

import os
import pathlib
import subprocess
import sys

import jax.numpy as jnp
import pytest

from experiments.throughput.devices import on_each, split
from qdistill._distribute import mesh_of

ROOT = pathlib.Path(__file__).parents[1]
CODE = """
import jax, jax.numpy as jnp
from experiments.throughput.devices import on_each, split
from qdistill._distribute import mesh_of
jax.config.update("jax_num_cpu_devices", 2)
row = mesh_of()
x = jnp.arange(12.0).reshape(6, 2)
parts = split(row, {"x": x})["x"]
assert [s.data.shape for s in parts.addressable_shards] == [(3, 2)] * 2
# An exchange is added where one is needed ...
assert jnp.array_equal(jax.jit(lambda x: x - x.mean(0))(parts), x - x.mean(0))
# ... and none where each part is for itself.
own = on_each(row, lambda x: x - x.mean(0, keepdims=True))(parts)
assert jnp.array_equal(own, jnp.concatenate([p - p.mean(0) for p in (x[:3], x[3:])]))
for call in (split, lambda row, x: on_each(row, jnp.sin)(x)):
    try:
        call(row, x[:5])
    except ValueError as error:
        assert "must be a multiple of 2 devices, but is 5" in str(error), error
    else:
        raise AssertionError
"""


def test_two_devices_give_what_one_gives() -> None:
    # Also where there is a GPU.
    on_cpu = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=on_cpu)
    assert ran.returncode == 0, ran.stderr


def test_one_device_is_a_mesh_too() -> None:
    row = mesh_of(1)
    x = jnp.arange(3.0)
    assert jnp.array_equal(on_each(row, jnp.sin)(split(row, x)), jnp.sin(x))


def test_more_devices_than_there_are_is_refused_with_the_cure() -> None:
    with pytest.raises(ValueError, match=r"`n_devices` must be at most .*'jax_num_cpu_devices'"):
        mesh_of(1000)
