"""One valid call of every public function: none is missing, and each keeps double precision."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.fuzz.calls import Call, arrays, calls_of
from experiments.fuzz.names import EXEMPT, SUBPACKAGES, is_record, public
from qdistill.students import Emulator

# What does not change where its input does by a little, and why.
BLIND = {
    "forecast.metrics.horizon": "it counts frames",
    "students.unitary.Splitting.dispersion": "its parameters are zero at the start",
    "training.batches.window_weights": "weights by where v is zero",
    "training.batches.make_batch": "it cuts a block that another function makes",
    "training.loop.make_trainers": "it makes functions",
}
HALF = {jnp.dtype(kind) for kind in ("float32", "complex64", "float16", "bfloat16")}


@pytest.fixture
def in_double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def types_of(jaxpr: Any) -> set[Any]:
    """The types of all values in a traced function, those of its parts among them."""
    found = {
        each.aval.dtype
        for eqn in jaxpr.eqns
        for each in (*eqn.invars, *eqn.outvars)
        if hasattr(each.aval, "dtype")
    }
    for eqn in jaxpr.eqns:
        for inner in jax.extend.core.jaxprs_in_params(eqn.params):
            found |= types_of(inner)
    return found


def nudged(leaf: Any) -> Any:
    """An array of real or complex numbers, changed by far less than single precision shows."""
    if isinstance(leaf, jax.Array | np.ndarray) and jnp.issubdtype(leaf.dtype, jnp.inexact):
        return leaf * (1 + 1e-10 * np.cos(np.arange(leaf.size)).reshape(leaf.shape))
    return leaf


def done(call: Call) -> tuple[set[Any], bool]:
    """The types of the results of a call, and whether they follow its input by 1e-10 of it."""
    before = arrays(call())
    types = {array.dtype for array in before}
    # An emulator would lose its config on the way.
    given = {k: arg for k, arg in call.arguments.items() if not isinstance(arg, Emulator)}
    is_nudged = any(nudged(leaf) is not leaf for leaf in jax.tree.leaves(given))
    if not is_nudged or not any(jnp.issubdtype(kind, jnp.inexact) for kind in types):
        return types, True
    changed = jax.tree.map(nudged, given)
    pairs = zip(before, arrays(call(**changed)), strict=True)
    numbers = [tuple(map(np.asarray, pair)) for pair in pairs]
    return types, any(not np.array_equal(a, b, equal_nan=True) for a, b in numbers)


def traced(call: Call) -> set[Any] | None:
    """The types of all values that a call makes, from tracing it; None where it cannot be."""
    flat, form = jax.tree.flatten(call.arguments)
    at = [i for i, leaf in enumerate(flat) if isinstance(leaf, jax.Array)]
    if not at:
        return None

    def function(leaves: list[Any]) -> list[Any]:
        given = dict(zip(at, leaves, strict=True))
        return arrays(
            call(**jax.tree.unflatten(form, [given.get(i, x) for i, x in enumerate(flat)]))
        )

    try:
        return types_of(jax.make_jaxpr(function)([flat[i] for i in at]).jaxpr)
    except Exception:  # Whatever a traced value is refused by.
        return None


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize("part", SUBPACKAGES)
def test_every_public_function_has_a_call_that_keeps_double_precision(
    part: str, capsys: pytest.CaptureFixture
) -> None:
    """Where a function can be traced nothing in it is single; elsewhere its results are not."""
    calls = calls_of(part)
    here = {name: thing for name, thing in public().items() if name.startswith(f"{part}.")}
    wanted = {name for name, thing in here.items() if not is_record(thing)}
    missing = wanted - set(calls) - set(EXEMPT)
    assert not missing, f"add to experiments/fuzz/calls_*.py: {sorted(missing)}"
    single, n_traced, n_called = {}, 0, 0
    for name, call in calls.items():
        if call.is_slow:
            continue
        types, follows = traced(call), True
        n_traced += types is not None
        n_called += types is None
        if types is None:
            types, follows = done(call)
        if types & HALF or (not follows and name not in BLIND):
            single[name] = types
    capsys.readouterr()
    with capsys.disabled():
        print(f"\n{part}: {len(calls)} calls, {n_traced} traced, {n_called} done")
    assert not single


def test_exemptions_are_of_what_there_is() -> None:
    assert set(EXEMPT) <= set(public())
