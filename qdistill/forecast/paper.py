"""The paper's test: 25 runs of 400 frames on potentials that are not in its curriculum.

The 11 single barriers have the paper's parameters. The parameters of its 14 other potentials were
not published; the shapes here have their names and parameters of our own. So published numbers of
single cases can be compared exactly for the barriers only.
"""

import functools
import json
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import require_one_of
from qdistill._refusals import explained
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid, require_line


class Case(NamedTuple):
    """A test case: a packet flying right, and a potential as a function of the positions."""

    centre: float
    width: float
    energy: float
    potential: Callable[..., Array]


def _barrier_case(x0: float, s0: float, e0: float, height: float, width: float) -> Case:
    return Case(x0, s0, e0, functools.partial(potentials.barrier, height=height, width=width))


_BARRIERS = {
    f"barrier-{x0}-{height}-{width}": _barrier_case(x0, s0, e0, height, width)
    for x0, s0, e0, height, width in (
        (15.0, 1.6, 2.0, 0.9, 7.7),
        (15.1, 1.7, 6.4, 7.4, 9.4),
        (15.6, 2.4, 3.7, 13.3, 10.5),
        (15.8, 4.9, 5.5, 11.6, 9.4),
        (17.0, 3.8, 6.8, 7.4, 2.4),
        (17.5, 2.8, 4.7, 5.3, 8.7),
        (17.5, 3.8, 1.5, 4.0, 18.2),
        (17.9, 3.2, 8.2, 6.5, 23.4),
        (19.4, 2.7, 7.5, 9.7, 23.7),
        (19.6, 2.8, 5.9, 4.1, 3.9),
        (19.7, 1.1, 8.6, 0.6, 11.0),
    )
}

_OTHERS = {
    "double-1": Case(
        17.0, 2.2, 6.0, functools.partial(potentials.double, heights=(5.0, 5.0), width=3.0, gap=6.0)
    ),
    "double-2": Case(
        18.0, 2.6, 5.0, functools.partial(potentials.double, heights=(3.0, 7.0), width=5.0, gap=4.0)
    ),
    "triple": Case(
        18.0, 3.0, 7.0,
        functools.partial(potentials.triple, heights=(4.0, 8.0, 6.0), width=2.5, gap=4.0),
    ),
    "half-circle": Case(
        16.0, 2.0, 5.0, functools.partial(potentials.half_circle, height=6.0, width=20.0)
    ),
    "quadratic-1": Case(
        16.0, 2.5, 6.0, functools.partial(potentials.quadratic, height=7.0, width=30.0)
    ),
    "quadratic-2": Case(
        17.0, 1.8, 4.0, functools.partial(potentials.quadratic, height=12.0, width=36.0)
    ),
    "random": Case(
        17.0, 2.5, 6.0,
        functools.partial(
            potentials.random,
            amplitudes=(1.2, -0.7, 2.0, -1.5, 0.4, 1.8, -2.2, 0.9, 1.1, -1.3, 0.6, 1.6),
            phases=(0.3, 4.1, 2.2, 5.6, 1.0, 3.3, 0.8, 2.9, 5.1, 1.7, 4.4, 0.1),
            height=9.0,
            width=36.0,
        ),
    ),
    "steps": Case(
        18.0, 2.5, 6.0,
        functools.partial(potentials.steps, heights=(1.5, 3.0, 4.5, 6.0, 7.5), width=25.0),
    ),
    "trapezoid": Case(
        16.0, 2.0, 5.5,
        functools.partial(potentials.trapezoid, height=6.0, width=20.0, top=0.5),
    ),
    "triangle-1": Case(
        17.0, 2.4, 6.0, functools.partial(potentials.triangle, height=7.0, width=16.0)
    ),
    "triangle-2": Case(
        18.0, 3.0, 4.5, functools.partial(potentials.triangle, height=5.0, width=20.0, skew=0.8)
    ),
    "triangle-3": Case(
        16.5, 2.8, 7.0, functools.partial(potentials.triangle, height=10.0, width=12.0, skew=-0.8)
    ),
    "well-1": Case(17.0, 2.4, 4.0, functools.partial(potentials.well, depth=4.0, width=10.0)),
    "well-2": Case(18.0, 3.0, 6.0, functools.partial(potentials.well, depth=8.0, width=15.0)),
}  # fmt: skip

CASES: dict[str, Case] = _BARRIERS | _OTHERS


@explained
def make_cases(
    grid: Grid,
) -> tuple[tuple[str, ...], Complex[Array, "n_case n_x"], Float[Array, "n_case n_x"]]:
    """Return names, initial packets and potentials of all cases.

    The paper's box is 100 bohr long. For another box all lengths are scaled in proportion.

    Raises:
      ValueError: For a grid that is not one-dimensional.
    """
    require_line(grid)
    unit = grid.lengths[0] / 100
    x = (grid.positions() - grid.origin[0]) / unit
    psi0 = [
        packets.gaussian(
            grid,
            grid.origin[0] + case.centre * unit,
            case.width * unit,
            (2 * grid.mass[0] * case.energy) ** 0.5,
        )
        for case in CASES.values()
    ]
    v = jnp.stack([case.potential(x, centre=50.0) for case in CASES.values()])
    return tuple(CASES), jnp.stack(psi0), v


@explained
@functools.cache
def published() -> dict[str, dict[str, dict[str, float]]]:
    """Return the paper's results by case and model: `correlation`, `final_correlation` and `mae`.

    >>> sorted(published()) == sorted(CASES)
    True
    """
    path = pathlib.Path(__file__).with_name("published.json")
    return json.loads(path.read_text())["cases"]


@explained
def published_means(model: str) -> dict[str, float]:
    """Return the paper's results for a model, mean over the 25 cases.

    >>> round(published_means("full-gru")["correlation"], 4)
    0.9959
    """
    require_one_of(next(iter(published().values())), model=model)
    rows = [models[model] for models in published().values()]
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
