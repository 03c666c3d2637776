"""Checks of what enters a rollout and of what lessons and students return, and one precision.

Inside `jit` shapes and types are checked too, but values are not known.
"""

import pathlib
import sys
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from qdistill._checks import (
    is_known,
    refusal,
    refuse,
    require_finite,
    require_hermitian,
    require_no_channels,
    require_real,
)
from qdistill._refusals import is_asked_from_outside, is_refusal

PACKAGE = str(pathlib.Path(__file__).parent)


def require_potential(system: Any, v: PyTree) -> None:
    """Refuse a potential of the wrong shape or type for a system, or with values not finite.

    Raises:
      ValueError: For any of these. Traced values are not checked.
    """
    if isinstance(v, str) or (callable(v) and jax.tree_util.all_leaves([v])):
        cure = "`system.as_potential(v)` makes it of a formula or a function."
        refuse("v", "an array of real floating-point numbers", repr(v), cure)
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
    if system.n_channel and system.is_hermitian and is_known(v):
        require_hermitian(v=v if system.has_plain_potential else system.local(v, 0.0, None))


def require_bounds(system: Any, v: PyTree) -> None:
    """Refuse a potential with values, or eigenvalues between channels, outside of `bounds`."""
    is_ordered = system.is_hermitian or not system.n_channel
    if system.bounds is None or not is_ordered or not is_known(v):
        return
    local = np.asarray(system.local(v, 0.0, None))
    if system.n_channel:
        local = np.linalg.eigvalsh(np.moveaxis(local, (0, 1), (-2, -1)))
    # Of losses there are no bounds.
    low, high = local.real.min(), local.real.max()
    allowed = np.asarray(system.bounds, local.real.dtype)
    # Eigenvalues are rounded.
    sliver = 1e-6 * np.abs(allowed).max() * bool(system.n_channel)
    if low < allowed[0] - sliver or high > allowed[1] + sliver:
        cure = "Use a system with wider bounds."
        refuse("v", f"within {system.bounds}", f"between {low:g} and {high:g}", cure)


def at_positions(grid: Any, user: Callable[..., Any]) -> Any:
    """Return the values of a user's function of the positions along each axis of a grid.

    Raises:
      ValueError: If the function does not take them.
    """
    try:
        return user(*(grid.positions(axis) for axis in range(grid.n_dim)))
    except (TypeError, ValueError) as error:
        if is_refusal(error):
            raise
        wanted = "a function of x" if grid.n_dim == 1 else f"a function of {grid.n_dim} positions"
        refuse("user", wanted, f"one that raises {type(error).__name__}: {error}")


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


def note_precision(**given: PyTree) -> None:
    """Warn once of given NumPy arrays in double precision that are computed in single precision."""
    if jnp.result_type(float) == np.float64 or not is_asked_from_outside():
        return
    names = [
        f"`{name}`" for name, tree in given.items() if any(map(_is_double, jax.tree.leaves(tree)))
    ]
    if names:
        words = (
            f"Argument {' and '.join(names)}, a NumPy array of double precision, is computed in "
        )
        cure = "single precision. Set JAX_ENABLE_X64=1 for double precision."
        warnings.warn(words + cure, UserWarning, level_of_caller())


def _is_double(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype in (np.float64, np.complex128)


def level_of_caller() -> int:
    """Return the level in the stack of the first frame outside this package, for `warnings`."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    return level


def require_frames(system: Any, n_history: int, frames: Any, n0: Any, name: str = "frames") -> None:
    """Refuse given frames of another shape or type, too few frames, and an invalid index."""
    wanted = "(n_t, " + ", ".join(map(str, system.shape)) + ")"
    if not hasattr(frames, "dtype") or not jnp.issubdtype(frames.dtype, jnp.inexact):
        kind = getattr(frames, "dtype", type(frames).__name__)
        refuse(name, "an array of complex numbers", f"of type {kind}")
    if frames.ndim != len(system.shape) + 1 or frames.shape[1:] != system.shape:
        refuse(name, f"of shape {wanted}", f"of shape {frames.shape}", "One is psi[None].")
    if len(frames) < n_history:
        refuse(name, f"at least {n_history} frames", len(frames))
    is_index = isinstance(n0, int) or (
        hasattr(n0, "dtype") and jnp.issubdtype(n0.dtype, jnp.integer)
    )
    if not is_index or np.shape(n0) != ():
        refuse("n0", "an integer", repr(n0))
    if is_known(n0) and not -(2**31) <= int(n0) < 2**31:
        refuse("n0", "an index of 32 bits", n0)


def require_start(propagator: Any, frames: Any, v: PyTree, n0: Any) -> None:
    """Refuse frames and a potential from which a propagator cannot start."""
    require_frames(propagator.system, propagator.n_history, frames, n0)
    if is_known(frames):
        require_finite(frames=frames)
    require_potential(propagator.system, v)
    # An emulator knows what it was taught.
    if hasattr(propagator, "check") and is_known((propagator, frames, v)):
        with jax.ensure_compile_time_eval():
            propagator.check(jnp.asarray(frames[-1:], precision(frames)), v)


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


def require_pair(name: str, drawn: Any) -> tuple[Any, PyTree]:
    """Return the state and the potential of a lesson, refused if it is not these two.

    Raises:
      ValueError: With the name of the lesson, what it must return and what it does.
    """
    if not isinstance(drawn, tuple) or len(drawn) != 2:
        _refuse_lesson(name, "(psi, v)", drawn)
    return drawn


def require_sample(system: Any, name: str, drawn: Any) -> tuple[Any, PyTree]:
    """Return the state and the potential of a lesson, refused if they do not fit the system.

    Raises:
      ValueError: As `require_pair`.
    """
    psi, v = require_pair(name, drawn)
    if np.shape(psi) != system.shape or not jnp.iscomplexobj(psi):
        _refuse_lesson(name, f"psi complex and of shape {system.shape}", psi)
    if system.has_plain_potential:
        shape = (system.n_channel,) * 2 * bool(system.n_channel) + system.grid.shape
        if not jax.tree_util.all_leaves([v]) or np.shape(v) != shape:
            _refuse_lesson(name, f"v of shape {shape}", v)
    return psi, v


def _refuse_lesson(name: str, wanted: str, given: Any) -> NoReturn:
    returned = f"one that returns {layout(given)}"
    refuse(f"lesson {name!r}", f"one that returns {wanted}", returned)


def require_step(propagator: Any, step: Any) -> None:
    """Refuse what a propagator returns that is no `Step`."""
    parts = ("encode", "advance", "decode")
    if not all(callable(getattr(step, part, None)) for part in parts):
        refuse(_step_of(propagator), "one that returns a Step", f"one that returns {layout(step)}")


def require_state(propagator: Any, before: PyTree, after: PyTree) -> None:
    """Refuse an `advance` that returns another structure, shape or type than it was given."""
    if layout(before) != layout(after):
        wanted = f"one whose `advance` returns a state like the one before, {layout(before)}"
        refuse(_step_of(propagator), wanted, f"one that returns {layout(after)}")


def require_psi(propagator: Any, psi: Any) -> None:
    """Refuse a `decode` that does not return psi."""
    shape = propagator.system.shape
    if np.shape(psi) != shape or not jnp.iscomplexobj(psi):
        wanted = f"one whose `decode` returns psi, complex and of shape {shape}"
        refuse(_step_of(propagator), wanted, f"one that returns {layout(psi)}")


def _step_of(propagator: Any) -> str:
    """The method that makes the step: `step` of a student, `__call__` of any other propagator."""
    student = getattr(propagator, "student", propagator)
    return f"{type(student).__name__}.{'step' if hasattr(student, 'step') else '__call__'}"


def layout(tree: PyTree) -> str:
    """Return the structure, shapes and types of a pytree, in words that can be compared.

    >>> layout((jnp.zeros((4, 2)), "a"))
    '(float32[4, 2], str)'
    """

    def describe(leaf: Any) -> Any:
        if not hasattr(leaf, "dtype"):
            return _Word(type(leaf).__name__)
        return _Word(f"{leaf.dtype}{list(leaf.shape)}")

    return repr(jax.tree.map(describe, tree))


class _Word(str):
    """Text that is shown without quotation marks."""

    __repr__ = str.__str__


def require_values(system: Any) -> None:
    """Refuse a system with channels, or whose potential is not one number for each point."""
    require_no_channels(system)
    if system.has_plain_potential:
        return
    psi = jax.ShapeDtypeStruct(system.shape, jnp.result_type(float, jnp.complex64))
    v = jax.ShapeDtypeStruct(system.grid.shape, jnp.result_type(float))
    try:
        jax.eval_shape(lambda v, psi: system.local(v, 0.0, psi), v, psi)
    except Exception as error:
        kind, raised = type(system).__name__, type(error).__name__
        words = f"of type {kind}, whose `local` then raises {raised}: {error}"
        cure = "Forecast cases of your own; `export --emulator-file` writes the emulator."
        wanted = "one that takes a number for each point as v"
        raise refusal("system", wanted, words, cure) from error
