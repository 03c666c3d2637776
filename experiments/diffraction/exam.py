"""The exam in two dimensions: double slits and forests of discs, none of which is in a lesson.

Students stand beside the clamped split step, whose one number, the cap, is the best on the very
cases that are scored, for each family its own.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key
from qdistill.teacher.solvers import Propagator

from experiments.throughput import timing
from qdistill._checks import require_at_least, require_between, require_positive
from qdistill._rollout import rollout
from qdistill.curriculum.lessons import Sample, require_plane
from qdistill.forecast import baselines as generalisation
from qdistill.forecast import metrics
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid, Scalar
from qdistill.teacher import solvers as solver


@dataclasses.dataclass(frozen=True)
class DiffractionConfig:
    """The exam.

    Attributes:
      n_cases: Landscapes and packets of each family.
      n_x: Points of the square box along an axis.
      n_frames: Frames of every case.
      every: Frames between two looks at psi.
      tolerance: Per frame, of the Chebyshev solver that is the truth.
      n_repeats: Rounds of the timing.
    """

    n_cases: int = 8
    n_x: int = 160
    n_frames: int = 80
    every: int = 20
    tolerance: float = 1e-6
    n_repeats: int = 15

    def __post_init__(self) -> None:  # noqa: D105
        for name in ("n_cases", "n_x", "n_frames", "every", "n_repeats"):
            require_at_least(1, **{name: getattr(self, name)})
        require_positive(tolerance=self.tolerance)


def sample_double_slit(key: Key[Array, ""], grid: Grid) -> Sample:
    """A packet that flies onto a wall with two slits, at an angle of up to 0.2 radians.

    Args:
      key: Random key.
      grid: Two-dimensional, at least 40 bohr along both axes.
    """
    require_plane(grid)
    require_between(40, np.inf, lengths=grid.lengths)
    keys = jax.random.split(key, 9)
    low = jnp.array([8.0, 0.75, 3.0, 1.0, -2.0, 2.2, -0.2, 1.5, 2.5])
    high = jnp.array([15.0, 2.0, 6.0, 2.0, 2.0, 4.0, 0.2, 3.0, 5.0])
    drawn = [
        jax.random.uniform(k, (), float, a, b) for k, a, b in zip(keys, low, high, strict=True)
    ]
    height, thickness, separation, slit, aside, speed, angle, *width = drawn
    middle = grid.lengths[1] / 2
    psi = packets.gaussian(
        grid, (12.0, middle + aside), tuple(width),
        (speed * jnp.cos(angle), speed * jnp.sin(angle)),
    )  # fmt: skip
    x, y = grid.positions(0), grid.positions(1)
    return psi, potentials.double_slit(x, y, height, thickness, separation, slit, (20.0, middle))


def sample_forest(key: Key[Array, ""], grid: Grid, n_discs: int = 12) -> Sample:
    """A packet that flies into a forest of discs, which add up where they overlap.

    Args:
      key: Random key.
      grid: Two-dimensional, at least 40 bohr along both axes.
      n_discs: How many.
    """
    require_plane(grid)
    require_between(40, np.inf, lengths=grid.lengths)
    require_at_least(1, n_discs=n_discs)
    key_place, key_size, key_speed = jax.random.split(key, 3)
    middle = grid.lengths[1] / 2
    places = jax.random.uniform(key_place, (n_discs, 2), float, -10.0, 10.0)
    low, high = jnp.array([[0.5, -6.0], [2.0, 9.0]])
    sizes = low[None] + (high - low)[None] * jax.random.uniform(key_size, (n_discs, 2), float)
    x, y = grid.positions(0), grid.positions(1)
    v = jnp.zeros(grid.shape)
    for (right, up), (radius, height) in zip(places, sizes, strict=True):
        v = v + potentials.disc(x, y, height, radius, (26.0 + right, middle + up))
    speed = jax.random.uniform(key_speed, (), float, 2.0, 4.0)
    psi = packets.gaussian(grid, (11.0, middle), (2.5, 2.5), (speed, 0.0))
    # Overlapping discs must not leave the range of the lessons.
    return psi, jnp.clip(v, -10.0, 15.0)


FAMILIES: dict[str, Callable[[Key[Array, ""], Grid], Sample]] = {
    "double slits": sample_double_slit,
    "forests": sample_forest,
}
V_RANGE = (-16.0, 16.0)


class Cases(NamedTuple):
    """Packets and landscapes, and psi as it is later."""

    psi0: Complex[Array, "n_case n_x n_y"]
    v: Float[Array, "n_case n_x n_y"]
    frames: Complex[Array, "n_case n_t n_x n_y"]


def make_cases(grid: Grid, dt: float, config: DiffractionConfig, key: Key[Array, ""]) -> Cases:
    """All families in turn, `n_cases` each, with the truth at every look."""
    drawn = [
        sample(jax.random.fold_in(key_family, i), grid)
        for key_family, sample in zip(
            jax.random.split(key, len(FAMILIES)), FAMILIES.values(), strict=True
        )
        for i in range(config.n_cases)
    ]
    psi0, v = (jnp.stack(each) for each in zip(*drawn, strict=True))
    teacher = solver.chebyshev(grid, dt, config.tolerance, V_RANGE)
    return Cases(psi0, v, jax.jit(functools.partial(forecast, config, teacher))(psi0, v))


def forecast(
    config: DiffractionConfig, propagator: Propagator, psi0: Array, v: Array
) -> Complex[Array, "n_case n_t n_x n_y"]:
    """What a propagator makes of the cases, at every look; one after the other, to save memory."""
    return jax.lax.map(
        lambda case: rollout(propagator(case[1]), case[0], config.n_frames, every=config.every),
        (psi0, v),
    )


def measure(
    config: DiffractionConfig, propagator: Propagator, cases: Cases
) -> dict[str, Float[Array, "n_case n_t"]]:
    """Phase-sensitive error, infidelity and norm drift of every case at every look."""
    found = forecast(config, propagator, cases.psi0, cases.v)
    return {
        "nrmse": jax.vmap(metrics.nrmse)(found, cases.frames),
        "infidelity": 1 - jax.vmap(metrics.correlation)(found, cases.frames),
        "norm_drift": jax.vmap(metrics.norm_drift)(found, cases.psi0),
    }


def evaluate(
    grid: Grid,
    dt: float,
    rivals: Mapping[str, Propagator],
    pairs: tuple[int, ...],
    config: DiffractionConfig,
    key: Key[Array, ""],
) -> dict[str, Any]:
    """Errors of students and of the clamped split step on the same fresh cases, and all costs.

    Args:
      grid: Two-dimensional.
      dt: Duration of a frame, in atomic units.
      rivals: Propagators of students, by name.
      pairs: FFT pairs a frame of the clamped split steps.
      config: The exam.
      key: Of the cases.
    """
    cases = make_cases(grid, dt, config, key)
    everyone: dict[str, Propagator] = dict(rivals)
    found: dict[str, dict[str, Array]] = {}
    caps: dict[str, dict[str, float]] = {}
    for name, propagator in rivals.items():
        found[name] = jax.jit(functools.partial(measure, config, propagator))(cases)
    for n_pairs in pairs:
        name = f"clamped-{n_pairs}"
        caps[name], found[name] = best_clamped(grid, dt, n_pairs, cases, config)
        everyone[name] = solver.split_step(grid, dt, n_pairs, min(caps[name].values()))
    everyone["chebyshev"] = solver.chebyshev(grid, dt, config.tolerance, V_RANGE)
    return {
        "n_cases": config.n_cases,
        "times_au": [dt * i for i in range(config.every, config.n_frames + 1, config.every)],
        "kinetic_caps_hartree": caps,
        "scores": {name: summarise(config, each) for name, each in found.items()},
        "costs": measure_costs(grid, everyone, cases, config),
    }


def best_clamped(
    grid: Grid, dt: float, n_pairs: int, cases: Cases, config: DiffractionConfig
) -> tuple[dict[str, float], dict[str, Float[Array, "n_case n_t"]]]:
    """By family, the cap of least mean phase-sensitive error in hartree; and what they score."""

    @jax.jit
    def score(cap: Scalar, cases: Cases) -> dict[str, Array]:
        return measure(config, solver.split_step(grid, dt, n_pairs, cap), cases)

    scores = {
        cap: score(cap, cases) for cap in (p * n_pairs / dt for p in generalisation.CAP_PHASES)
    }
    caps, parts = {}, []
    for family, mine in members(config).items():
        errors = {cap: float(each["nrmse"][mine].mean()) for cap, each in scores.items()}
        caps[family] = min(errors, key=lambda cap: errors[cap])
        parts.append({name: each[mine] for name, each in scores[caps[family]].items()})
    return caps, {name: jnp.concatenate([part[name] for part in parts]) for name in parts[0]}


def members(config: DiffractionConfig) -> dict[str, slice]:
    """Which cases belong to a family."""
    n = config.n_cases
    return {family: slice(i * n, (i + 1) * n) for i, family in enumerate(FAMILIES)}


def summarise(
    config: DiffractionConfig, found: dict[str, Float[Array, "n_case n_t"]]
) -> dict[str, Any]:
    """By family, mean and standard deviation over the cases, and each case's own mean error."""
    rows: dict[str, Any] = {}
    for family, mine in members(config).items():
        error, infidelity, drift = (
            np.asarray(found[name], float)[mine] for name in ("nrmse", "infidelity", "norm_drift")
        )
        rows[family] = {
            "nrmse": error.mean(axis=0).tolist(),
            "nrmse_spread": error.std(axis=0).tolist(),
            "infidelity": infidelity.mean(axis=0).tolist(),
            "max_norm_drift": float(drift.max()),
            "cases_final_nrmse": error[:, -1].tolist(),
        }
    return rows


def measure_costs(
    grid: Grid, rivals: Mapping[str, Propagator], cases: Cases, config: DiffractionConfig
) -> dict[str, dict[str, float]]:
    """Milliseconds of a frame of one packet, and of a landscape once; medians, timed by turns."""
    psi, v = cases.psi0[0], cases.v[0]
    n = config.n_frames
    calls = {
        (name, count): jax.jit(
            lambda psi, v, make=make, count=count: rollout(make(v), psi, count, every=count)
        )
        for name, make in rivals.items()
        for count in (1, n + 1)
    }
    work = {
        f"{name}/{count}": lambda call=call: jax.block_until_ready(call(psi, v))
        for (name, count), call in calls.items()
    }
    for run in work.values():
        run()
    seconds = timing.interleave(work, config.n_repeats)
    costs = {}
    for name in rivals:
        first, all_of_them = seconds[f"{name}/1"], seconds[f"{name}/{n + 1}"]
        a_frame = (all_of_them - first) / n
        costs[name] = {
            "milliseconds_a_frame": 1e3 * a_frame,
            "milliseconds_a_landscape": 1e3 * max(first - a_frame, 0.0),
        }
    return costs


def table(found: dict[str, Any]) -> str:
    """Errors at the end, norm drift and cost of all, as text."""
    last = found["times_au"][-1]
    lines = [f"{'':16}{'':14}{'error':>9}{'spread':>9}{'drift':>9}   at t = {last:g} a.u."]
    for name, families in found["scores"].items():
        for family, row in families.items():
            lines.append(
                f"{name:16}{family:14}{row['nrmse'][-1]:9.1e}{row['nrmse_spread'][-1]:9.1e}"
                f"{row['max_norm_drift']:9.0e}"
            )
    for name, cost in found["costs"].items():
        lines.append(
            f"{name:16}{cost['milliseconds_a_frame']:6.2f} ms a frame, "
            f"{cost['milliseconds_a_landscape']:.1f} ms a landscape"
        )
    return "\n".join(lines)
