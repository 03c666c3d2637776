"""All interventions and sensitivities of several students, as numbers."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key

from qdistill import students
from qdistill._checks import refuse, require_at_least, require_one_of, require_positive
from qdistill.curriculum import lessons
from qdistill.insight.interventions import maps
from qdistill.insight.interventions.effects import (
    Effects,
    World,
    experiment,
    make_world,
    measure_effects,
    recall,
)
from qdistill.insight.interventions.interventions import INTERVENTIONS, WALL
from qdistill.insight.interventions.scenes import SCENES, sample_moments
from qdistill.insight.interventions.sensitivity import choose_places, measure_answers
from qdistill.insight.symmetries import bootstrap
from qdistill.physics.families import FAMILIES
from qdistill.physics.grid import Grid
from qdistill.students import Student
from qdistill.teacher import solvers as solver
from qdistill.teacher.solvers import Propagator

# Single barriers and wells, and free space.
TAUGHT = ("free", "barrier", "well")
LOWEST = -16.0
EXACT, BLIND = "exact solver", "blind solver"


@dataclasses.dataclass(frozen=True)
class CausesConfig:
    """What is done, and where derivatives are taken.

    Attributes:
      cases: Of every intervention in each family of landscapes.
      families: Those that are taken, of those that a scene can have; () for all. Interventions
        in scenes that have none of them are left out.
      frames: From the intervention to the horizon.
      places: Points in each case at which inputs are moved.
      place_cases: Cases in which they are; barriers and wells.
      ahead: Frames of the forecast whose derivatives are taken, rising.
      reach: Largest offset, in points.
      k_band: Largest wavenumber of the band-limited impulse, in 1/bohr.
    """

    cases: int = 2
    families: tuple[str, ...] = ()
    frames: int = 80
    places: int = 3
    place_cases: int = 8
    ahead: tuple[int, ...] = (1, 5)
    reach: int = 24
    k_band: float = 8.0

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(1, cases=self.cases, frames=self.frames, reach=self.reach)
        require_at_least(1, places=self.places)
        for family in self.families:
            require_one_of(("free", *FAMILIES), families=family)
        require_at_least(2, place_cases=self.place_cases)
        require_positive(k_band=self.k_band)
        if not self.ahead or list(self.ahead) != sorted(set(self.ahead)) or self.ahead[0] < 1:
            refuse("ahead", "rising frames from 1 on", self.ahead)


class Subject(NamedTuple):
    """Who is asked.

    Attributes:
      student: Its form.
      propagator: With its parameters.
      is_differentiable: Whether derivatives of its forecast are true ones: no gauge is stopped.
    """

    student: Student
    propagator: Propagator
    is_differentiable: bool = True


def make_controls(grid: Grid, dt: float) -> dict[str, Subject]:
    """The exact solver, expanded otherwise than the truth, and one that is blind to landscapes."""
    exact = solver.chebyshev(grid, dt, 1e-7, (LOWEST - 4, WALL + 6))

    def blind(v: jax.Array) -> solver.Step:
        return exact(jnp.zeros_like(v))

    return {
        name: Subject(students.from_propagator(each), each)
        for name, each in ((EXACT, exact), (BLIND, blind))
    }


def evaluate(
    grid: Grid, dt: float, subjects: Mapping[str, Subject], seed: int, config: CausesConfig
) -> dict[str, Any]:
    """Every intervention and all sensitivities of the subjects and of the two controls.

    Args:
      grid: The physics; a line of 100 bohr.
      dt: Duration of a frame, in atomic units.
      subjects: By name.
      seed: Of all cases.
      config: What is asked.
    """
    world = make_world(grid, dt, (LOWEST, WALL + 2))
    everyone = {**make_controls(grid, dt), **subjects}
    seeing = {name: each for name, each in everyone.items() if name != BLIND}
    return {
        "seed": seed,
        "n_frames": config.frames,
        "dt_au": dt,
        "interventions": _intervene(world, everyone, seed, config),
        "sensitivity": _differentiate(world, seeing, seed, config),
    }


def _intervene(
    world: World, subjects: Mapping[str, Subject], seed: int, config: CausesConfig
) -> dict[str, Any]:
    n_given = max(subject.student.n_history for subject in subjects.values())
    found = {}
    for name, each in INTERVENTIONS.items():
        # Scenes of one kind begin alike, whatever is done in them.
        key = jax.random.fold_in(jax.random.key(seed), list(SCENES).index(each.scene))
        possible = SCENES[each.scene].families
        chosen = [family for family in possible if family in (config.families or possible)]
        if not chosen:
            continue
        families, moments = sample_moments(
            key, world.grid, world.dt, world.forwards, each, config.cases, chosen
        )
        done = experiment(world, each, moments, n_given, config.frames)
        effects = {
            who: measure_effects(world, subject.student, subject.propagator, done, config.frames)
            for who, subject in subjects.items()
        }
        found[name] = {
            "removes": each.removes,
            "n_case": len(families),
            "worst_gap": float(np.max(np.asarray(done.gap))),
            "exact": _by_family(families, effects[EXACT], ("effect", "moved")),
            "findings": {who: _summarise(families, of_them) for who, of_them in effects.items()},
        }
    return found


def _by_family(
    families: Sequence[str], effects: Effects, fields: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Medians over the cases of all families, and of each."""
    members = {name: np.array(families) == name for name in dict.fromkeys(families)}
    members = {"all": np.ones(len(families), bool)} | members
    return {
        family: {
            field: bootstrap(getattr(effects, field)[None, mine])._asdict() for field in fields
        }
        for family, mine in members.items()
    }


def _summarise(families: Sequence[str], effects: Effects) -> dict[str, Any]:
    """By whether the family is taught: what a student says, and how far it is from the truth."""
    is_taught = np.isin(families, TAUGHT)
    groups = {"all": np.ones_like(is_taught), "taught": is_taught, "other": ~is_taught}
    fields = ("own_effect", "own_moved", "error", "unfaithfulness", "excess")
    by_family = {
        family: bootstrap(effects.unfaithfulness[None, np.array(families) == family]).median
        for family in dict.fromkeys(families)
    }
    summary: dict[str, Any] = {
        group: {
            "n_case": int(np.sum(mine & np.isfinite(effects.unfaithfulness))),
            **{f: bootstrap(getattr(effects, f)[None, mine])._asdict() for f in fields},
        }
        for group, mine in groups.items()
        if np.any(mine)
    }
    return summary | {"unfaithfulness_by_family": by_family}


@functools.partial(jax.jit, static_argnums=(1, 2))
def _sample_barriers(
    key: Key[Array, ""], grid: Grid, n_case: int
) -> tuple[Complex[Array, "n_case n_x"], Float[Array, "n_case n_x"]]:
    """Superpositions of packets anywhere over single barriers and wells, as they are taught."""
    return jax.vmap(lambda k: lessons.barrier(k, grid, 1.0))(jax.random.split(key, n_case))


def _differentiate(
    world: World, subjects: Mapping[str, Subject], seed: int, config: CausesConfig
) -> dict[str, Any]:
    n_given = max(subject.student.n_history for subject in subjects.values())
    n_case = config.place_cases
    newest, v = _sample_barriers(jax.random.key(seed), world.grid, n_case)
    given = recall(world, max(2, n_given), newest, v)
    psi = np.asarray(newest)
    places = choose_places(psi, config.places, seed)
    sizes = maps.measure_sizes(psi, np.asarray(v, float))
    found: dict[str, Any] = {
        "rms_of_v_hartree": sizes.v,
        "frames_ahead": list(config.ahead),
        "offset_points": list(range(-config.reach, config.reach + 1)),
    }
    for kind, k_band in (("points", None), ("waves", config.k_band)):
        asked = {
            who: measure_answers(
                world,
                *subject[:2],
                given,
                v,
                places,
                config.ahead,
                config.reach,
                k_band,
                subject[2],
            )
            for who, subject in subjects.items()
        }
        found[kind] = {}
        for who, answers in asked.items():
            drawn = maps.draw_maps(answers, sizes)
            found[kind][who] = {
                "frames": maps.frame_names(subjects[who].student.n_history),
                "rms": {c: np.round(values, 5).tolist() for c, values in drawn.items()},
                "total": {c: maps.total(values).tolist() for c, values in drawn.items()},
                "relative_error": maps.compare(answers, asked[EXACT]),
            }
    return found
