"""The cost of a job in time: setup of a potential, packets, and outputs."""

import functools
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, PyTree

from experiments.frontier.contenders import Contender, frames_per_unit
from qdistill.physics.grid import Scalar
from qdistill.system import Propagator

# Target duration of a timed run in seconds, unless the job is shorter.
LONG_ENOUGH = 1.0


class Cost(NamedTuple):
    """The seconds of the parts of a job in every round of timing; never negative.

    Attributes:
      setup: Seconds of the setup of a potential, of encoding all packets, and of their last psi.
      packet: Seconds of one packet and one a.u.
      look: Seconds of decoding one psi.
    """

    setup: Float[np.ndarray, " n_repeat"]
    packet: Float[np.ndarray, " n_repeat"]
    look: Float[np.ndarray, " n_repeat"]

    def of_job(self, n_packets: int, n_units: int, n_looks: int) -> Float[np.ndarray, " n_repeat"]:
        """Return the seconds of a job: one potential, its packets, their time and outputs."""
        return self.setup + n_packets * (n_units * self.packet + n_looks * self.look)


def measure(
    contenders: Mapping[str, Contender],
    given: Complex[Array, "n_batch n_given *n_x"],
    v: Float[Array, "*n_x"],
    n_units: int,
    n_repeats: int,
) -> dict[str, Cost]:
    """Time all packets in one potential, interleaved: one run of each contender per round.

    A run of zero length gives the setup: the potential, encoding and decoding of every packet. Long
    runs, without outputs and with one after every a.u., give the rest. A negative difference, by
    noise, counts as zero.

    Args:
      contenders: Contenders by name.
      given: Given frames of every packet, oldest first.
      v: Potential.
      n_units: Longest run in a.u.; slow contenders have shorter runs.
      n_repeats: Number of rounds.
    """
    lengths, seconds = {}, {}
    for name, contender in contenders.items():
        seconds[name] = _timer(contender.propagator, given, v)
        for is_film in (False, True):
            seconds[name](0, is_film)
        setup, brief = (min(seconds[name](n, True) for _ in range(2)) for n in (0, 2))
        lengths[name] = int(np.clip(LONG_ENOUGH / max((brief - setup) / 2, 1e-6), 1, n_units))
    costs = {name: Cost(*np.empty((3, n_repeats))) for name in contenders}
    for i in range(n_repeats):
        for name, cost in costs.items():
            n = lengths[name]
            runs = [seconds[name](*run) for run in ((0, False), (n, False), (n, True))]
            cost.setup[i] = runs[0]
            cost.packet[i], cost.look[i] = np.maximum(np.diff(runs), 0) / n / len(given)
    return costs


def _timer(propagator: Propagator, given: Array, v: Array) -> Any:
    """The function ``(n_units, is_film) -> seconds``; one program, since the length is traced."""

    def seconds(n_units: int, is_film: bool) -> float:
        start = time.perf_counter()
        jax.block_until_ready(_run(propagator, given, v, n_units, is_film))
        return time.perf_counter() - start

    return seconds


@functools.partial(jax.jit, static_argnums=4)
def _run(
    propagator: Propagator, given: Array, v: Array, n_units: Array, is_film: bool
) -> tuple[Array, Array]:
    """The last psi of all packets in one potential, and for a trajectory the sum of |psi|^2."""
    step, n_frames = propagator(v), frames_per_unit(propagator)
    given = given[:, given.shape[1] - propagator.n_history :]
    look = jax.vmap(lambda state: jnp.abs(step.decode(state)) ** 2)

    def unit(_: Scalar, carry: tuple[PyTree, Array]) -> tuple[PyTree, Array]:
        state, density = carry
        state = jax.lax.fori_loop(0, n_frames, lambda _, s: jax.vmap(step.advance)(s), state)
        return state, density + look(state) if is_film else density

    start = jax.vmap(lambda frames: step.encode(frames, jnp.asarray(0)))(given)
    density = jnp.zeros(jax.eval_shape(look, start).shape, given.real.dtype)
    state, density = jax.lax.fori_loop(0, n_units, unit, (start, density))
    return jax.vmap(step.decode)(state), density
