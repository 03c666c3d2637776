"""The survey of all interventions and sensitivities for a panel."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key

from qdistill import curriculum  # noqa: F401  (it registers the lessons)
from qdistill._checks import (
    refuse,
    require_at_least,
    require_one_of,
    require_positive,
    require_seed,
    require_settings,
)
from qdistill._refusals import explained
from qdistill.insight import harness
from qdistill.insight.harness import EXACT, Ensembles, Interval, Panel, Report
from qdistill.insight.interventions import maps
from qdistill.insight.interventions.effects import (
    Blind,
    Effects,
    intervene,
    measure_effects,
    recall,
)
from qdistill.insight.interventions.scenes import SCENES, sample_moments
from qdistill.insight.interventions.sensitivity import (
    Derivatives,
    choose_places,
    measure_derivatives,
)
from qdistill.insight.interventions.table import INTERVENTIONS, WALL
from qdistill.insight.interventions.words import make_table
from qdistill.physics.families import FAMILIES
from qdistill.physics.grid import require_line
from qdistill.system import System
from qdistill.teacher import Chebyshev

# Families that lessons contain: single barriers and wells, and empty space.
TAUGHT = ("free", "barrier", "well")
# Bounds of all potentials, in hartree.
LOWEST = -16.0
BLIND = "blind solver"
# The fields of `Effects` that depend on the propagator.
OWN = ("own_effect", "own_moved", "error", "effect_error", "excess")


@explained
@dataclasses.dataclass(frozen=True)
class InterventionConfig:
    """Settings of the interventions and the derivatives.

    Attributes:
      cases: Number of cases of every intervention in each family of potentials.
      families: Families of potentials to use; () for all. Interventions in scenes that have none of
        them are left out.
      frames: Number of frames from the intervention to the horizon.
      places: Number of points in each case at which inputs are changed.
      place_cases: Number of such cases, with barriers and wells.
      ahead: Frames of the forecast whose derivatives are measured, in ascending order.
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
        require_settings(self)
        require_at_least(1, cases=self.cases, frames=self.frames, reach=self.reach)
        require_at_least(1, places=self.places)
        for family in self.families:
            require_one_of(("free", *FAMILIES), families=family)
        require_at_least(2, place_cases=self.place_cases)
        require_positive(k_band=self.k_band)
        if not self.ahead or list(self.ahead) != sorted(set(self.ahead)) or self.ahead[0] < 1:
            refuse("ahead", "rising frames from 1 on", self.ahead)


@explained
@dataclasses.dataclass(frozen=True)
class InterventionReport(Report):
    """The report of interventions and derivatives of a panel.

    Its numbers are the settings; the `roles` by name; under `interventions`, by name, the removed
    process, the exact effects and the `findings` of each member; and under `sensitivity` the maps
    of derivatives and their errors.
    """


@explained
def make_controls(system: System) -> tuple[Chebyshev, Blind]:
    """Return the exact solver, with another expansion than the truth, and a blind solver.

    Raises:
      ValueError: For a system whose potential is not real values on its points.
    """
    if not system.has_plain_potential or system.n_channel:
        refuse("system", "one with a real potential on its points", system)
    exact = harness.solve_exactly(system, (LOWEST - 4, WALL + 6))
    return exact, Blind(exact)


@explained
def evaluate(
    emulators: Ensembles,
    seed: int = 0,
    config: InterventionConfig | None = None,
    nulls: Ensembles | None = None,
) -> InterventionReport:
    """Measure interventions and derivatives for emulators, null models and two controls.

    The exact solver is the positive control; a solver that ignores the potential is the negative.

    Args:
      emulators: Propagators by name, one or one for each seed of a training.
      seed: Random seed of all cases.
      config: Settings.
      nulls: Null models by name: non-learned propagators of about the same error.

    Raises:
      ValueError: For panels that `harness.make_panel` refuses, and for a system that is not
        one-dimensional with a real potential on its points.
    """
    require_seed(seed=seed)
    config = config or InterventionConfig()
    panel = harness.make_panel(emulators, nulls)
    system = panel.system
    require_line(system.grid)
    exact, blind = make_controls(system)
    panel = panel.with_controls(exact, {BLIND: blind})
    truth = harness.solve_exactly(system, (LOWEST, WALL + 2))
    numbers = {
        "seed": seed,
        "n_frames": config.frames,
        "dt_au": system.dt,
        "roles": panel.roles,
        "interventions": _intervene(truth, panel, seed, config),
        "sensitivity": _differentiate(truth, panel.without("negative"), seed, config),
    }
    return InterventionReport(numbers, make_table(numbers))


def _intervene(
    truth: Chebyshev, panel: Panel, seed: int, config: InterventionConfig
) -> dict[str, Any]:
    found = {}
    for name, each in INTERVENTIONS.items():
        # Scenes of one kind are the same for all interventions.
        key = jax.random.fold_in(jax.random.key(seed), list(SCENES).index(each.scene))
        possible = SCENES[each.scene].families
        chosen = [family for family in possible if family in (config.families or possible)]
        if not chosen:
            continue
        families, moments = sample_moments(key, truth, each, config.cases, chosen)
        done = intervene(truth, each, moments, panel.n_history, config.frames, tuple(families))
        effects = {
            who: [measure_effects(propagator, done) for propagator in member.seeds]
            for who, member in panel.members.items()
        }
        summaries = {who: _summarise(families, of_them) for who, of_them in effects.items()}
        found[name] = {
            "removes": each.removes,
            "n_case": len(families),
            "worst_gap": float(np.max(np.asarray(done.gap))),
            "control_fires": _fires(summaries, config.frames),
            "exact": _by_family(families, effects[EXACT], ("effect", "moved")),
            "findings": summaries,
        }
    return found


def _fires(summaries: dict[str, Any], n_frames: int) -> bool:
    """Whether the blind solver is detected."""
    control, claim = (Interval(**summaries[who]["all"]["effect_error"]) for who in (BLIND, EXACT))
    return harness.fires(control, claim, harness.rounding(n_frames, jnp.zeros(0, float).dtype))


def _median(seeds: Sequence[Effects], field: str, where: Any = slice(None)) -> dict[str, float]:
    values = np.stack([getattr(effects, field)[where] for effects in seeds])
    return harness.bootstrap(values)._asdict()


def _by_family(
    families: Sequence[str], seeds: Sequence[Effects], fields: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Medians over the cases of all families, and of each family."""
    members = {name: np.array(families) == name for name in dict.fromkeys(families)}
    members = {"all": np.ones(len(families), bool)} | members
    return {
        family: {field: _median(seeds, field, mine) for field in fields}
        for family, mine in members.items()
    }


def _summarise(families: Sequence[str], seeds: Sequence[Effects]) -> dict[str, Any]:
    """The findings of a member, separately for families in and not in the lessons."""
    is_taught = np.isin(families, TAUGHT)
    groups = {"all": np.ones_like(is_taught), "taught": is_taught, "other": ~is_taught}
    known = np.all(np.isfinite([each.effect_error for each in seeds]), axis=0)
    summary: dict[str, Any] = {
        group: {
            "n_case": int(np.sum(mine & known)),
            **{field: _median(seeds, field, mine) for field in OWN},
        }
        for group, mine in groups.items()
        if np.any(mine)
    }
    by_family = {
        family: _median(seeds, "effect_error", np.array(families) == family)["median"]
        for family in dict.fromkeys(families)
    }
    return summary | {"effect_error_by_family": by_family}


@functools.partial(jax.jit, static_argnums=(1, 2))
def _sample_barriers(
    key: Key[Array, ""], system: System, n_case: int
) -> tuple[Complex[Array, "n_case n_x"], Float[Array, "n_case n_x"]]:
    """Superpositions of packets over single barriers and wells, as in the lesson `barrier`."""
    keys = jax.random.split(key, n_case)
    return jax.vmap(lambda k: system.sample("barrier", k, 1.0))(keys)


def _differentiate(
    truth: Chebyshev, panel: Panel, seed: int, config: InterventionConfig
) -> dict[str, Any]:
    newest, v = _sample_barriers(jax.random.key(seed), panel.system, config.place_cases)
    given = recall(truth, max(2, panel.n_history), newest, v)
    psi = np.asarray(newest)
    places = choose_places(psi, config.places, seed)
    sizes = maps.measure_sizes(psi, np.asarray(v, float))
    found: dict[str, Any] = {
        "rms_of_v_hartree": sizes.v,
        "frames_ahead": list(config.ahead),
        "offset_points": list(range(-config.reach, config.reach + 1)),
    }
    ahead, reach = config.ahead, config.reach
    for kind, k_band in (("points", None), ("waves", config.k_band)):
        asked = {
            who: [
                measure_derivatives(each, truth, given, v, places, ahead, reach, k_band)
                for each in member.seeds
            ]
            for who, member in panel.members.items()
        }
        (exact,) = asked[EXACT]
        found[kind] = {
            who: _describe(seeds, exact, sizes, panel.members[who].n_history)
            for who, seeds in asked.items()
        }
    return found


def _describe(
    seeds: Sequence[Derivatives], exact: Derivatives, sizes: maps.Sizes, n_history: int
) -> dict[str, Any]:
    """The maps of a member, rms over its seeds, and their errors."""
    together = Derivatives(
        np.concatenate([each.columns for each in seeds]),
        np.concatenate([each.is_inside for each in seeds]),
        exact.offset,
    )
    drawn = maps.draw_maps(together, sizes._replace(psi=np.tile(sizes.psi, len(seeds))))
    return {
        "frames": maps.frame_names(n_history),
        "rms": {c: np.round(values, 5).tolist() for c, values in drawn.items()},
        "total": {c: maps.total(values).tolist() for c, values in drawn.items()},
        "relative_error": maps.compare(seeds, exact),
    }
