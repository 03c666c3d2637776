"""Checks of the potentials and frames given to a rollout, and their common precision.

Inside `jit` shapes and types are checked too, but values are not known.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from qdistill._checks import is_known, refuse, require_finite, require_real


def require_potential(system: Any, v: PyTree) -> None:
    """Refuse a potential of the wrong shape or type for a system, or with values not finite.

    Raises:
      ValueError: For any of these. Traced values are not checked.
    """
    for leaf in jax.tree.leaves(v):
        require_finite(v=leaf)
    wanted = (system.n_channel,) * 2 * bool(system.n_channel) + system.grid.shape
    local = jax.eval_shape(lambda v: system.local(v, 0.0, None), v)
    if not hasattr(local, "shape"):
        refuse("v", "an array of real floating-point numbers", f"of type {type(v).__name__}")
    if local.shape != wanted:
        reader = (
            "" if system.has_plain_potential else f", as {type(system).__name__}.local reads it"
        )
        refuse("v", f"of shape {wanted}{reader}", f"of shape {local.shape}")
    if not jnp.issubdtype(local.dtype, jnp.complexfloating):
        require_real(v=local)
    elif system.is_hermitian and not system.n_channel:
        cure = "An absorbing system must set `is_hermitian = False`."
        refuse("v", "an array of real floating-point numbers", f"of type {local.dtype}", cure)
    if system.n_channel and system.is_hermitian and system.has_plain_potential and is_known(v):
        values = np.asarray(v)
        if not np.allclose(values, values.swapaxes(0, 1).conj()):
            refuse("v", "Hermitian between channels at every point", "not")


def as_floating(user: Any) -> Array:
    """Return values as a floating-point array; floating-point types are kept."""
    if not hasattr(user, "dtype"):
        try:
            user = np.asarray(user)
        except ValueError:
            refuse("v", "an array of real numbers", "a table with rows of unequal length")
    if not jnp.issubdtype(user.dtype, jnp.number):
        refuse("v", "an array of real numbers", f"of type {user.dtype}")
    dtype = user.dtype if jnp.issubdtype(user.dtype, jnp.inexact) else float
    return jnp.asarray(user, jax.dtypes.canonicalize_dtype(dtype))


def require_frames(system: Any, n_history: int, frames: Any, n0: Any) -> None:
    """Refuse given frames of another shape or type, too few frames, and an invalid index."""
    wanted = "(n_t, " + ", ".join(map(str, system.shape)) + ")"
    if not hasattr(frames, "dtype") or not jnp.issubdtype(frames.dtype, jnp.inexact):
        kind = getattr(frames, "dtype", type(frames).__name__)
        refuse("frames", "an array of complex numbers", f"of type {kind}")
    if frames.ndim != len(system.shape) + 1 or frames.shape[1:] != system.shape:
        refuse("frames", f"of shape {wanted}", f"of shape {frames.shape}", "One is psi[None].")
    if len(frames) < n_history:
        refuse("frames", f"at least {n_history} frames", len(frames))
    is_index = isinstance(n0, int) or (
        hasattr(n0, "dtype") and jnp.issubdtype(n0.dtype, jnp.integer)
    )
    if not is_index or np.shape(n0) != ():
        refuse("n0", "an integer", repr(n0))


def _is_floating(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.inexact)


def precision(*trees: PyTree) -> np.dtype:
    """Return the complex type of the highest precision among the arrays of pytrees."""
    return jnp.result_type(jnp.complex64, *filter(_is_floating, jax.tree.leaves(trees)))


def cast(leaf: Any, dtype: np.dtype) -> Any:
    """Return a real or complex array in the precision of a complex type."""
    if not _is_floating(leaf):
        return leaf
    is_complex = jnp.issubdtype(leaf.dtype, jnp.complexfloating)
    wanted = dtype if is_complex else jnp.finfo(dtype).dtype
    if not is_known(leaf):
        return leaf.astype(wanted)
    # NumPy values stay concrete inside `jit`.
    with jax.ensure_compile_time_eval():
        return jnp.asarray(leaf, wanted)
