"""Potentials from a formula: arithmetic of positions, parsed without running it as Python."""

import ast
import functools
from collections.abc import Callable
from typing import Any, NoReturn

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from qdistill._checks import refuse
from qdistill._refusals import explained
from qdistill.physics.files.checks import positions, require_sound, require_wide
from qdistill.physics.grid import Grid

LONGEST = 1000
AXES = ("x", "y", "z")


def _truth(value: Any) -> Any:
    return np.asarray(value, float)


def _many(function: Callable) -> Callable:
    return lambda *values: functools.reduce(function, values)


# By name: the function, and the smallest and largest number of its arguments.
FUNCTIONS: dict[str, tuple[Callable, int, int]] = {
    **{
        name: (getattr(np, name), 1, 1)
        for name in ("abs", "exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")
    },
    **{name: (getattr(np, name), 1, 1) for name in ("arctan", "floor", "sign")},
    "min": (_many(np.minimum), 2, 9),
    "max": (_many(np.maximum), 2, 9),
    "where": (lambda test, a, b: np.where(np.not_equal(test, 0), a, b), 3, 3),
}
CONSTANTS = {"pi": np.pi}
OPERATORS: dict[type, Callable] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
    ast.Not: lambda a: _truth(np.equal(a, 0)),
    ast.Lt: lambda a, b: _truth(np.less(a, b)),
    ast.LtE: lambda a, b: _truth(np.less_equal(a, b)),
    ast.Gt: lambda a, b: _truth(np.greater(a, b)),
    ast.GtE: lambda a, b: _truth(np.greater_equal(a, b)),
    ast.And: lambda a, b: _truth(np.logical_and(a, b)),
    ast.Or: lambda a, b: _truth(np.logical_or(a, b)),
}


@explained
def from_formula(grid: Grid, formula: str) -> Float[Array, "*n_x"]:
    """Return the potential of a formula in x (and y, z), in hartree.

    An example is ``5*exp(-(x-50)**2/8) + 2*(x > 60)``. A formula is parsed and never run as a
    program. It may contain numbers, pi, the operators ``+ - * / % **``, comparisons (1 where true,
    else 0; chains such as ``40 < x < 60`` too), ``and or not``, and the functions of `FUNCTIONS`.

    Args:
      grid: The grid of the result.
      formula: The potential in hartree as a function of x in bohr; at most 1000 characters.

    Raises:
      ValueError: For anything else in the formula, with its place, or for values that `checks`
        refuses.

    >>> from_formula(Grid(6, 3.0), "3 * (0.7 < x < 1.7)")
    Array([0., 3., 3., 0., 0., 0.], dtype=float32)
    """
    if not isinstance(formula, str):
        refuse("formula", "text", repr(formula))
    formula = formula.strip()
    tree = _parse(formula)
    n_fine = 64 if grid.n_dim == 1 else 16

    def values(fine_axis: int | None = None) -> np.ndarray:
        names: dict[str, Any] = dict(CONSTANTS)
        for axis, name in enumerate(AXES[: grid.n_dim]):
            names[name] = positions(grid, axis, n_fine if axis == fine_axis else 1)
        with np.errstate(all="ignore"):
            v = np.asarray(_evaluate(formula, tree, names), float)
        shape = [n * (n_fine if axis == fine_axis else 1) for axis, n in enumerate(grid.shape)]
        return np.broadcast_to(v, shape)

    v = require_sound(grid, "formula", values())
    for axis in range(grid.n_dim):
        # A formula may be infinite between the points: such values count as narrow features.
        fine = np.nan_to_num(values(axis), nan=1e9, posinf=1e9, neginf=-1e9)
        require_wide(grid, "formula", fine, axis, n_fine)
    return jnp.asarray(v, float)


def _parse(formula: str) -> ast.expr:
    if not 1 <= len(formula) <= LONGEST:
        refuse("formula", f"of 1 to {LONGEST} characters", f"of {len(formula)}")
    try:
        return ast.parse(formula, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        here = getattr(error, "offset", None)
        place = f" at character {here}" if here else ""
        refuse("formula", "an expression such as 5*exp(-(x-50)**2/8)", f"`{formula}`, wrong{place}")


def _evaluate(formula: str, node: ast.expr, names: dict[str, Any]) -> Any:
    """The value of a part of a formula; the whole formula is given for error messages."""
    try:
        return _value(formula, node, names)
    except RecursionError:
        refuse("formula", "less deeply nested", f"`{formula[:40]}...`")


def _value(formula: str, node: ast.expr, names: dict[str, Any]) -> Any:
    def value(part: ast.expr) -> Any:
        return _value(formula, part, names)

    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            try:
                return np.float64(number)
            except OverflowError:
                _refuse_part(formula, node, "of numbers below 1e308")
        case ast.Name(id=name):
            if name not in names:
                _refuse_part(formula, node, f"of the names {', '.join(names)}")
            return names[name]
        case ast.UnaryOp(op=op, operand=a) if type(op) in OPERATORS:
            return OPERATORS[type(op)](value(a))
        case ast.BinOp(op=op, left=a, right=b) if type(op) in OPERATORS:
            return OPERATORS[type(op)](value(a), value(b))
        case ast.BinOp(op=ast.BitXor() | ast.BitAnd() | ast.BitOr()):
            cure = "A power is written `**`; tests are joined by `and` and `or`."
            _refuse_part(formula, node, "without `^`, `&` and `|`", cure)
        case ast.BoolOp(op=op, values=parts):
            return functools.reduce(OPERATORS[type(op)], map(value, parts))
        case ast.Compare(left=first, ops=ops, comparators=rest) if all(
            type(op) in OPERATORS for op in ops
        ):
            terms = [value(part) for part in (first, *rest)]
            pairs = zip(ops, terms[:-1], terms[1:], strict=True)
            return functools.reduce(np.multiply, (OPERATORS[type(op)](a, b) for op, a, b in pairs))
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in FUNCTIONS:
            function, least, most = FUNCTIONS[name]
            if not least <= len(parts) <= most:
                count = f"{least}" if least == most else f"{least} to {most}"
                _refuse_part(formula, node, f"with {count} values in {name}(...)")
            return function(*map(value, parts))
        case ast.Call(func=function):
            _refuse_part(formula, function, f"of the functions {', '.join(sorted(FUNCTIONS))}")
    _refuse_part(formula, node, "of numbers, positions, operators and functions")


def _refuse_part(formula: str, node: ast.expr, requirement: str, cure: str = "") -> NoReturn:
    part = ast.get_source_segment(formula, node)
    place = f"at character {node.col_offset + 1} of `{formula}`"
    refuse("formula", requirement, f"`{part}` {place}", cure)
