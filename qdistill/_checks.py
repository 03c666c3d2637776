"""Checks of arguments of public functions, with error messages of one form.

A value that is traced by `jax.jit`, `jax.vmap` or `jax.grad` is not known yet and passes the check.
The docstring of a function says so if it handles bad traced values.
"""

import dataclasses
import inspect
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from qdistill._words import FEW, KINDS, NAMES, in_brief, kind_of, of_value


def refuse(name: str, requirement: str, value: Any, cure: str = "") -> NoReturn:
    """Raise a `ValueError` that names the argument, what it must be and what it was.

    >>> refuse("n_x", "at least 2", 1)
    Traceback (most recent call last):
    ValueError: Argument `n_x` must be at least 2, but is 1.
    """
    raise refusal(name, requirement, value, cure)


def refusal(name: str, requirement: str, value: Any, cure: str = "") -> ValueError:
    """Return the error that `refuse` raises."""
    message = f"Argument `{name}` must be {requirement}, but is {in_brief(value)}."
    return ValueError(f"{message} {cure}".rstrip())


def is_known(value: Any) -> bool:
    """Return whether a value is concrete, that is, not traced."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value))


def require_real(**values: Any) -> None:
    """Refuse values that are not arrays of real floating-point numbers."""
    for name, value in values.items():
        kind = getattr(value, "dtype", type(value).__name__)
        if not hasattr(value, "dtype") or not jnp.issubdtype(kind, jnp.floating):
            refuse(name, "an array of real floating-point numbers", f"of type {kind}")


def require_complex(axes: str, **values: Any) -> None:
    """Refuse values that are not arrays of complex numbers with some axes, such as ``"n_t *n_x"``.

    >>> require_complex("n_t *n_x", psi=np.zeros(3))
    Traceback (most recent call last):
    ValueError: Argument `psi` must be an array of complex numbers of shape (n_t, *n_x), but is ...
    """
    names = axes.split()
    for name, value in values.items():
        n = np.ndim(value) if kind_of(value) is jnp.complexfloating else 0
        if n != len(names) and not ("*" in axes and n > len(names)):
            wanted = f"an array of complex numbers of shape ({', '.join(names)})"
            refuse(name, wanted, of_value(value))


def require_finite(**values: Any) -> None:
    """Refuse NaN and infinity."""
    for name, value in values.items():
        if is_known(value):
            _require_everywhere(name, "finite", value, np.isfinite(_numbers(name, value)))


def _require_everywhere(name: str, requirement: str, value: Any, is_good: Any) -> None:
    """Refuse a value, by the number of its bad entries and the first of them.

    >>> x = np.arange(20.0)
    >>> _require_everywhere("x", "below 18", x, x < 18)
    Traceback (most recent call last):
    ValueError: Argument `x` must be below 18, but is not in 2 of 20 entries: x[18] is 18.0.
    """
    if np.all(is_good):
        return
    if np.size(value) > FEW:
        first = tuple(map(int, np.argwhere(~is_good)[0]))
        n_bad, place = int(np.sum(~is_good)), ", ".join(map(str, first))
        entry = np.asarray(value)[first].item()
        refuse(
            name,
            requirement,
            f"not in {n_bad} of {is_good.size} entries: {name}[{place}] is {entry}",
        )
    refuse(name, requirement, value)


def require_positive(**values: Any) -> None:
    """Refuse values that are not finite numbers above zero."""
    for name, value in values.items():
        if is_known(value):
            array = _numbers(name, value, is_real=True)
            # What is smaller than any number of the session's precision is zero in it.
            tiny = jnp.finfo(jnp.result_type(float)).tiny
            is_good = np.isfinite(array) & (array >= tiny)
            _require_everywhere(name, "finite and positive", value, is_good)


def require_between(low: float, high: float, **values: Any) -> None:
    """Refuse values outside the closed interval from `low` to `high`."""
    for name, value in values.items():
        if is_known(value):
            array = _numbers(name, value, is_real=True)
            is_good = (array >= low) & (array <= high)
            _require_everywhere(name, f"between {low:g} and {high:g}", value, is_good)


def require_at_least(minimum: int, **values: Any) -> None:
    """Refuse values that are not integers of at least `minimum`."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            refuse(name, "an integer", repr(value))
        if value < minimum:
            refuse(name, f"at least {minimum}", value)


def require_seed(**values: Any) -> None:
    """Refuse values that are not seeds of random numbers, integers from 0 to 2^32 - 1."""
    require_at_least(0, **values)
    for name, value in values.items():
        if value >= 2**32:
            refuse(name, "at most 2^32 - 1", value)


def require_one_of(choices: Iterable[str], **values: Any) -> None:
    """Refuse values that are not among the choices, and list these."""
    choices = list(choices)
    for name, value in values.items():
        if value not in choices:
            refuse(name, "one of " + ", ".join(map(repr, choices)), repr(value))


def require_new(known: dict[str, Any], name: str, thing: Any, kind: str) -> None:
    """Refuse a name that is taken; the same object may be registered again.

    Objects of the same name in the same module are the same, as in a notebook cell that is executed
    again.

    >>> require_new({"abs": abs}, "abs", abs, "function")
    >>> require_new({"abs": abs}, "abs", max, "function")
    Traceback (most recent call last):
    ValueError: Argument `name` must be new, but is 'abs', the function `builtins.abs`. ...
    """
    if name in known and _origin(known[name]) != _origin(thing):
        cure = "Choose another name."
        refuse("name", "new", f"{name!r}, the {kind} `{_origin(known[name])}`", cure)


def _origin(thing: Any) -> str:
    inner = getattr(thing, "func", thing)
    return f"{getattr(inner, '__module__', '')}.{getattr(inner, '__qualname__', repr(inner))}"


def require_callable(n: int, **functions: Any) -> None:
    """Refuse what is not a function of n arguments.

    >>> require_callable(2, step=lambda state: state)
    Traceback (most recent call last):
    ValueError: Argument `step` must be a function of 2 arguments, but is <function ...
    """
    for name, function in functions.items():
        try:
            inspect.signature(function).bind(*range(n))
        except TypeError:
            refuse(name, f"a function of {n} argument{'s' * (n > 1)}", repr(function))
        except ValueError:
            # Some functions that are written in C have no signature.
            continue


def require_shape(shape: tuple[int, ...], **values: Any) -> None:
    """Refuse arrays of another shape."""
    for name, value in values.items():
        if np.shape(value) != tuple(shape):
            refuse(name, f"of shape {tuple(shape)}", f"of shape {np.shape(value)}")


def require_no_channels(system: Any) -> None:
    """Refuse a system with channels."""
    if system.n_channel:
        cure = "`rollout` and `Emulator.forecast` take channels."
        refuse("system", "without channels", f"of {system.n_channel} channels", cure)


def require_hermitian(**values: Any) -> None:
    """Refuse matrices (n, n, ...) that are not Hermitian in their first two axes.

    >>> require_hermitian(v=np.array([[[1.0], [2.0]], [[3.0], [4.0]]]))
    Traceback (most recent call last):
    ValueError: Argument `v` must be Hermitian between channels at every point, but is not: ...
    """
    for name, value in values.items():
        if not is_known(value):
            continue
        matrix = np.asarray(value)
        uneven, size = np.abs(matrix - matrix.swapaxes(0, 1).conj()), np.abs(matrix)
        # Couplings are compared with couplings, as energies may be far from zero, and rounded.
        couplings = np.max(
            size, where=~np.eye(len(size), dtype=bool)[..., *[None] * (size.ndim - 2)], initial=0
        )
        rounding = 8 * np.finfo(np.result_type(matrix, np.float32)).eps * np.max(size, initial=0)
        if np.max(uneven, initial=0) > 1e-5 * couplings + rounding:
            i, j, *point = map(int, np.unravel_index(uneven.argmax(), uneven.shape))
            there, back = matrix[i, j, *point], matrix[j, i, *point].conj()
            place = ", ".join(map(str, point))
            refuse(
                name,
                "Hermitian between channels at every point",
                f"not: at point {place} its element ({i}, {j}) is {there:.6g}, and the conjugate "
                f"of ({j}, {i}) is {back:.6g}",
            )


def require_arrays(**trees: PyTree) -> None:
    """Refuse pytrees with other leaves than arrays of numbers, and pytrees without leaves."""
    for name, tree in trees.items():
        leaves = jax.tree.leaves_with_path(tree)
        if not leaves:
            refuse(name, "made of arrays", repr(tree))
        for path, leaf in leaves:
            if kind_of(leaf) is None:
                refuse(name + jax.tree_util.keystr(path), "an array of numbers", repr(leaf))


def require_alike(wanted: PyTree, **trees: PyTree) -> None:
    """Refuse pytrees whose arrays have other places, shapes or kinds of numbers than wanted ones.

    Args:
      wanted: Arrays, or what `jax.eval_shape` returns of them; their precision does not count.
      **trees: The pytrees by the names of the arguments.

    >>> require_alike({"a": np.zeros(3)}, params={"a": np.zeros(2)})
    Traceback (most recent call last):
    ValueError: Argument `params['a']` must be an array of real numbers of shape (3,), but is...
    """
    forms = _forms(wanted)
    for name, tree in trees.items():
        given = _forms(tree)
        for path, form in forms.items():
            if given.get(path) != form:
                what = _form_in_words(given[path]) if path in given else "missing"
                refuse(name + path, _form_in_words(form), what)
        for path in given:
            if path not in forms:
                known = ", ".join(each or "an array" for each in forms) or "nothing"
                refuse(name, f"made of {known}", f"with {path or repr(tree)} too")


def require_each(what: str, n: int | None = None, **trees: PyTree) -> None:
    """Refuse pytrees with other leaves than arrays of numbers with n entries, one for each case.

    Args:
      what: What the entries belong to, such as a case.
      n: Number of entries; by default that of the first array.
      **trees: The pytrees by the names of the arguments.

    >>> require_each("case", psi=np.ones((2, 8)), v=np.zeros((3, 8)))
    Traceback (most recent call last):
    ValueError: Argument `v` must be one entry for each of 2 cases, but is of shape (3, 8).
    """
    require_arrays(**trees)
    for name, tree in trees.items():
        for path, leaf in jax.tree.leaves_with_path(tree):
            first = np.shape(leaf)[:1]
            n = n if n is not None or not first else first[0]
            if first != (n,):
                wanted = f"one entry for each {what if n is None else f'of {n} {what}s'}"
                refuse(name + jax.tree_util.keystr(path), wanted, f"of shape {np.shape(leaf)}")


def _forms(tree: PyTree) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """The kinds of numbers and the shapes of the leaves of a pytree, by their paths."""
    leaves = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(path): (kind_of(leaf), np.shape(leaf)) for path, leaf in leaves}


def _form_in_words(form: tuple[Any, tuple[int, ...]]) -> str:
    kind, shape = form
    if kind is None:
        return "no array of numbers"
    return f"an array of {KINDS[kind]} of shape {shape}"


def require_record(form: Any, **values: Any) -> None:
    """Refuse a record that lacks what its form names, or has something of another kind there.

    Args:
      form: A type, or several as a union; `float` means any real number, also one that is not
        finite. A list of one form means a sequence, and a dictionary of forms means a dictionary
        that has these keys, or, with the key `str`, any.
      **values: The records by the names of the arguments.

    >>> require_record({"n": int, "errors": {str: float}}, numbers={"n": 3, "errors": {"a": "b"}})
    Traceback (most recent call last):
    ValueError: Argument `numbers['errors']['a']` must be a number, but is 'b'.
    """
    for name, value in values.items():
        if isinstance(form, dict):
            if not isinstance(value, Mapping):
                refuse(name, "a dictionary", repr(value))
            for key, inner in (dict.fromkeys(value, form[str]) if str in form else form).items():
                if key not in value:
                    refuse(name, f"a dictionary with {key!r}", f"one with {list(value)}")
                require_record(inner, **{f"{name}[{key!r}]": value[key]})
        elif isinstance(form, list):
            if not isinstance(value, list | tuple):
                refuse(name, "a list", repr(value))
            for i, item in enumerate(value):
                require_record(form[0], **{f"{name}[{i}]": item})
        else:
            kinds = typing.get_args(form) or (form,)
            if not any(_is_of(kind, value) for kind in kinds):
                wanted = [NAMES.get(kind, kind.__name__) for kind in kinds]
                refuse(name, " or ".join(wanted), repr(value))


def _is_of(kind: type, value: Any) -> bool:
    if kind is float:
        kind = int | float | np.integer | np.floating  # type: ignore[assignment]
    if kind is int:
        kind = int | np.integer  # type: ignore[assignment]
    is_bool = isinstance(value, bool | np.bool_)
    return is_bool if kind is bool else isinstance(value, kind) and not is_bool


def require_settings(config: Any) -> None:
    """Refuse settings of a config that are not of the kind that it declares.

    Numbers must be finite and single, lists are no tuples, and a tuple is empty only where it is so
    by default.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        _require_kind(field.name, hints[field.name], value)
        # Plain numbers, so that a config has a hash and a form in JSON.
        value = _plain(value)
        object.__setattr__(config, field.name, value)
        is_empty = isinstance(value, tuple) and not value
        if is_empty and field.default != () and len(typing.get_args(hints[field.name])):
            refuse(field.name, "not empty", value)


def _plain(value: Any) -> Any:
    """Return a number of NumPy or JAX as one of Python, in tuples too."""
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(map(_plain, value))
    is_number = isinstance(value, np.generic | np.ndarray | jax.Array) and np.shape(value) == ()
    return value.item() if is_number else value


def _require_kind(name: str, kind: Any, value: Any) -> None:
    """Refuse a value that an annotation does not mean; annotations of other kinds mean any."""
    of = typing.get_args(kind)
    if type(None) in of:
        if value is not None:
            _require_kind(name, next(each for each in of if each is not type(None)), value)
    elif typing.get_origin(kind) is tuple:
        if not isinstance(value, tuple):
            refuse(name, "a tuple", repr(value))
        if of[-1] is Ellipsis:
            of = of[:1] * len(value)
        if value and len(of) != len(value):
            refuse(name, f"a tuple of {len(of)}", repr(value))
        for each, item in zip(of, value, strict=False):
            _require_kind(name, each, item)
    elif kind is float:
        if np.shape(_numbers(name, value, is_real=True)) != () or isinstance(value, bool):
            refuse(name, "a number", repr(value))
        require_finite(**{name: value})
    elif kind is int:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            refuse(name, "an integer", repr(value))
    elif kind is bool:
        if not isinstance(value, bool | np.bool_):
            refuse(name, "True or False", repr(value))
    elif kind is str or (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        words = "text" if kind is str else f"a {kind.__name__}"
        if not isinstance(value, kind):
            refuse(name, words, repr(value))


def _numbers(name: str, value: Any, is_real: bool = False) -> np.ndarray:
    """Return a value as an array; refuse one that is not made of numbers."""
    try:
        array = np.asarray(value)
    except ValueError:
        refuse(name, "a number or a rectangular array of numbers", of_value(value))
    wanted = "real numbers" if is_real else "numbers"
    if array.size and not (jnp.issubdtype(array.dtype, jnp.number) or array.dtype == bool):
        refuse(name, f"made of {wanted}", of_value(value))
    if is_real and jnp.issubdtype(array.dtype, jnp.complexfloating):
        refuse(name, f"made of {wanted}", of_value(value))
    return array
