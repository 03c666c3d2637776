"""The compiled loops of rollouts outside of `jit`: the last few are kept."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, PyTree

from qdistill._checks import is_known

# The last compiled programs of `scan`, oldest first, by their texts and places; each takes MiB.
N_PROGRAMS = 8
PROGRAMS: dict[tuple, Callable[..., PyTree]] = {}


def scan(advance: Callable, state: PyTree, n: int) -> PyTree:
    """Return the outputs of `jax.lax.scan` outside of `jit`, by one of the last programs or a new.

    JAX itself would compile one in each call, and keep all.
    """
    closed, later = jax.make_jaxpr(advance, return_shape=True)(state, None)
    if not is_known(closed.consts):
        return jax.lax.scan(advance, state, None, length=n)[1]

    @jax.jit
    def program(consts: list[Array], state: PyTree) -> PyTree:
        def again(state: PyTree, _: None) -> tuple[PyTree, PyTree]:
            leaves = jax.core.eval_jaxpr(closed.jaxpr, consts, *jax.tree.leaves(state))
            return jax.tree.unflatten(jax.tree.structure(later), leaves)

        return jax.lax.scan(again, state, None, length=n)[1]

    # A text does not tell which function of Python a program calls.
    if not is_known(state) or "callback" in str(closed.jaxpr):
        return program(closed.consts, state)
    lowered = program.lower(closed.consts, state)
    places = [getattr(leaf, "sharding", None) for leaf in jax.tree.leaves((closed.consts, state))]
    default: Any = getattr(jax.config, "jax_default_device", None)
    key = (lowered.as_text(), jax.tree.structure(later), default, *places)
    run = PROGRAMS.pop(key, None) or lowered.compile()
    PROGRAMS[key] = run
    if len(PROGRAMS) > N_PROGRAMS:
        PROGRAMS.pop(next(iter(PROGRAMS)), None)
    return run(closed.consts, state)
