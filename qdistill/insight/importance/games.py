"""Cooperative games: shares of the players in the value of a coalition.

A game gives every coalition S of n players a value v(S). Player i is in coalition number c if bit i
of c is set, so the first coalition is empty and the last holds all players. All functions take
values of shape (..., 2^n), and are linear in them.
"""

import math
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float

from qdistill._checks import refuse, require_at_least, require_between, require_finite
from qdistill._refusals import explained

Values: TypeAlias = Float[np.ndarray, "*game n_coalition"]
Shares: TypeAlias = Float[np.ndarray, "*game n_player"]


@explained
def coalitions(n_player: int) -> Bool[np.ndarray, "n_coalition n_player"]:
    """Return the membership of each player in each coalition, for 1 to 12 players.

    >>> coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    require_at_least(1, n_player=n_player)
    require_between(1, 12, n_player=n_player)
    return (np.arange(2**n_player)[:, None] >> np.arange(n_player)[None]) % 2 == 1


@explained
def shapley(values: Values) -> Shares:
    """Return the Shapley values of the players, which sum to v(all) - v(none).

    phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! (v(S + i) - v(S)). It is the gain by
    player i, mean over all orders in which the players may join. Source: Shapley (1953).

    Raises:
      ValueError: For values that are not finite, or whose number is not a power of two.

    >>> shapley(np.array([0.0, 1.0, 2.0, 5.0]))
    array([2., 3.])
    """
    n = _n_player(values)
    weights = [math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n) for s in range(n)]
    return np.stack([_mean_gain(values, 1 << i, weights) for i in range(n)], axis=-1)


@explained
def interactions(values: Values) -> Float[np.ndarray, "*game n_player n_player"]:
    """Return the interaction of each pair of players: its value beyond that of the two alone.

    I_ij = sum over S without i and j of |S|! (n - |S| - 2)! / (n - 1)!
    (v(S + i + j) - v(S + i) - v(S + j) + v(S)). It is positive if the two complement each other,
    and negative if they replace each other; the diagonal is zero. Source: Grabisch and Roubens
    (1999).

    >>> interactions(np.array([0.0, 1.0, 2.0, 5.0]))
    array([[0., 2.],
           [2., 0.]])
    """
    n = _n_player(values)
    index = np.zeros((*values.shape[:-1], n, n))
    weights = [
        math.factorial(s) * math.factorial(n - s - 2) / math.factorial(n - 1) for s in range(n - 1)
    ]
    for i in range(n):
        for j in range(i):
            gains = _mean_gain(values, (1 << i) | (1 << j), weights)
            gains = gains - _mean_gain(values, 1 << i, weights, without=1 << j)
            gains = gains - _mean_gain(values, 1 << j, weights, without=1 << i)
            index[..., i, j] = index[..., j, i] = gains
    return index


@explained
def leave_one_out(values: Values) -> Shares:
    """Return v(all) - v(all but i), the loss without player i.

    >>> leave_one_out(np.array([0.0, 1.0, 2.0, 5.0]))
    array([3., 4.])
    """
    last = values.shape[-1] - 1
    return values[..., [last]] - values[..., [last ^ (1 << i) for i in range(_n_player(values))]]


@explained
def only_one(values: Values) -> Shares:
    """Return v(i alone) - v(none), the gain by player i alone.

    >>> only_one(np.array([0.0, 1.0, 2.0, 5.0]))
    array([1., 2.])
    """
    return values[..., [1 << i for i in range(_n_player(values))]] - values[..., [0]]


def _mean_gain(
    values: Values, joined: int, weights: list[float], without: int = 0
) -> Float[np.ndarray, "*game"]:
    """The sum of w(|S|) (v(S + joined) - v(S)) over all S without the players in `without`."""
    every = range(values.shape[-1])
    rests = [rest for rest in every if not rest & (joined | without)]
    weigh = np.array([weights[rest.bit_count()] for rest in rests])
    gains = values[..., [rest | joined for rest in rests]] - values[..., rests]
    return np.asarray(gains @ weigh)


def _n_player(values: Values) -> int:
    require_finite(values=values)
    n_coalition = values.shape[-1]
    if n_coalition < 2 or n_coalition & (n_coalition - 1):
        refuse("values", "one for each of 2^n coalitions", f"{n_coalition}")
    return n_coalition.bit_length() - 1
