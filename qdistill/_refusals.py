"""Replacement of errors inside public functions by messages that name the wrong argument.

The annotations of a public function state what its arguments must be. Functions do not check all of
that, and arrays of the wrong type or shape raise errors of JAX or NumPy somewhere inside, about
variables that the caller does not know. `explained` then compares the arguments with the
annotations. A call that succeeds has no extra cost.
"""

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from traceback import walk_tb
from typing import Any, NoReturn, TypeVar

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np

from qdistill._checks import refusal
from qdistill._words import of_annotation, of_value

T = TypeVar("T")
# Errors with messages of their own, which are passed on as they are.
PASSED_ON = (
    OSError,
    ImportError,
    FloatingPointError,
    NotImplementedError,
    jaxtyping.TypeCheckError,
)
# Words of JAX and NumPy in errors about arrays that do not fit together.
ABOUT_SHAPES = ("incompatible shapes", "Incompatible shapes", "broadcast", "for array of dim")
# What an empty container causes: errors by their kind, or by their words.
OF_EMPTY = (LookupError, StopIteration, ZeroDivisionError)
ABOUT_EMPTY = ("empty", "at least one", "zero-size", "got 0", "StopIteration")
# Where code is that no user wrote.
LIBRARIES = sys.stdlib_module_names | {
    *("qdistill", "beartype", "flax", "jax", "jaxlib", "jaxtyping", "matplotlib", "numpy"),
    *("optax", "orbax", "tqdm", "tyro"),
}


def explained(thing: T) -> T:
    """Decorate a public function, or a class with public methods.

    An error inside becomes the refusal of the argument that contradicts its annotation, if there is
    one. Only a function that is called from outside the package is examined. If it returns
    a function, which would fail later, its arguments are examined at once.
    """
    if inspect.isclass(thing):
        _explain_methods(thing)
        return thing
    return typing.cast(T, _explain(typing.cast(Callable[..., Any], thing)))


def _explain_methods(kind: type) -> None:
    """Wrap the public methods and the constructor of a class."""
    for name, method in list(vars(kind).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if isinstance(method, classmethod):
            setattr(kind, name, classmethod(_explain(method.__func__)))
        elif inspect.isfunction(method):
            setattr(kind, name, _explain(method))


def _explain(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            result = function(*args, **kwargs)
        except PASSED_ON:
            raise
        except Exception as error:
            if _is_ours(sys._getframe(1)):
                raise
            _raise_refusal(function, args, kwargs, error)
        results = result if isinstance(result, tuple | list) else [result]
        if any(map(callable, results)) and not _is_ours(sys._getframe(1)):
            refused = _by_annotation(*_given(function, args, kwargs))
            if refused is not None:
                raise refused
        return result

    @functools.wraps(function)
    def generate(*args: Any, **kwargs: Any) -> Any:
        try:
            yield from function(*args, **kwargs)
        except PASSED_ON:
            raise
        except Exception as error:
            _raise_refusal(function, args, kwargs, error)

    made = generate if inspect.isgeneratorfunction(function) else call
    for name in ("cache_clear", "cache_info", "lower"):
        if hasattr(function, name):
            vars(made)[name] = getattr(function, name)
    return made


def _is_ours(caller: types.FrameType) -> bool:
    """Whether a call comes from inside the package, whose arguments the user did not give."""
    return _library(caller) == "qdistill"


def _library(frame: types.FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).split(".")[0]


def _is_of_user(function: Callable[..., Any], error: Exception) -> bool:
    """Whether an error inside a function comes out of another one, of the user, as a lesson is."""
    known = LIBRARIES | {str(function.__module__).split(".")[0]}
    return any(_library(frame) not in known for frame, _ in walk_tb(error.__traceback__))


def is_asked_from_outside() -> bool:
    """Return whether the running public function is called from outside the package."""
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None and (
        frame.f_globals is not globals() or frame.f_code.co_name != "call"
    ):
        frame = frame.f_back
    # Type checkers of arrays may be between the two.
    while frame is not None and (frame.f_globals is globals() or _is_checker(frame)):
        frame = frame.f_back
    return frame is None or not _is_ours(frame)


def _is_checker(frame: types.FrameType) -> bool:
    return _library(frame) == "jaxtyping"


def is_refusal(error: BaseException) -> bool:
    """Return whether an error has the form of `refuse`."""
    return isinstance(error, ValueError) and str(error).startswith(("Argument `", "Arguments `"))


def _raise_refusal(
    function: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any], error: Exception
) -> NoReturn:
    """Raise an error as the refusal of the argument that caused it, if one did."""
    if is_refusal(error):
        raise error
    given, hints = _given(function, args, kwargs)
    refused = _by_annotation(given, hints) or _by_words(function, given, error)
    if refused is None:
        raise error
    raise refused from error


def _given(
    function: Callable[..., Any], args: tuple, kwargs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments and the annotations of a function by their names."""
    signature = inspect.signature(function)
    many = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    plain = inspect.unwrap(function)
    try:
        bound = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return {}, {}
    try:
        hints = typing.get_type_hints(plain)
    except (TypeError, NameError):
        # Some annotations name what is not imported.
        every = inspect.get_annotations(plain)
        hints = {name: hint for name, hint in every.items() if not isinstance(hint, str)}
    given = {k: each for k, each in bound.items() if signature.parameters[k].kind not in many}
    return given, {name: hints[name] for name in given if name in hints}


def _by_annotation(given: dict[str, Any], hints: dict[str, Any]) -> ValueError | None:
    """The refusal of the first argument that is not as its annotation says, if there is one."""
    sizes: dict[str, int] = {}
    for name, hint in hints.items():
        if not fits(given[name], hint, sizes):
            return _by_part(name, given[name], hint, sizes)
    return None


def _by_part(name: str, value: Any, hint: Any, sizes: dict[str, int]) -> ValueError:
    """The refusal of a value that is not as its annotation says, or of the part that is not."""
    for part, item, inner in _parts(value, hint):
        if not fits(item, inner, dict(sizes)):
            return _by_part(name + part, item, inner, sizes)
    return refusal(name, of_annotation(hint, sizes), of_value(value))


def _parts(value: Any, hint: Any) -> list[tuple[str, Any, Any]]:
    """The parts of a record or a dictionary: how they are reached, and their annotations."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return next((found for each in inner if (found := _parts(value, each))), [])
    if origin in (dict, Mapping) and len(inner) == 2:
        if not isinstance(value, Mapping) or not all(fits(key, inner[0], {}) for key in value):
            return []
        return [(f"[{key!r}]", item, inner[1]) for key, item in value.items()]
    if isinstance(hint, type) and issubclass(hint, tuple) and isinstance(value, hint):
        hints = typing.get_type_hints(hint)
        return [(f".{k}", item, hints[k]) for k, item in _fields(value) if k in hints]
    return []


def _by_words(
    function: Callable[..., Any], given: dict[str, Any], error: Exception
) -> ValueError | None:
    """The refusal of an argument that the message of an error points at, if there is one."""
    if _is_of_user(function, error):
        return None
    words = str(error).strip().split("\n")[0]
    is_about_empty = isinstance(error, OF_EMPTY) or any(word in words for word in ABOUT_EMPTY)
    for name, value in given.items():
        parts = value if isinstance(value, tuple | list) else [value]
        if "null byte" in words and any("\0" in str(part) for part in parts):
            return refusal(name, "without null characters in its paths", of_value(value))
        if words.startswith("unhashable type") and not _has_hash(value):
            return refusal(name, "a plain value, which has a hash", of_value(value))
        is_empty = isinstance(value, tuple | list | dict) and not value
        if is_empty and is_about_empty and not _may_be_empty(function, name):
            return refusal(name, "not empty", of_value(value))
    arrays = {name: each for name, each in given.items() if hasattr(each, "shape")}
    if not arrays or not any(word in words for word in ABOUT_SHAPES):
        return None
    names = " and ".join(f"`{name}`" for name in arrays)
    shapes = " and ".join(str(tuple(each.shape)) for each in arrays.values())
    many, be = ("s", "are") if len(arrays) > 1 else ("", "is")
    wanted = f"of shape{many} that `{getattr(function, '__name__', function)}` can use"
    return ValueError(f"Argument{many} {names} must be {wanted}, but {be} of {shapes}.")


def _may_be_empty(function: Callable[..., Any], name: str) -> bool:
    default = inspect.signature(function).parameters[name].default
    return isinstance(default, tuple | list | dict) and not default


def _has_hash(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def fits(value: Any, hint: Any, sizes: dict[str, int]) -> bool:
    """Return whether a value agrees with an annotation; `sizes` has the lengths of named axes.

    NumPy arrays count as JAX arrays, integers as real numbers, and arrays of one number as numbers.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is None or hint is types.NoneType:
        return value is None
    if isinstance(hint, TypeVar):
        return hint.__bound__ is None or fits(value, hint.__bound__, sizes)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, each, sizes) for each in inner)
    if origin is typing.Literal:
        return any(value is each or (isinstance(value, str) and value == each) for each in inner)
    if hasattr(hint, "dim_str"):
        return _is_array(value, hint, sizes)
    if origin is tuple:
        if not isinstance(value, tuple | list):
            return False
        if len(inner) == 2 and inner[1] is Ellipsis:
            inner = inner[:1] * len(value)
        return len(inner) == len(value) and all(map(fits, list(value), inner, [sizes] * len(value)))
    if origin in (list, Sequence) and inner:
        is_list = isinstance(value, origin) and not isinstance(value, str | bytes)
        return is_list and all(fits(each, inner[0], sizes) for each in value)
    if origin in (dict, Mapping) and len(inner) == 2:
        return isinstance(value, origin) and all(
            fits(key, inner[0], sizes) and fits(item, inner[1], sizes)
            for key, item in value.items()
        )
    if isinstance(hint, type) and issubclass(hint, tuple) and isinstance(value, hint):
        try:
            hints = typing.get_type_hints(hint)
        except NameError:
            return True
        return all(fits(item, hints[name], sizes) for name, item in _fields(value) if name in hints)
    kinds = {int: jnp.integer, float: jnp.floating, complex: jnp.inexact}
    if isinstance(hint, type) and hint in kinds:
        return _is_number(value, kinds[hint])
    if hint is np.ndarray or hint is jax.Array:
        is_array = isinstance(value, np.ndarray | jax.Array)
        return is_array and np.dtype(value.dtype).kind not in "OSUV"
    kind = origin or hint
    if kind is Callable or getattr(kind, "__name__", "") == "Callable":
        return callable(value)
    try:
        return isinstance(value, kind)
    except TypeError:
        # Annotations that cannot be checked, such as type variables and pytrees, accept any value.
        return True


def _fields(record: Any) -> list[tuple[str, Any]]:
    return list(zip(getattr(record, "_fields", ()), record, strict=False))


def _is_number(value: Any, kind: Any) -> bool:
    if kind is jnp.integer:
        return isinstance(value, int | np.integer) and not isinstance(value, bool)
    known = int | float | complex | np.generic | np.ndarray | jax.Array
    if isinstance(value, bool) or not isinstance(value, known) or np.ndim(value):
        return False
    found = jnp.result_type(value)
    return jnp.issubdtype(found, kind) or jnp.issubdtype(found, jnp.integer)


def _is_array(value: Any, hint: Any, sizes: dict[str, int]) -> bool:
    """Whether a value is an array of the type and shape of a jaxtyping annotation."""
    if not hasattr(value, "dtype") or not hasattr(value, "shape"):
        return False
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return hint.dtypes == ("prng_key",) and value.shape == ()
    if 0 in value.shape:
        return False
    if isinstance(hint.dtypes, tuple) and np.dtype(value.dtype).name not in hint.dtypes:
        return False
    return _has_shape(tuple(value.shape), hint.dim_str.split(), sizes)


def _has_shape(shape: tuple[int, ...], axes: list[str], sizes: dict[str, int]) -> bool:
    """Whether a shape has the axes of an annotation, as far as their names determine them."""
    many = [i for i, axis in enumerate(axes) if axis.startswith("*") or axis == "..."]
    if not many:
        return len(shape) == len(axes) and _sized(shape, axes, sizes)
    first, last = many[0], len(axes) - many[0] - 1
    if len(shape) < len(axes) - 1:
        return False
    head, tail = shape[:first], shape[len(shape) - last :] if last else ()
    return _sized(head, axes[:first], sizes) and _sized(tail, axes[first + 1 :], sizes)


def _sized(shape: tuple[int, ...], axes: list[str], sizes: dict[str, int]) -> bool:
    for length, axis in zip(shape, axes, strict=True):
        name = axis if not axis.startswith("#") else "_"
        if name.isdecimal() and length != int(name):
            return False
        if name.isidentifier() and name != "_" and length != sizes.setdefault(name, length):
            return False
    return True
