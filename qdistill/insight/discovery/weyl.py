"""Weyl-ordered polynomials of positions and momenta, and their brackets, exactly.

A polynomial is a mapping from exponents to coefficients. The exponents of one term are
(a_1, ..., a_d, b_1, ..., b_d), for x_1^a_1 ... x_d^a_d p_1^b_1 ... p_d^b_d. It stands for the
operator with this Weyl symbol. Units are atomic, so hbar is 1.
"""

import functools
import itertools
import math
from collections.abc import Mapping
from typing import TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from qdistill._checks import refuse, require_at_least, require_finite, require_shape
from qdistill._refusals import explained
from qdistill.physics.grid import Grid

Exponents: TypeAlias = tuple[int, ...]
Polynomial: TypeAlias = Mapping[Exponents, float]


@explained
def monomials(n_dim: int, degree: int) -> list[Exponents]:
    """Return the exponents of all terms up to a degree, those of low degree first.

    >>> [name_of(each) for each in monomials(1, 2)]
    ['1', 'x', 'p', 'x^2', 'x p', 'p^2']
    """
    require_at_least(1, n_dim=n_dim)
    require_at_least(0, degree=degree)
    every = itertools.product(range(degree + 1), repeat=2 * n_dim)
    return sorted(
        (each for each in every if sum(each) <= degree),
        key=lambda each: (sum(each), tuple(-power for power in each)),
    )


@explained
def name_of(exponents: Exponents) -> str:
    """Return a term as text.

    >>> name_of((1, 0, 0, 2)), name_of((0, 0))
    ('x py^2', '1')
    """
    n_dim = _n_dim(exponents)
    axes = [""] if n_dim == 1 else [*"xyz"[:n_dim]]
    if n_dim > 3:
        axes = [str(axis + 1) for axis in range(n_dim)]
    bases = ["x"] if n_dim == 1 else axes if n_dim <= 3 else [f"x{axis}" for axis in axes]
    bases = [*bases, *(f"p{axis}" for axis in axes)]
    parts = [
        base if power == 1 else f"{base}^{power}"
        for base, power in zip(bases, exponents, strict=True)
        if power
    ]
    return " ".join(parts) or "1"


@explained
def bracket(f: Polynomial, g: Polynomial) -> dict[Exponents, float]:
    """Return the Moyal bracket {f, g}: the commutator of the operators is i times it.

    {f, g} = 2 f sin(L / 2) g with L = <-d/dx d/dp-> - <-d/dp d/dx->. For a factor of degree 2 at
    most it is the Poisson bracket. Source: Moyal (1949).

    Raises:
      ValueError: For polynomials of different numbers of axes, and coefficients not finite.

    >>> bracket({(2, 0): 0.5}, {(0, 2): 0.5})
    {(1, 1): 1.0}
    >>> bracket({(3, 0): 1.0}, {(0, 3): 1.0})
    {(2, 2): 9.0, (0, 0): -1.5}
    """
    require_finite(f=tuple(f.values()), g=tuple(g.values()))
    n_dims = [_n_dim(term) for term in (*f, *g)]
    if others := [n_dim for n_dim in n_dims if n_dim != n_dims[0]]:
        refuse("g", f"of {n_dims[0]} axes, as f is", f"of {others[0]}")
    found: dict[Exponents, float] = {}
    for (first, a), (second, b) in itertools.product(f.items(), g.items()):
        for term, value in _bracket_of_terms(first, second):
            found[term] = found.get(term, 0.0) + float(a) * float(b) * value
    return {term: value for term, value in found.items() if value}


@functools.lru_cache(maxsize=1 << 14)
def _bracket_of_terms(first: Exponents, second: Exponents) -> tuple[tuple[Exponents, float], ...]:
    """The bracket of two terms with the coefficient 1, terms of low order first."""
    n_dim, made = len(first) // 2, []
    # In f it is x that is differentiated counts[:n_dim] times, in g it is p.
    turned = (*second[n_dim:], *second[:n_dim])
    most = (range(min(pair) + 1) for pair in zip(first, turned, strict=True))
    for counts in sorted(itertools.product(*most), key=sum):
        order, back = sum(counts), (*counts[n_dim:], *counts[:n_dim])
        if order % 2 == 0:
            continue
        value = 2.0 ** (1 - order) * _slope(first, counts) * _slope(second, back)
        value *= (-1) ** (order // 2 + sum(counts[n_dim:]))
        powers = (p + q - i - j for p, q, i, j in zip(first, second, counts, back, strict=True))
        made.append((tuple(powers), value / math.prod(map(math.factorial, counts))))
    return tuple(made)


@explained
def operate(
    grid: Grid, exponents: Exponents, psi: Complex[Array, "*n_x"]
) -> Complex[Array, "*n_x"]:
    """Return the operator of one term, Weyl-ordered, applied to psi.

    Positions are relative to the middle of the box. Momenta are those of the group velocity,
    m d omega / dk: k on the continuum, sin(k dx) / dx on the lattice. On a periodic box all of it
    has a meaning for states away from the edges only.

    For one axis it is 2^-a sum_j binomial(a, j) x^j p^b x^(a - j).
    """
    n_dim = _n_dim(exponents)
    if n_dim != grid.n_dim:
        refuse("exponents", f"{2 * grid.n_dim} numbers, for {grid.n_dim} axes", exponents)
    require_shape(grid.shape, psi=psi)
    for axis in range(n_dim):
        psi = _along(grid, axis, exponents[axis], exponents[n_dim + axis], psi)
    return psi


def _along(grid: Grid, axis: int, a: int, b: int, psi: Array) -> Array:
    real = psi.real.dtype
    x = grid.positions(axis, real) - jnp.asarray(grid.middle[axis], real)
    x = jnp.broadcast_to(x, grid.shape)
    if not b:
        return x**a * psi
    momentum, dx = grid.odd_wavenumbers(axis), grid.dx[axis]
    if grid.dispersion == "lattice":
        momentum = np.sin(momentum * dx) / dx
    power = jnp.asarray(np.broadcast_to(momentum**b, grid.shape), real)

    def differentiate(psi: Array) -> Array:
        return jnp.fft.ifftn(power * jnp.fft.fftn(psi))

    parts = [
        math.comb(a, j) / 2**a * x**j * differentiate(x ** (a - j) * psi) for j in range(a + 1)
    ]
    return sum(parts[1:], parts[0])


def _slope(exponents: Exponents, counts: tuple[int, ...]) -> int:
    """The factor of a derivative of a term: a falling factorial for each variable."""
    return math.prod(math.perm(n, i) for n, i in zip(exponents, counts, strict=True))


def _n_dim(exponents: Exponents) -> int:
    if not exponents or len(exponents) % 2:
        refuse("exponents", "as many powers of x as of p", exponents)
    for power in exponents:
        require_at_least(0, exponents=power)
    return len(exponents) // 2
