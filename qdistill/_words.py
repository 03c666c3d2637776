"""Values and annotations in words, for the messages of refusals."""

import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

# Arrays of more numbers are described, not printed, and longer texts end in dots.
FEW, LONGEST = 8, 500
# The kinds of entries of arrays.
KINDS: dict[Any, str] = {
    jnp.floating: "real numbers",
    jnp.complexfloating: "complex numbers",
    jnp.integer: "whole numbers",
    jnp.bool_: "truth values",
    jax.dtypes.prng_key: "random keys",
}
# The same in the annotations of jaxtyping; others allow several kinds.
ANNOTATED = {
    "Float": "real numbers",
    "Complex": "complex numbers",
    "Int": "whole numbers",
    "Bool": "truth values",
    "Key": "random keys",
}
NAMES = {
    int: "an integer",
    float: "a number",
    str: "text",
    bool: "True or False",
    types.NoneType: "None",
    np.number: "a number",
    np.integer: "an integer",
    np.ndarray: "an array",
    jax.Array: "an array",
    Callable: "a function",
    Any: "anything",
}


def kind_of(array: Any) -> Any:
    """Return the kind of the numbers of an array, one of `KINDS`, whatever their precision.

    It is None for what is no array of numbers.
    """
    if not hasattr(array, "dtype") or not hasattr(array, "shape"):
        return None
    return next((kind for kind in KINDS if jnp.issubdtype(array.dtype, kind)), None)


def in_brief(value: Any) -> str:
    """Return a value as text, and a large array by its kind and shape."""
    if hasattr(value, "dtype") and np.size(value) > FEW:
        return of_array(value)
    return _cut(str(value))


def of_array(array: Any) -> str:
    """Return the kind of numbers of an array, their type and its shape.

    >>> of_array(np.zeros((2, 3), np.float32))
    'an array of real numbers (float32) of shape (2, 3)'
    """
    kind = kind_of(array)
    entries = f"{KINDS[kind]} ({array.dtype})" if kind else f"type {array.dtype}"
    return f"an array of {entries} of shape {tuple(array.shape)}"


def of_value(value: Any) -> str:
    """Return what a value is, arrays by their kind and shape."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return of_array(value)
    return _cut(repr(value), 200)


def of_annotation(hint: Any, sizes: dict[str, int]) -> str:
    """Return what an annotation requires; `sizes` has the known lengths of named axes.

    >>> from jaxtyping import Array, Float
    >>> of_annotation(Float[Array, "n_t *#n_x"] | None, {"n_t": 3})
    'an array of real numbers of shape (n_t, *n_x) with n_t = 3, or None'
    """
    if isinstance(hint, TypeVar):
        hint = hint.__bound__
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return ", or ".join(dict.fromkeys(of_annotation(each, sizes) for each in inner))
    if origin is typing.Literal:
        return "one of " + ", ".join(map(repr, inner))
    if hasattr(hint, "dim_str"):
        return _of_arrays(hint, sizes)
    for name in (hint, origin):
        if name in NAMES:
            return NAMES[name]
    words = getattr(hint, "__name__", str(hint))
    parts = [of_annotation(each, sizes) for each in inner if each is not Ellipsis]
    return f"{words} of {', '.join(parts)}" if parts else words


def _of_arrays(hint: Any, sizes: dict[str, int]) -> str:
    """The requirement of an annotation of jaxtyping."""
    kind = ANNOTATED.get(hint.__name__.split("[")[0], "numbers")
    axes = hint.dim_str.replace("#", "").split()
    if not axes:
        return "a random key" if kind == "random keys" else "a number"
    known = [f"{axis} = {sizes[axis]}" for axis in axes if axis in sizes]
    shape = "" if axes == ["..."] else f" of shape ({', '.join(axes)})"
    return f"an array of {kind}{shape}" + (f" with {', '.join(known)}" if known else "")


def _cut(words: str, longest: int = LONGEST) -> str:
    return words if len(words) <= longest else f"{words[:longest]}..."
