"""Designs by plane waves and through emulators, verified by the exact solver."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from experiments.design.figure import plot_through
from qdistill import plots, teacher
from qdistill._checks import require_shape
from qdistill.insight import design
from qdistill.insight.design import RolloutConfig, SearchConfig, TaskConfig
from qdistill.students import Emulator
from qdistill.system import Propagator, System


def run(
    emulators: Mapping[str, Emulator],
    tasks: Mapping[str, TaskConfig],
    rollouts: Mapping[str, RolloutConfig],
    search: SearchConfig,
    rollout_search: SearchConfig,
) -> tuple[dict[str, Any], dict[str, Figure]]:
    """Make all designs, by plane waves and through forecasts; return numbers and figures.

    Args:
      emulators: Emulators of one system, by name; if there are none, the system is `System()`.
      tasks: Tasks for plane waves, by name.
      rollouts: Tasks for packets, by name.
      search: Settings of the descents by plane waves.
      rollout_search: Settings of the descents through forecasts.
    """
    system = next((each.system for each in emulators.values()), System())
    found = {
        name: design.optimise(task, search, system)
        for name, task in tqdm(tasks.items(), unit="design", leave=False)
    }
    judged = {
        name: through(task, rollout_search, system, emulators)
        for name, task in tqdm(rollouts.items(), unit="design", leave=False)
    }
    figures = {"designs": plots.plot_designs(found)} if found else {}
    figures |= {"through": plot_through(judged)} if judged else {}
    described = {name: describe(tasks[name], each) for name, each in found.items()}
    return {"designs": described, "through": judged}, figures


def describe(task: TaskConfig, found: design.Design) -> dict[str, Any]:
    """Return the numbers of a design, with units in their names."""
    slopes = np.abs(np.diff(found.v) / np.diff(found.x))
    middle = sum(task.band) / 2
    there = np.abs(found.energy - middle) <= (task.band[1] - task.band[0]) / 4
    deviation = np.abs(found.transmission - found.target)
    verdict = found.verdict
    report: dict[str, Any] = {
        "band_hartree": list(task.band),
        "bounds_hartree": [task.profile.low, task.profile.high],
        "highest_hartree": found.v.max(),
        "lowest_hartree": found.v.min(),
        "steepest_hartree_per_bohr": slopes.max(),
        "total_variation_hartree": np.abs(np.diff(found.v)).sum(),
        "plane_waves": {
            "lowest_transmission": found.transmission.min(),
            "highest_transmission": found.transmission.max(),
            "worst_deviation": deviation.max(),
            "worst_deviation_in_inner_half_of_band": deviation[there].max(),
        },
        "packets": {
            "width_bohr": task.packet_width,
            "energy_hartree": verdict.energy.tolist(),
            "transmission": verdict.transmitted.tolist(),
            "reflection": verdict.reflected.tolist(),
            "expected_transmission": verdict.expected.tolist(),
            "worst_difference_from_expected": np.abs(verdict.transmitted - verdict.expected).max(),
        },
        "losses": np.sort(found.losses).tolist(),
        "x_bohr": found.x.tolist(),
        "v_hartree": found.v.tolist(),
    }
    if task.passband is not None:
        report["passband"] = measure_passband(found.energy, found.transmission, 2 * task.passband)
        measured = measure_passband(verdict.energy, verdict.transmitted, 2 * task.passband)
        report["packets"]["passband"] = measured
    return report


def measure_passband(
    energy: Float[np.ndarray, " n"], transmission: Float[np.ndarray, " n"], clear: float
) -> dict[str, float | None]:
    """Return height, centre and full width at half maximum of the peak of T(E), and the leak.

    Args:
      energy: Energies in hartree, ascending.
      transmission: Transmission at these energies.
      clear: Distance from the centre in hartree beyond which transmission counts as leak.

    >>> energy = np.linspace(2.0, 6.0, 401)
    >>> band = measure_passband(energy, 0.9 / (1 + (energy - 4) ** 2 / 0.1**2), clear=1.0)
    >>> [round(band[name], 3) for name in ("peak", "centre_hartree", "fwhm_hartree", "leak")]
    [0.9, 4.0, 0.2, 0.009]
    """
    require_shape(energy.shape, transmission=transmission)
    top = int(np.argmax(transmission))
    half = transmission[top] / 2
    below = np.flatnonzero(transmission < half)
    before, after = below[below < top], below[below > top]
    nothing = dict.fromkeys(("centre_hartree", "fwhm_hartree", "leak"))
    if not before.size or not after.size:
        return {"peak": float(transmission[top]), **nothing}

    def crossing(i: int) -> float:
        """The energy at which a line through points i and i + 1 is at half maximum."""
        low, high = transmission[i : i + 2]
        return float(energy[i] + (half - low) / (high - low) * (energy[i + 1] - energy[i]))

    left, right = crossing(int(before[-1])), crossing(int(after[0]) - 1)
    outside = np.abs(energy - (left + right) / 2) > clear
    return {
        "peak": float(transmission[top]),
        "centre_hartree": (left + right) / 2,
        "fwhm_hartree": right - left,
        "leak": float(transmission[outside].max()) if outside.any() else None,
    }


def through(
    task: RolloutConfig,
    config: SearchConfig,
    system: System,
    emulators: Mapping[str, Emulator],
) -> dict[str, Any]:
    """Optimise a potential through the forecasts of each propagator, and verify it by the solver.

    Args:
      task: The packets and their target shares.
      config: Settings of the descent.
      system: A one-dimensional system.
      emulators: Emulators of this system, by name; a split step is added as the first.

    Returns:
      For each propagator the shares by its forecasts and by the solver, and the potential.
    """
    trial = design.prepare(system, task.energies, task.packet_width, task.profile.extent)
    room, dt = trial.system, system.dt
    n_frames = math.ceil(trial.duration / dt)
    # Twice the smallest number of substeps without a resonance of the splitting.
    n_substeps = 2 * (int(room.grid.kinetic_energy().max() * dt / (2 * math.pi)) + 1)
    designers: dict[str, Propagator] = {"split step": teacher.split_step(room, n_substeps)}
    designers |= {name: emulator.on(room.grid) for name, emulator in emulators.items()}
    # Verification needs no gradient, and long frames are the cheapest.
    n_long = math.ceil(n_frames * dt)
    bounds = task.profile.low - 0.01, task.profile.high + 0.01
    long = dataclasses.replace(room, dt=n_frames * dt / n_long, bounds=bounds)
    judge = jax.jit(design.passing(teacher.chebyshev(long, 1e-5), trial, n_long))
    rows = {}
    for name, designer in designers.items():
        passing = design.passing(designer, trial, n_frames)
        loss = design.rollout_objective(config, task.profile, room.grid, passing, task.shares)
        found = design.descend(config, task.profile.n_knot, loss)
        v = design.potential(task.profile, room.grid, found.u)
        rows[name] = _judged(task, v, jax.jit(passing)(v), judge(v), found.loss)
    shared = {"energy_hartree": list(task.energies), "asked": list(task.shares)}
    return {**shared, "packet_width_bohr": task.packet_width, "designers": rows}


def _judged(
    task: RolloutConfig, v: Array, forecast: Array, exact: Array, losses: np.ndarray
) -> dict[str, Any]:
    asked, inside = jnp.asarray(task.shares, float), np.flatnonzero(np.asarray(v))

    def rms(a: Array) -> float:
        return float(jnp.sqrt(jnp.mean(a**2)))

    return {
        "believed": np.asarray(forecast, float).tolist(),
        "exact": np.asarray(exact, float).tolist(),
        "rms_amiss_believed": rms(forecast - asked),
        "rms_amiss_exact": rms(exact - asked),
        "rms_belief_error": rms(forecast - exact),
        "losses": np.sort(losses).tolist(),
        "v_hartree": np.asarray(v, float)[inside].tolist(),
    }


def table(report: Mapping[str, Any]) -> str:
    """Return a text summary: the transmission of each design, and the errors of each designer."""
    lines = []
    for name, found in report["designs"].items():
        packets, waves = found["packets"], found["plane_waves"]
        middle = sum(found["band_hartree"]) / 2
        nearest = int(np.argmin(np.abs(np.asarray(packets["energy_hartree"]) - middle)))
        lines.append(
            f"{name}: packets of {packets['energy_hartree'][nearest]:g} hartree are transmitted by "
            f"{packets['transmission'][nearest]:.3f}, plane waves of the band by "
            f"{waves['lowest_transmission']:.3f} to {waves['highest_transmission']:.3f}"
        )
        band = found.get("passband", {})
        if band.get("fwhm_hartree"):
            lines[-1] += (
                f"; peak {band['peak']:.3f} at {band['centre_hartree']:.3f}, "
                f"{band['fwhm_hartree']:.3f} wide, and {band['leak']:.4f} outside"
            )
    for name, task in report["through"].items():
        for who, row in task["designers"].items():
            lines.append(
                f"{name} through {who}: error {row['rms_amiss_believed']:.4f} by its own forecast, "
                f"{row['rms_amiss_exact']:.4f} by the exact solver"
            )
    return "\n".join(lines)


def smoke(args: Any) -> Any:
    """Return options of the script at tiny sizes."""
    tiny = SearchConfig(n_starts=2, n_steps=2)
    small = {"n_energy": 3, "n_packet": 2, "packet_width": 2.0, "dwell": 0.0}
    splitter = dataclasses.replace(
        args.rollouts["splitter"], packet_width=2.0, energies=(4.0,), shares=(0.5,)
    )
    names = ("splitter", "filter")
    return dataclasses.replace(
        args,
        designs=names,
        through=("splitter",),
        tasks={name: dataclasses.replace(args.tasks[name], **small) for name in names},
        rollouts={"splitter": splitter},
        search=tiny,
        rollout_search=tiny,
    )
