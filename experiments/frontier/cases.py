"""Error against cost of solvers and students: settings, test cases and errors.

A job is one new potential, a number of packets and a time. Its result is the whole trajectory, with
every packet decoded after each a.u., or the final state only.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from experiments.frontier import contenders
from experiments.frontier.contenders import Contender, frames_per_unit, of_unit
from experiments.scenes import sample_discs, sample_double_slit
from qdistill._checks import require_at_least, require_between, require_positive, require_settings
from qdistill.curriculum.lessons import Sample, require_plane
from qdistill.forecast import baselines
from qdistill.forecast.cases import Cases, exact, simulate
from qdistill.physics import packets
from qdistill.physics.grid import Grid, Scalar
from qdistill.system import Potential, Propagator, System, rollout
from qdistill.teacher import SCHEMES

# Area per scatterer, in bohr^2.
ROOM = 32.0
# Largest kinetic phase of a drift, below the resonance at 2 pi.
LARGEST_PHASE = 6.2
# Widths in bohr over which filters smooth V before its slope is taken.
SMOOTHINGS = (0.06, 0.075, 0.09)


@dataclasses.dataclass(frozen=True)
class FrontierConfig:
    """Settings of the comparison.

    Attributes:
      n_potentials: Number of held-out potentials; the families alternate.
      seed: Random seed of the potentials.
      n_units: Time of a run in a.u.; errors are measured at its end.
      n_packets: Packets in a potential, in the job and in the timing.
      job_units: Time of the job in a.u.
      n_repeats: Rounds of timing, each with one run of every contender.
      levels: Relative errors at which the cheapest solver and student are compared.
      n_bootstrap: Number of resamples of potentials and rounds, for intervals.
    """

    n_potentials: int = 40
    seed: int = 1
    n_units: int = 20
    n_packets: int = 16
    job_units: int = 100
    n_repeats: int = 15
    levels: tuple[float, ...] = (1e-1, 1e-2, 1e-3)
    n_bootstrap: int = 2000

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        for name in ("n_potentials", "n_packets", "n_repeats", "n_bootstrap", "job_units"):
            require_at_least(1, **{name: getattr(self, name)})
        require_at_least(2, n_units=self.n_units)
        require_positive(levels=self.levels)


SMOKE = FrontierConfig(2, n_units=2, n_packets=2, job_units=2, n_repeats=2, n_bootstrap=20)


@dataclasses.dataclass(frozen=True)
class SolversConfig:
    """Settings of the solvers and baselines.

    Attributes:
      plain: FFT pairs per a.u. of plain split steps.
      clamped: FFT pairs per a.u. of clamped split steps.
      coarse: Points along an axis, and FFT pairs per a.u., of clamped split steps on few points,
        by the scheme of Takahashi and Imada.
      tolerances: Tolerances of Chebyshev expansions over an a.u.
      projected: Basis sizes, in points, of the projected exact frame; on a line only.
      truncated: Basis sizes, in points, of the Hamiltonian, truncated and Loewdin-folded.
      others: FFT pairs per a.u. of clamped split steps of other schemes, and of those with filters
        on a line; each takes the nearest multiples of its own pairs.
    """

    plain: tuple[int, ...] = (40, 60, 90, 120, 160, 240, 400)
    clamped: tuple[int, ...] = (5, 7, 10, 14, 20, 24, 30, 40, 60)
    coarse: tuple[tuple[int, int], ...] = tuple(
        (n_coarse, n) for n_coarse in (512, 640) for n in (7, 10, 14, 20, 28)
    )
    tolerances: tuple[float, ...] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    projected: tuple[int, ...] = (192, 256, 384)
    truncated: tuple[int, ...] = (192, 224, 256, 320, 384)
    others: tuple[int, ...] = (7, 10, 14, 20, 24, 28, 34, 40)


def double_slit(key: Key[Array, ""], grid: Grid) -> Sample:
    """Sample a packet and a double slit in a box of at least 12 bohr along both axes."""
    _require_room(grid)
    start, wall = (grid.origin[0] + share * grid.lengths[0] for share in (0.25, 0.6))
    return sample_double_slit(key, grid, start, wall, aside=1.0, widths=[(1.5, 2.0)])


def scatterers(key: Key[Array, ""], grid: Grid) -> Sample:
    """Sample a packet among discs anywhere in a box of at least 12 bohr along both axes."""
    _require_room(grid)
    n_discs = round(grid.lengths[0] * grid.lengths[1] / ROOM)
    key_place, key_size, key_speed, key_angle = jax.random.split(key, 4)
    ends = tuple(x + length for x, length in zip(grid.origin, grid.lengths, strict=True))
    v = sample_discs(key_place, key_size, grid, n_discs, grid.origin, ends)
    speed = jax.random.uniform(key_speed, (), float, 2.0, 4.0)
    angle = jax.random.uniform(key_angle, (), float, 0.0, 2 * jnp.pi)
    momentum = (speed * jnp.cos(angle), speed * jnp.sin(angle))
    return packets.gaussian(grid, grid.middle, (2.0, 2.0), momentum), v


FAMILIES: dict[str, Callable[[Key[Array, ""], Grid], Sample]] = {
    "double slits": double_slit,
    "scatterers": scatterers,
}


def sample(key: Key[Array, ""], grid: Grid, n_case: int) -> tuple[tuple[str, ...], Array, Array]:
    """Sample held-out cases: on a line potentials of every family, otherwise of `FAMILIES`.

    Returns:
      The family, initial packet and potential of each case.
    """
    if grid.n_dim == 1:
        return baselines.sample_cases(key, grid, n_case)
    names = tuple(list(FAMILIES)[i % len(FAMILIES)] for i in range(n_case))
    keys = jax.random.split(key, n_case)
    drawn = [FAMILIES[name](key, grid) for name, key in zip(names, keys, strict=True)]
    psi0, v = (jnp.stack(each) for each in zip(*drawn, strict=True))
    return names, psi0, v


def make_truth(system: System, config: FrontierConfig, n_given: int = 4) -> Cases:
    """Return solved test cases on held-out potentials: given frames, then one frame per a.u.

    Args:
      system: The system; its dt is the distance of the given frames.
      config: Settings.
      n_given: Number of given frames, the last of which is at time zero.
    """
    family, psi0, v = sample(jax.random.key(config.seed), system.grid, config.n_potentials)
    given = psi0[:, None]
    if n_given > 1:
        given = simulate(exact(system, v), psi0, v, n_given, 1).given
    later = simulate(exact(of_unit(system), v), given[:, -1], v, 1, config.n_units)
    return Cases(given, v, later.frames, family)


def measure_errors(contender: Contender, truth: Cases) -> Float[np.ndarray, " n_case"]:
    """Return the relative L2 error |psi - truth| / |truth| at the end of every run."""
    n_units = truth.frames.shape[1]

    @jax.jit
    def one_by_one(propagator: Propagator, truth: Cases) -> Array:
        return jax.lax.map(functools.partial(_error, propagator, n_units), _each(truth))

    return np.asarray(one_by_one(contender.propagator, truth), float)


def _each(truth: Cases) -> tuple[Array, Potential, Array]:
    """The given frames, potentials and last frames of all cases."""
    return truth.given, truth.v, truth.frames[:, -1]


def _error(
    propagator: Propagator, n_units: int, case: tuple[Array, Potential, Array]
) -> Float[Array, ""]:
    """The relative L2 error of one case; it can be traced."""
    given, v, last = case
    n_frames = n_units * frames_per_unit(propagator)
    psi = rollout(propagator, given, v, n_frames, every=n_frames)[0]
    return jnp.linalg.norm(psi - last) / jnp.linalg.norm(last)


def rms(errors: Float[np.ndarray, "*more n_case"]) -> Any:
    """Return the root of the mean square over the potentials."""
    return np.sqrt(np.mean(np.asarray(errors, float) ** 2, axis=-1))


def caps(n_pairs: int, scheme: str = "strang") -> list[float]:
    """Return candidate caps of the kinetic energy in hartree.

    Args:
      n_pairs: FFT pairs per a.u.
      scheme: Name of one of `SCHEMES`. The largest drift of those of fourth order has phases up to
        the resonance.
    """
    phases, form = np.array(baselines.CAP_PHASES), SCHEMES[scheme]
    if scheme != "strang":
        phases = np.linspace(0.2, 1, 12) * LARGEST_PHASE / np.abs(form.drifts).max()
    return (phases * n_pairs / form.n_pairs / contenders.UNIT).tolist()


def best_clamped(
    system: System,
    n_pairs: int,
    truth: Cases,
    n_coarse: int | None = None,
    scheme: str = "strang",
) -> tuple[float, Contender]:
    """Return the cap in hartree and the clamped split step of least rms error on the test runs.

    Args:
      system: The system.
      n_pairs: FFT pairs per a.u.
      truth: The test runs.
      n_coarse: Points along an axis; None for all.
      scheme: Name of one of `SCHEMES`.
    """

    def make(cap: Scalar) -> Contender:
        return contenders.clamped(system, n_pairs, cap, n_coarse, scheme)

    n_units = truth.frames.shape[1]
    error = jax.vmap(lambda cap, case: _error(make(cap).propagator, n_units, case), (None, 0))
    mean_square = jax.jit(lambda cap: jnp.mean(error(cap, _each(truth)) ** 2))
    cap = min(caps(n_pairs, scheme), key=lambda cap: float(mean_square(cap)))
    return cap, make(cap)


def best_filters(system: System, n_pairs: int, truth: Cases) -> tuple[float, Contender]:
    """Return the same of the split step with the filters of perturbation theory, on a line.

    The smoothing is the best of `SMOOTHINGS`, too.
    """
    n_units = truth.frames.shape[1]

    @jax.jit
    def mean_square(propagator: Propagator) -> Array:
        error = jax.vmap(lambda case: _error(propagator, n_units, case))
        return jnp.mean(error(_each(truth)) ** 2)

    made = {
        (cap, width): contenders.filters(system, n_pairs, cap, width)
        for cap in caps(n_pairs)
        for width in SMOOTHINGS
    }
    best = min(made, key=lambda each: float(mean_square(made[each].propagator)))
    return best[0], made[best]


def clamped(
    system: System,
    truth: Cases,
    numbers: Sequence[int],
    coarse: Sequence[tuple[int, int]],
    others: Sequence[int] = (),
) -> tuple[dict[str, Contender], dict[str, float]]:
    """Return clamped split steps, each with its best cap, and these caps in hartree.

    Args:
      system: The system.
      truth: The test runs on which caps are optimised.
      numbers: FFT pairs per a.u. on all points.
      coarse: Points along an axis, and FFT pairs per a.u. there, by the scheme of
        Takahashi and Imada.
      others: FFT pairs per a.u. of other schemes and of filters, on all points.
    """
    best = {f"clamped, {n} pairs": best_clamped(system, n, truth) for n in numbers}
    for n_coarse, n in coarse:
        best[f"{n_coarse} points, {n} pairs"] = best_clamped(
            system, n, truth, n_coarse, "takahashi-imada"
        )
    for scheme, title in contenders.TITLES.items():
        if scheme != "strang":
            for n in _multiples(others, SCHEMES[scheme].n_pairs):
                best[f"{title}, {n} pairs"] = best_clamped(system, n, truth, scheme=scheme)
    if system.grid.n_dim == 1:
        for n in _multiples(others, 2):
            best[f"{contenders.FILTERS}, {n} pairs"] = best_filters(system, n, truth)
    return {name: one for name, (_, one) in best.items()}, {n: cap for n, (cap, _) in best.items()}


def _multiples(numbers: Sequence[int], of: int) -> list[int]:
    """The nearest multiples of a number, each once."""
    return list(dict.fromkeys(max(round(n / of), 1) * of for n in numbers))


def line_up(
    system: System, truth: Cases, config: SolversConfig
) -> tuple[dict[str, dict[str, Contender]], dict[str, float]]:
    """Return all solvers and baselines by group, and the caps of the clamped ones in hartree.

    Args:
      system: The system.
      truth: The test runs on which caps are optimised; their potentials bound the Chebyshev
        expansion.
      config: Settings of the solvers.
    """
    bounds = (float(truth.v.min()), float(truth.v.max()))
    splits, chosen = clamped(system, truth, config.clamped, config.coarse, config.others)
    return {
        "split steps": contenders.split_steps(system, config.plain) | splits,
        "Chebyshev": contenders.chebyshevs(system, config.tolerances, bounds),
        "projected": contenders.projected(system, config.projected),
        "cut off": contenders.cut_off(system, config.truncated),
        "folded": contenders.folded(system, config.truncated),
    }, chosen


def _require_room(grid: Grid) -> None:
    require_plane(grid)
    require_between(12, float("inf"), lengths=grid.lengths)
