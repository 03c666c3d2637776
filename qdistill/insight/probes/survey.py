"""The survey of all probes: settings, numbers and a text table."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from qdistill._checks import require_at_least, require_between, require_positive, require_settings
from qdistill._refusals import explained
from qdistill.insight.harness import (
    Ensembles,
    Panel,
    Report,
    in_words,
    make_panel,
    solve_exactly,
)
from qdistill.insight.probes.cone import LightCone, measure_light_cone
from qdistill.insight.probes.response import (
    BumpResponse,
    UniformResponse,
    measure_bump,
    measure_uniform,
)
from qdistill.insight.probes.scattering import (
    Resonances,
    Scattering,
    measure_resonances,
    measure_scattering,
)
from qdistill.insight.probes.waves import (
    SeriesFit,
    WaveResponse,
    fit_dispersion,
    measure_dispersion,
    require_plain,
)
from qdistill.physics import potentials
from qdistill.physics.grid import Grid
from qdistill.system import Propagator, System


@explained
@dataclasses.dataclass(frozen=True)
class ProbeConfig:
    """Settings of all probes, in atomic units except for the widths of packets.

    Attributes:
      k_taught: Largest momentum in 1/bohr that is frequent in the lessons; the upper end of fits
        and impulses.
      k_max: Upper end of the measured dispersion relation, in 1/bohr.
      uniform_momenta: Momenta of plane waves over a uniform potential, in 1/bohr.
      v_max: Largest |V| of the uniform potential, in hartree.
      bump_momenta: Momenta of packets that cross a small bump, in 1/bohr.
      bump_area: Integral of the bump, in hartree bohr.
      bump_width: Standard deviation of the bump, in bohr.
      bump_packet: S0 of these packets, as a share of the box.
      front_share: Share of the norm^2 of an impulse beyond its front.
      barrier: Height in hartree and width in bohr of a barrier.
      energies: Lowest and highest k0^2 / (2 m) of the packets on the barrier, in hartree. All fly
        as long as the slowest; choose a narrower range in short boxes, where the fastest would wrap
        around.
      n_energy: Number of these energies.
      barrier_packet: S0 of these packets, as a share of the box.
      double: Height of two barriers in hartree, their width and the gap between them in bohr.
      double_packet: Momentum in 1/bohr and S0 in bohr of the packet on the two barriers.
    """

    k_taught: float = 8.0
    k_max: float = 12.8
    uniform_momenta: tuple[float, ...] = (1.0, 3.0, 5.0, 7.0)
    v_max: float = 10.0
    bump_momenta: tuple[float, ...] = (2.0, 3.0, 4.0, 5.0)
    bump_area: float = 0.05
    bump_width: float = 0.15
    bump_packet: float = 0.02
    front_share: float = 0.01
    barrier: tuple[float, float] = (5.0, 1.0)
    energies: tuple[float, float] = (1.5, 8.5)
    n_energy: int = 15
    barrier_packet: float = 0.03
    double: tuple[float, float, float] = (5.0, 0.5, 4.0)
    double_packet: tuple[float, float] = (2.6, 0.8)

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        for name in ("k_taught", "v_max", "bump_area", "bump_width", "energies", "double_packet"):
            require_positive(**{name: getattr(self, name)})
        require_positive(bump_packet=self.bump_packet, barrier_packet=self.barrier_packet)
        require_between(self.k_taught, np.inf, k_max=self.k_max)
        require_at_least(1, n_energy=self.n_energy)
        require_positive(width=self.barrier[1], double=self.double[1:])

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and highest potential of all probes, in hartree."""
        bump = self.bump_area / self.bump_width
        heights = (self.v_max, -self.v_max, bump, -bump, self.barrier[0], self.double[0])
        return min(heights), max(heights)


class Probes(NamedTuple):
    """The results of all probes; `fit` is None if the branch of the dispersion is lost."""

    dispersion: WaveResponse
    fit: SeriesFit | None
    uniform: UniformResponse
    bump: BumpResponse
    light_cone: LightCone
    scattering: Scattering
    resonances: Resonances


@explained
@dataclasses.dataclass(frozen=True)
class ProbeReport(Report):
    """The report of the probes of several propagators of one system.

    Attributes:
      found: Results by name of the propagator, the exact solver first.
      system: The system whose exact values are compared.
      config: Settings of the probes.
    """

    found: Mapping[str, Probes]
    system: System
    config: ProbeConfig


@explained
def evaluate(
    emulators: Ensembles, config: ProbeConfig | None = None, nulls: Ensembles | None = None
) -> ProbeReport:
    """Probe emulators, null models and the exact solver, which is the positive control.

    Args:
      emulators: Propagators of a one-dimensional system by name, one or one for each seed.
      config: Settings; by default those of `ProbeConfig`.
      nulls: Null models by name: non-learned propagators of about the same error.

    Returns:
      A report with the numbers of `describe` by name; `EXACT` comes first. Several seeds of a
      training are numbered in their names.

    Raises:
      ValueError: For propagators of different systems, or if a measurement refuses one.
    """
    config = ProbeConfig() if config is None else config
    panel = make_panel(emulators, nulls)
    panel = panel.with_controls(solve_exactly(panel.system, _bounds(config, panel)))
    found, numbers, lines = {}, {}, []
    for name, member in panel.members.items():
        for i, propagator in enumerate(member.seeds):
            title = f"{name}, seed {i + 1}" if len(member.seeds) > 1 else name
            found[title] = probe(propagator, config)
            numbers[title] = describe(panel.system.grid, config, found[title])
            lines.append(_table(in_words(member.role, title), numbers[title], found[title]))
    return ProbeReport(numbers, "\n".join(lines), found, panel.system, config)


def _bounds(config: ProbeConfig, panel: Panel) -> tuple[float, float]:
    """The bounds of all probes and of the systems of all members."""
    heights = list(config.bounds)
    for member in panel.members.values():
        for propagator in member.seeds:
            heights += propagator.system.bounds or ()
    return min(heights), max(heights)


@explained
def probe(propagator: Propagator, config: ProbeConfig) -> Probes:
    """Return the results of all probes of one propagator.

    Args:
      propagator: A one-dimensional propagator; the exact values are those of its system.
      config: Settings.
    """
    require_plain(propagator.system)
    grid = propagator.system.grid
    dispersion = measure_dispersion(propagator, config.k_max)
    taught = dispersion.k <= config.k_taught
    fit = None
    if np.all(np.isfinite(dispersion.omega[taught])):
        fit = fit_dispersion(dispersion.k, dispersion.omega, config.k_taught)
    x, middle, length = grid.positions(), grid.middle[0], grid.lengths[0]
    barrier = potentials.barrier(x, *config.barrier, middle)
    height, width, gap = config.double
    double = potentials.double(x, (height, height), width, gap, middle)
    energies = np.linspace(*config.energies, config.n_energy)
    momenta = np.sqrt(2 * grid.mass[0] * energies).tolist()
    bump = config.bump_area, config.bump_width, config.bump_packet * length
    return Probes(
        dispersion,
        fit,
        measure_uniform(propagator, config.uniform_momenta, config.v_max),
        measure_bump(propagator, config.bump_momenta, *bump),
        measure_light_cone(propagator, config.k_taught, config.front_share),
        measure_scattering(propagator, barrier, momenta, config.barrier_packet * length),
        measure_resonances(propagator, double, *config.double_packet),
    )


@explained
def describe(grid: Grid, config: ProbeConfig, found: Probes) -> dict[str, Any]:
    """Return the numbers of all probes, with units in their names."""
    waves, uniform, bump = found.dispersion, found.uniform, found.bump
    cone, scattering, resonances = found.light_cone, found.scattering, found.resonances
    taught = waves.k <= config.k_taught
    lattice = -(grid.dx[0] ** 2) / (24 * grid.mass[0])
    fit = found.fit
    return {
        "dispersion": {
            "fitted_up_to_k_per_bohr": config.k_taught,
            "mass_au": fit and fit.value.mass,
            "mass_error_au": fit and fit.error.mass,
            "quartic_over_lattice": fit and fit.value.quartic / lattice,
            "quartic_over_lattice_error": fit and abs(fit.error.quartic / lattice),
            "offset_hartree": fit and fit.value.offset,
            "offset_error_hartree": fit and fit.error.offset,
            "mean_damping_per_au": float(np.mean(waves.damping[taught])),
            "worst_damping_per_au": float(np.max(np.abs(waves.damping[taught]))),
            "worst_asymmetry_hartree": float(np.max(np.abs(waves.asymmetry[taught]))),
            "worst_leakage": float(np.max(waves.leakage[taught])),
        },
        "uniform": {
            "k_per_bohr": uniform.k.tolist(),
            "coupling": uniform.coupling.tolist(),
            "coupling_error": uniform.coupling_error.tolist(),
            "worst_shift_error_hartree": float(np.max(np.abs(uniform.shift - uniform.v[None]))),
            "worst_damping_per_au": float(np.max(uniform.damping)),
        },
        "bump": {
            "k_per_bohr": bump.k.tolist(),
            "forward": np.abs(bump.forward).tolist(),
            "forward_phase_rad": np.angle(bump.forward).tolist(),
            "backward": np.abs(bump.backward).tolist(),
            "backward_phase_rad": np.angle(bump.backward).tolist(),
            "relative_error": bump.error.tolist(),
        },
        "light_cone": {
            "front_speed_bohr_per_au": cone.speed,
            "front_speed_error_bohr_per_au": cone.speed_error,
            "expected_front_speed_bohr_per_au": cone.expected,
            "largest_group_velocity_bohr_per_au": cone.limit,
        },
        "barrier": {
            "energy_hartree": scattering.energy.tolist(),
            "transmitted": scattering.transmitted.tolist(),
            "reflected": scattering.reflected.tolist(),
            "expected": scattering.expected.tolist(),
        },
        "double_barrier": {
            "resonances_hartree": resonances.peaks.tolist(),
            "expected_resonances_hartree": resonances.expected_peaks.tolist(),
            "rate_hartree": resonances.rate,
            "rms_error": float(
                np.sqrt(np.mean((resonances.transmission - resonances.expected) ** 2))
            ),
        },
    }


def _table(name: str, numbers: dict[str, Any], found: Probes) -> str:
    """The results of the probes of one propagator, as a few lines of text."""
    waves, cone = numbers["dispersion"], numbers["light_cone"]
    if found.fit is None:
        lost = found.dispersion.k[np.flatnonzero(np.isnan(found.dispersion.omega))[0]]
        dispersion = f"the phase of plane waves cannot be followed beyond k = {lost:.2g} per bohr"
    else:
        dispersion = (
            f"mass {waves['mass_au']:.5f} +- {waves['mass_error_au']:.1g}, quartic term "
            f"{waves['quartic_over_lattice']:.4f} +- {waves['quartic_over_lattice_error']:.1g} "
            "of the lattice's (0 is the continuum)"
        )
    coupling = np.array(numbers["uniform"]["coupling"])
    forward, backward = (np.array(numbers["bump"][way]) for way in ("forward", "backward"))
    missed = found.scattering.transmitted - found.scattering.expected
    lacking = found.scattering.transmitted + found.scattering.reflected - 1
    peaks, expected = (
        ", ".join(f"{energy:.3f}" for energy in energies) or "none"
        for energies in (found.resonances.peaks, found.resonances.expected_peaks)
    )
    lines = [
        f"dispersion      {dispersion}; damping up to {waves['worst_damping_per_au']:.1g} per a.u.",
        f"uniform V       response {_range(coupling)}, exactly 1",
        f"small bump      response {_range(forward)} forward, {_range(backward)} in reflection",
        f"light cone      front at {cone['front_speed_bohr_per_au']:.3f} bohr per a.u., expected "
        f"{cone['expected_front_speed_bohr_per_au']:.3f}; largest group velocity "
        f"{cone['largest_group_velocity_bohr_per_au']:.2f}",
        f"barrier         transmission within {np.max(np.abs(missed)):.1g} of the analytic one, "
        f"norm conserved within {np.max(np.abs(lacking)):.1g}",
        f"double barrier  resonances at {peaks} hartree, expected {expected}",
    ]
    return "\n".join([name, *(f"  {line}" for line in lines)])


def _range(values: np.ndarray) -> str:
    low, high = (f"{value:.4f}" for value in (np.min(values), np.max(values)))
    return low if low == high else f"{low} to {high}"
