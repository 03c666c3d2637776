"""What a job costs in time: a landscape, packets on it, and looks at them."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from experiments.frontier.contenders import Contender
from qdistill.physics.grid import Scalar

# Seconds of a timed run, unless the job is shorter.
LONG_ENOUGH = 1.0


class Cost(NamedTuple):
    """Seconds, in every round of timing.

    Attributes:
      setup: Of what is made of a landscape once, of taking all packets in, and of their last psi
        on the fine grid.
      packet: Of one packet and one a.u.
      look: Of one look at one packet, psi on points of the contender's own.
    """

    setup: Float[np.ndarray, " n_repeat"]
    packet: Float[np.ndarray, " n_repeat"]
    look: Float[np.ndarray, " n_repeat"]

    def of_job(self, n_packets: int, n_units: int, n_looks: int) -> Float[np.ndarray, " n_repeat"]:
        """Of a landscape with so many packets for so many a.u., each looked at so often."""
        return self.setup + n_packets * (n_units * self.packet + n_looks * self.look)


def measure(
    rivals: Mapping[str, Contender],
    given: Complex[Array, "n_batch n_given *n_x"],
    v: Float[Array, "*n_x"],
    n_units: int,
    n_repeats: int,
) -> dict[str, Cost]:
    """Time all packets in one landscape, all contenders in every round.

    A run of no time costs what is made of the landscape, and what every packet costs once: its
    start, and psi on the fine grid in the end. A long one gives the rest, without looks and with
    one after every a.u.

    Args:
      rivals: Who.
      given: Frames of every packet, oldest first.
      v: The landscape.
      n_units: Longest run in a.u.; those that take long are shorter.
      n_repeats: Rounds.
    """
    calls = {name: _timed_run(rival) for name, rival in rivals.items()}
    lengths = {}
    for name, call in calls.items():
        for is_film in (False, True):
            _seconds(call, given, v, 0, is_film)
        setup, brief = (min(_seconds(call, given, v, n, True) for _ in range(2)) for n in (0, 2))
        per_unit = max((brief - setup) / 2, 1e-6)
        lengths[name] = int(np.clip(LONG_ENOUGH / per_unit, 1, n_units))
    costs = {name: Cost(*np.empty((3, n_repeats))) for name in rivals}
    for i in range(n_repeats):
        for name, call in calls.items():
            cost, n = costs[name], lengths[name]
            cost.setup[i] = _seconds(call, given, v, 0, False)
            unseen, film = (_seconds(call, given, v, n, is_film) for is_film in (False, True))
            cost.packet[i] = (unseen - cost.setup[i]) / n / len(given)
            cost.look[i] = (film - unseen) / n / len(given)
    return costs


def _timed_run(contender: Contender) -> Any:
    """All packets in one landscape: the last psi, and of a film the sum of |psi|^2 too."""

    def run(given: Array, v: Array, n_units: Array, is_film: bool) -> tuple[Array, Array]:
        evolution = contender.evolution(v)
        look = jax.vmap(lambda state: jnp.abs(evolution.look(state)) ** 2)

        def advance(_: Scalar, carry: tuple[Any, Array]) -> tuple[Any, Array]:
            state = jax.vmap(evolution.step)(carry[0])
            return state, carry[1] + look(state) if is_film else carry[1]

        start = jax.vmap(evolution.start)(given)
        density = jnp.zeros(jax.eval_shape(look, start).shape)
        state, density = jax.lax.fori_loop(0, n_units, advance, (start, density))
        return jax.vmap(evolution.psi)(state), density

    return jax.jit(run, static_argnums=3)


def _seconds(call: Any, given: Array, v: Array, n_units: int, is_film: bool) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call(given, v, n_units, is_film))
    return time.perf_counter() - start
