"""Calls of `qdistill.physics`, `qdistill.system` and `qdistill.teacher`."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from PIL import Image

from experiments.fuzz.calls import Calls, Samples, scratch
from qdistill import system as systems
from qdistill import teacher as solvers
from qdistill.physics import (
    band,
    channels,
    crossings,
    eigenstates,
    families,
    files,
    grid,
    hamiltonian,
    observables,
    packets,
    potentials,
    profiles,
    stationary,
)
from qdistill.physics.grid import Grid
from qdistill.system import System


def physics(calls: Calls, s: Samples) -> None:
    """Add the calls of grids, packets, potentials, observables, bands and files."""
    _grids(calls, s)
    _packets(calls, s)
    _shapes_on_a_line(calls, s)
    _shapes_in_a_plane(calls, s)
    _files(calls, s)
    _bands(calls, s)
    _channels(calls, s)
    _waves(calls, s)


def _grids(calls: Calls, s: Samples) -> None:
    add = calls.add
    add(Grid, shape=64, lengths=32.0, dispersion="lattice", origin=0.0, mass=1.0)
    add(Grid.positions, self=s.line, axis=0)
    add(Grid.wavenumbers, self=s.line, axis=0)
    add(Grid.odd_wavenumbers, self=s.line, axis=0)
    add(Grid.kinetic_energy, self=s.line)
    add(grid.require_line, grid=s.line)
    add(grid.inner_product, grid=s.line, phi=s.psi, psi=s.psi)
    add(grid.norm, grid=s.line, psi=s.psi)
    add(hamiltonian.hamiltonian, read=lambda h: h(s.psi), grid=s.line, v=s.v)
    add(hamiltonian.apply, local=s.v, psi=s.psi)
    add(hamiltonian.rest, grid=s.line)
    add(hamiltonian.hop, grid=s.line, scale=1.0, u=s.psi)
    add(hamiltonian.kinetic, grid=s.line, scale=1.0, psi=s.psi)
    add(hamiltonian.over_channels, field=s.v, psi=s.frames)
    add(observables.probability, grid=s.line, psi=s.psi)
    add(observables.energy, grid=s.line, v=s.v, psi=s.psi)
    for measure in (observables.position, observables.momentum, observables.current):
        add(measure, grid=s.line, psi=s.psi, axis=0)
    add(
        observables.transmission_reflection,
        grid=s.line, psi=s.psi, left=4.0, right=6.0, axis=0,
    )  # fmt: skip
    add(observables.spectrum, correlation=s.psi, dt=0.5, energies=s.x[:8])
    add(observables.sides, grid=s.line, psi=s.psi, left=4.0, right=6.0, axis=0)
    add(eigenstates.eigenstates, grid=s.line, v=s.v, n_states=3)
    add(
        eigenstates.evolution,
        read=lambda evolve: evolve(s.psi, 1.0), grid=s.line, v=s.v,
    )  # fmt: skip


def _packets(calls: Calls, s: Samples) -> None:
    add = calls.add
    add(packets.gaussian, grid=s.line, centre=12.0, width=1.5, momentum=2.0)
    add(packets.superpose, grid=s.line, packets=s.frames[:2], amplitudes=jnp.array([1.0, 2.0]))
    add(packets.carrier_momentum, grid=s.line, energy=2.0, axis=0)
    ranges = packets.PacketRanges((0.2, 0.8), (0.03, 0.06), (0.5, 2.0))
    add(packets.sample_gaussian, key=s.key, grid=s.line, ranges=ranges)
    add(packets.sample_superposition, key=s.key, grid=s.line, n_packets=2, ranges=ranges)


def _shapes_on_a_line(calls: Calls, s: Samples) -> None:
    add = calls.add
    here: dict[str, Any] = {"x": s.x, "centre": 16.0}
    hill = here | {"height": 3.0, "width": 5.0}
    add(potentials.barrier, **hill)
    add(potentials.well, **here, depth=3.0, width=5.0)
    add(potentials.double, **here, heights=(2.0, 3.0), width=3.0, gap=4.0)
    add(potentials.triple, **here, heights=(2.0, 3.0, 1.0), width=3.0, gap=4.0)
    add(potentials.steps, **here, heights=(2.0, 3.0), width=8.0)
    add(potentials.triangle, **hill, skew=0.1)
    add(potentials.trapezoid, **hill, top=0.5, skew=0.1)
    add(potentials.half_circle, **hill)
    add(potentials.quadratic, **hill)
    add(potentials.harmonic, **here, omega=0.5)
    add(potentials.random, **hill, amplitudes=(1.0, -2.0), phases=(0.1, 0.2))


def _shapes_in_a_plane(calls: Calls, s: Samples) -> None:
    add = calls.add
    x, y = s.plane.positions(0), s.plane.positions(1)
    here: dict[str, Any] = {"x": x, "y": y, "centre": (8.0, 7.0)}
    turned = here | {"height": 3.0, "angle": 0.1}
    add(potentials.wall, **turned, thickness=1.5)
    add(potentials.slit, **turned, thickness=1.5, opening=2.0)
    add(potentials.double_slit, **turned, thickness=1.5, separation=4.0, opening=1.0)
    add(potentials.rectangle, **turned, sides=(2.0, 3.0))
    add(potentials.disc, **here, height=3.0, radius=2.0)
    add(potentials.turned, **here, angle=0.1)
    for draw in (families.sample_parameters, families.sample):
        add(draw, key=s.key, grid=s.line, family="triangle")


def _files(calls: Calls, s: Samples) -> None:
    add = calls.add
    smooth = np.round(2 * np.exp(-((np.asarray(s.x, float) - 16) ** 2) / 8), 3)
    table, picture = scratch() / "v.csv", scratch() / "v.png"
    table.write_text("\n".join(map(str, smooth)))
    light = np.full((40, 64), 255, np.uint8)
    for column, value in enumerate(smooth):
        light[40 - 1 - int(10 * value) :, column] = 0
    Image.fromarray(light).save(picture)
    add(files.from_array, grid=s.line, values=smooth)
    add(files.from_csv, grid=s.line, path=table)
    add(files.from_drawing, grid=s.line, path=picture, v_min=0.0, v_max=4.0)
    add(files.from_formula, grid=s.line, formula="2*exp(-(x-16)**2/8)")
    add(files.require_periodic, grid=s.line, name="v", v=smooth)
    add(files.read, grid=s.line, source=table, v_min=0.0, v_max=4.0)


def _bands(calls: Calls, s: Samples) -> None:
    add = calls.add
    wide, narrow = band.Band(s.line, 4.0), band.Band(s.line, 2.0)
    add(band.Band, grid=s.line, cutoff=4.0, above=1.0)
    add(band.Band.below, grid=s.line, edge=4.0)
    add(band.Band.on, self=wide, grid=Grid(48, 32.0))
    add(band.Band.places, self=wide, other=narrow)
    add(band.to_waves, band=wide, psi=s.psi)
    add(band.require_within, band=wide, psi=s.psi, tolerance=0.5)
    add(band.from_waves, band=wide, coefficients=s.psi[: wide.n_wave])
    add(band.kinetic, band=wide)
    add(band.elements, v=s.v, rows=wide, columns=narrow)
    matrix = jnp.zeros((wide.n_wave, wide.n_wave), float)
    add(band.differentiate, band=wide, matrix=matrix, axis=1, direction=0, unit=4.0)
    add(band.project, band=wide, v=s.v)
    add(band.fold, band=narrow, v=s.v, energy=1.0, outer=4.0)


def _channels(calls: Calls, s: Samples) -> None:
    add = calls.add
    here: dict[str, Any] = {"x": s.x - 16}
    add(crossings.single, **here, height=0.01, steepness=1.6, coupling=0.005, narrowness=1.0)
    add(
        crossings.dual, **here,
        depth=0.1, narrowness=0.3, coupling=0.02, coupling_narrowness=0.1, offset=0.1,
    )  # fmt: skip
    add(crossings.extended, **here, splitting=0.01, coupling=0.1, steepness=0.9)
    add(crossings.linear, **here, slope=0.1, coupling=0.2)
    add(crossings.levels, **here, gap=0.5, coupling=0.2)
    add(crossings.wells, **here, stiffness=0.5, shift=2.0, offset=0.5, coupling=0.2)
    v, psi = crossings.single(s.x - 16), s.frames[:2]
    states = channels.adiabatic(v).states
    add(channels.adiabatic, v=v)
    for change in (channels.to_adiabatic, channels.from_adiabatic):
        add(change, states=states, psi=psi)
    for measure in (channels.populations, channels.density_matrix):
        add(measure, grid=s.line, psi=psi)
    add(
        stationary.average,
        grid=s.line, v=v, width=2.0, momentum=3.0, channel=0, n_momentum=11,
    )  # fmt: skip
    add(channels.sides, grid=s.line, psi=psi, left=12.0, right=18.0, axis=0)


def _waves(calls: Calls, s: Samples) -> None:
    add = calls.add
    add(
        profiles.ProfileConfig,
        extent=8.0, low=0.0, high=3.0, smoothing=1.0, flank=1.0,
    )  # fmt: skip
    profile = profiles.ProfileConfig(8.0, 0.0, 3.0, 1.0)
    add(profiles.stretch, config=profile, grid=s.line)
    add(profiles.potential, config=profile, grid=s.line, u=jnp.zeros(profile.n_knot, float))
    add(stationary.scatter, grid=s.line, v=s.v, energy=1.0)
    some = np.array([1.0, 2.0])
    add(stationary.transmissions, grid=s.line, v=s.v, energies=some)
    add(stationary.wavenumber, grid=s.line, energy=some)
    for wave in (stationary.omega, stationary.group_velocity):
        add(wave, grid=s.line, k=some)


def system(calls: Calls, s: Samples) -> None:
    """Add the calls of systems and `rollout`."""
    add = calls.add
    add(System, grid=s.line, dt=0.1, n_channel=0, bounds=(-16.0, 31.0))
    add(System.as_potential, self=s.system, user=s.v)
    add(System.sample, self=s.system, name="free", key=s.key, difficulty=0.5)
    add(systems.Wrapped, of=s.solver)
    add(systems.rollout, propagator=s.solver, frames=s.psi[None], v=s.v, n_frames=3, n0=0, every=1)
    # The lesson that it registers is removed.
    add(systems.lesson, read=lambda register: None, name="own")


def teacher(calls: Calls, s: Samples) -> None:
    """Add the calls of solvers, with one frame of each."""
    add = calls.add

    def frame(propagator: Any) -> Any:
        return systems.rollout(propagator, s.psi[None], s.v, 1)

    add(solvers.Chebyshev, read=frame, system=s.system, tolerance=1e-6)
    add(solvers.SplitStep, read=frame, system=s.system, n_substeps=4, kinetic_cap=6.0)
    add(solvers.Dense, read=frame, of=s.solver)
    add(
        solvers.Scheme,
        kicks=(0.5, 0.5), drifts=(1.0,), gradients=(0.0, 0.0), smoothing=0.1,
    )  # fmt: skip
    add(solvers.TeacherConfig, solver="chebyshev", tolerance=1e-5, n_substeps=4)
    add(solvers.bounds_of, system=s.system, v=s.many_v)
    add(solvers.chebyshev, read=frame, system=s.system, tolerance=1e-6)
    add(solvers.dense, read=frame, propagator=s.solver)
    add(solvers.split_step, read=frame, system=s.system, n_substeps=4, kinetic_cap=6.0)
    add(solvers.make, read=frame, config=solvers.TeacherConfig(), system=s.system)
    add(solvers.kick, system=s.system, v=s.v, t=0.0, psi=s.psi, h=0.1)
    add(solvers.phase, system=dataclasses.replace(s.system, bounds=None), local=s.v, h=0.1)
