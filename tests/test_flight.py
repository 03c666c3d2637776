"""One packet on one potential: what passes, by the solver and by a forecast."""

import dataclasses

import exact
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill import plots, teacher
from qdistill.insight import flight
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.system import SYSTEMS, Step, System, Wrapped

SYSTEM = System(Grid(512, 50.0), dt=0.1)
V = potentials.barrier(SYSTEM.grid.positions(), 4.0, 1.0, 25.0)


@dataclasses.dataclass(frozen=True)
class Still(Wrapped):
    """A propagator that is given three frames, and does not move."""

    @property
    def n_history(self) -> int:
        return 3

    def __call__(self, v) -> Step:
        return Step(lambda frames, n: frames[-1], lambda psi: psi, lambda psi: psi)


def test_the_solver_passes_as_the_dense_oracle_and_agrees_with_itself() -> None:
    psi = packets.gaussian(SYSTEM.grid, 15.0, 1.5, 3.0)
    solver = teacher.chebyshev(dataclasses.replace(SYSTEM, bounds=(0.0, 4.0)), 1e-5)
    report = flight.evaluate(solver, V, psi, 60)
    last = exact.propagate(SYSTEM.grid, np.asarray(V), np.asarray(psi), 6.0)
    beyond = report.x > 25.5
    through = np.sum(np.abs(last[beyond]) ** 2) * SYSTEM.grid.dx[0]
    numbers = report.numbers
    assert numbers["exact"]["transmission"] == pytest.approx(through, abs=1e-2)
    assert 0.1 < through < 0.9
    assert sum(numbers["exact"].values()) == pytest.approx(1, abs=1e-4)
    assert numbers["relative_l2_error"] < 1e-3
    assert numbers["norm_drift"] < 1e-3
    assert numbers["duration_au"] == pytest.approx(6.0)
    assert report.truth.shape == report.frames.shape == (60, 512)
    np.testing.assert_allclose(report.t[[0, -1]], [0.1, 6.0])
    assert str(report).splitlines()[0].startswith("exact    transmission 0.")
    assert list(plots.draw(report)) == ["spacetime"]


def test_what_comes_from_the_right_passes_to_the_left_and_history_is_given() -> None:
    psi = packets.gaussian(SYSTEM.grid, 35.0, 1.5, -4.0)
    report = flight.evaluate(Still(teacher.split_step(SYSTEM, 20)), V, psi, 40)
    numbers = report.numbers
    assert numbers["exact"]["transmission"] > 0.5
    assert numbers["forecast"]["transmission"] < 1e-3
    assert numbers["forecast"]["reflection"] > 0.99
    # Three frames are given, the packet and two of the solver's.
    assert report.t[0] == pytest.approx(0.3)
    np.testing.assert_allclose(report.frames[0], report.frames[-1])


def test_a_packet_that_goes_around_the_box_is_said_to() -> None:
    """Transmitted, it arrives where what is reflected is counted."""
    psi = packets.gaussian(SYSTEM.grid, 35.0, 1.5, 4.0)
    solver = teacher.split_step(SYSTEM, 20)
    report = flight.evaluate(solver, V, psi, 40)
    assert report.numbers["wraps_around"]
    assert "wraps around: transmission" in str(report)
    assert not flight.evaluate(solver, V, psi, 20).numbers["wraps_around"]


def test_a_flat_potential_ends_in_the_middle() -> None:
    grid = Grid(8, 8.0)
    psi = jnp.zeros(8, complex).at[jnp.array([0, 7])].set(jnp.array([0.6, 0.8]))
    shares = flight.count_sides(grid, jnp.zeros(8), psi, momentum=-1.0)
    assert shares["transmission"] == pytest.approx(0.36)
    assert shares["reflection"] == pytest.approx(0.64)


@pytest.mark.usefixtures("without_checker")
def test_a_plane_is_refused() -> None:
    plane = System(Grid((8, 8), (8.0, 8.0)))
    with pytest.raises(ValueError, match="`grid` must be one-dimensional"):
        flight.evaluate(teacher.split_step(plane, 4), jnp.zeros((8, 8)), jnp.ones((8, 8)), 2)


def test_the_energy_is_that_of_the_system() -> None:
    class Light(System):
        def kinetic(self, v, t):
            return 4 * self.grid.kinetic_energy()

    class Thinning(System):
        is_hermitian = False

        def local(self, v, t, psi):
            return v - 0.1j

    psi = packets.gaussian(SYSTEM.grid, 12.0, 2.0, 3.0)
    usual = flight.evaluate(teacher.split_step(SYSTEM, 4), 0 * V, psi, 2).numbers
    for kind, factor in (Light, 4), (Thinning, 1):
        found = flight.evaluate(teacher.split_step(kind(SYSTEM.grid), 4), 0 * V, psi, 2)
        wanted = factor * usual["energy_hartree"]
        assert found.numbers["energy_hartree"] == pytest.approx(wanted, rel=1e-5)
        SYSTEMS.pop(kind.__name__)


def test_a_single_frame_has_no_map() -> None:
    psi = packets.gaussian(SYSTEM.grid, 12.0, 2.0, 3.0)
    report = flight.evaluate(teacher.split_step(SYSTEM, 4), V, psi, 1)
    assert plots.draw(report) == {}
