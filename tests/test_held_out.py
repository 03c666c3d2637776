"""Held-out cases of any system: the paper's on a line, draws of the lessons elsewhere."""

import dataclasses
from typing import Any

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.forecast import baselines, cases, held_out, paper
from qdistill.forecast.held_out import BenchmarkConfig, make_held_out
from qdistill.physics import observables, packets
from qdistill.physics.grid import Grid
from qdistill.students import UnitaryConfig, WindowedConfig
from qdistill.system import System, rollout
from qdistill.teacher import Chebyshev, SplitStep, chebyshev, split_step

FEW = BenchmarkConfig(n_frames=3, n_cases=5, n_substeps=40)


@pytest.mark.parametrize(
    "grid", [Grid(), Grid(512, 40.0, origin=-20.0)], ids=["100 bohr", "40 bohr around zero"]
)
def test_a_line_has_the_papers_cases(grid: Grid) -> None:
    held = make_held_out(FEW, System(grid), ("barrier",))
    assert held.family == tuple(paper.CASES)
    assert len(held) == 25
    assert held.given.shape == (25, 4, *grid.shape)
    assert held.frames.shape == (25, 3, *grid.shape)
    middles = jnp.sum(grid.positions()[None] * (held.v != 0), axis=1) / jnp.sum(held.v != 0, axis=1)
    np.testing.assert_allclose(middles, grid.middle[0], atol=0.02 * grid.lengths[0])
    starts = [(observables.position(grid, psi) - grid.origin[0]) for psi in held.given[:, 0]]
    assert all(0.14 < start / grid.lengths[0] < 0.21 for start in starts)


def test_their_truth_is_that_of_diagonalisation() -> None:
    """In a small box, in double precision."""
    with jax.enable_x64(True):
        grid = Grid(256, 40.0, mass=2.0)
        config = BenchmarkConfig(n_frames=2, n_given=2, tolerance=1e-11)
        held = make_held_out(config, System(grid), ())
        assert held.given.dtype == held.frames.dtype == jnp.complex128
        for i in (0, 17, 24):
            v, psi = np.asarray(held.v[i]), np.asarray(held.given[i, 0])
            for n, frame in enumerate([held.given[i, 1], *held.frames[i]], start=1):
                expected = exact.propagate(grid, v, psi, 0.1 * n)
                # The tolerance of up to three frames, and 1e-12 of the oracle.
                assert np.linalg.norm(frame - expected) < 4e-11 * np.linalg.norm(expected)


def test_a_plane_has_draws_of_its_lessons_in_turn() -> None:
    system = System(Grid((32, 32), (12.0, 12.0), "continuum"))
    held = make_held_out(FEW, system, ("packets", "wall"))
    assert held.family == ("packets-1", "wall-1", "packets-2", "wall-2", "packets-3")
    assert held.frames.shape == (5, 3, 32, 32)
    assert [bool(jnp.any(v)) for v in held.v] == [False, True, False, True, False]
    again = make_held_out(FEW, system, ("packets", "wall"))
    np.testing.assert_array_equal(held.frames, again.frames)
    fewer = make_held_out(dataclasses.replace(FEW, n_cases=3), system, ("packets", "wall"))
    np.testing.assert_array_equal(held.v[:3], fewer.v)


class Swayed(System):
    """A field along x that changes in time."""

    is_autonomous = False

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """V + x E cos(3 t)."""
        x = self.grid.positions(dtype=v["v0"].dtype)
        return v["v0"] + v["field"] * x * jnp.cos(3 * t)

    def sample(self, name: str, key: Any, difficulty: Any) -> Any:
        """A packet in a trap, and a random field."""
        psi = packets.gaussian(self.grid, 0.0, 0.7, 0.0)
        v0 = self.grid.positions() ** 2 / 2
        return psi, {"v0": v0, "field": 1 + jax.random.uniform(key)}


class Doubled(System):
    """A system that reads its potential in its own way, and nothing else."""

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """Twice the values."""
        return 2 * v["half"]


class Heavy(System):
    """A system with a kinetic energy of its own."""

    def kinetic(self, v: Any, t: Any) -> Any:
        """A third of the grid's."""
        return self.grid.kinetic_energy() / 3


DRIVEN = Swayed(Grid(64, 16.0, "continuum", origin=-8.0), 0.2)


def test_forecasts_of_a_driven_system_begin_at_the_time_of_the_last_given_frame() -> None:
    held = make_held_out(FEW, DRIVEN, ("shaken",))
    assert held.family == tuple(f"shaken-{i}" for i in range(1, 6))
    solver = split_step(DRIVEN, FEW.n_substeps)
    assert held_out.make_truth(FEW, DRIVEN, held.v) == solver
    errors = cases.measure(DRIVEN, held, cases.forecast(solver, held))
    # Rounding of float32, as the frames are the solver's own.
    assert errors["nrmse"].max() < 2e-5
    late = jax.jit(jax.vmap(lambda given, v: rollout(solver, given, v, 3)))(held.given, held.v)
    assert cases.measure(DRIVEN, held, late)["nrmse"].min() > 0.05
    assert cases.measure_cost(solver, held) > 0


def test_a_student_of_any_system_is_scored() -> None:
    held = make_held_out(FEW, DRIVEN, ("shaken",))
    student = UnitaryConfig(10, "informed").build(DRIVEN)
    emulator = student.bind(jax.jit(student.init)(jax.random.key(0)))
    scores = cases.summarise(
        held.family, cases.measure(DRIVEN, held, cases.forecast(emulator, held))
    )
    # A split step of ten clamped pairs a frame.
    assert scores["mean_nrmse"] < 2e-2
    assert list(scores["cases"]) == list(held.family)
    # The field works on the packet: its energy at t = 0 says nothing of an error.
    assert all(np.isnan(case["energy_drift"]) for case in scores["cases"].values())


def test_channels_are_scored_too() -> None:
    grid = Grid(64, 16.0, "continuum", origin=-8.0)
    system, x = System(grid, 0.2, n_channel=2), grid.positions()
    coupling = 0.5 * jnp.exp(-(x**2))
    v = jnp.stack([jnp.stack([0 * x, coupling]), jnp.stack([coupling, 0 * x + 1])])
    v = jnp.stack([v, -v])
    psi = packets.gaussian(grid, -1.0, 0.7, 1.0)
    psi0 = jnp.tile(jnp.stack([psi, 0 * psi]), (2, 1, 1))
    truth = cases.simulate(held_out.make_truth(FEW, system, v), psi0, v, 2, 4)
    frames = cases.forecast(split_step(system, 40), truth)
    errors = cases.measure(system, truth, frames)
    # Strang's error at h = 0.005, and float32 over 200 products.
    assert errors["nrmse"].max() < 1e-4
    assert errors["energy_drift"].max() < 1e-3
    assert errors["norm_drift"].max() < 2e-5
    # The coupling is felt.
    assert jnp.linalg.norm(truth.frames[0, -1, 1]) > 0.1 * jnp.linalg.norm(psi)


def test_the_truth_is_chebyshevs_wherever_it_applies() -> None:
    grid = Grid(64, 16.0)
    v = jnp.stack([jnp.linspace(-1.0, 2.0, 64), jnp.zeros(64)])
    plain = held_out.make_truth(FEW, System(grid), v)
    assert plain == chebyshev(System(grid, bounds=(-1.0, 2.0)), FEW.tolerance)
    own = held_out.make_truth(FEW, Doubled(grid), {"half": v})
    assert isinstance(own, Chebyshev)
    low, high = own.system.bounds or (0, 0)
    assert (low, high) == pytest.approx((-2.0, 4.0), abs=1e-4)
    assert low < -2.0 < 4.0 < high
    assert isinstance(held_out.make_truth(FEW, Heavy(grid), v), SplitStep)
    assert isinstance(held_out.make_truth(FEW, DRIVEN, {}), SplitStep)


def test_a_system_with_its_own_reading_is_solved_inside_vmap() -> None:
    system, v = Doubled(Grid(64, 16.0)), {"half": jnp.stack([jnp.ones(64), jnp.zeros(64)])}
    psi0 = jnp.ones((2, 64), jnp.complex64)
    truth = cases.simulate(cases.exact(system, v), psi0, v, 1, 3)
    phases = jnp.angle(truth.frames[:, -1, 0])
    np.testing.assert_allclose(phases, [-2 * 0.3, 0.0], atol=1e-5)


def test_some_of_the_papers_cases_by_name() -> None:
    names = ("steps", "barrier-17.0-7.4-2.4")
    some = held_out.make_paper_cases(FEW, System(), names)
    every = make_held_out(FEW, System(), ())
    assert some.family == names
    for i, name in enumerate(names):
        j = every.family.index(name)
        np.testing.assert_array_equal(some.v[i], every.v[j])
        np.testing.assert_allclose(some.frames[i], every.frames[j], atol=1e-5)
    with pytest.raises(ValueError, match=r"`case` must be one of 'barrier-.*, but is 'stairs'"):
        held_out.make_paper_cases(FEW, System(), ("stairs",))
    with pytest.raises(ValueError, match="`grid` must be one-dimensional"):
        held_out.make_paper_cases(FEW, System(Grid((8, 8), (4.0, 4.0))), names)


def test_what_needs_more_frames_than_are_given_is_refused() -> None:
    held = make_held_out(dataclasses.replace(FEW, n_given=2), System(), ())
    student = WindowedConfig(n_units=4).build(System())
    emulator = student.bind(jax.jit(student.init)(jax.random.key(0)))
    with pytest.raises(ValueError, match="`frames` must be at least 4 frames, but is 2"):
        cases.forecast(emulator, held)
    with pytest.raises(ValueError, match="`family` must be 25 names, one for each case, but is 1"):
        cases.simulate(chebyshev(System()), held.given[:, 0], held.v, 1, 1, ("one",))
    with pytest.raises(ValueError, match="`n_given` must be at least 1, but is 0"):
        cases.simulate(chebyshev(System()), held.given[:, 0], held.v, 0, 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_frames": 0}, "`n_frames` must be at least 1, but is 0"),
        ({"n_given": 0}, "`n_given` must be at least 1, but is 0"),
        ({"n_cases": 0}, "`n_cases` must be at least 1, but is 0"),
        ({"n_substeps": 0}, "`n_substeps` must be at least 1, but is 0"),
        ({"tolerance": 0.0}, "`tolerance` must be finite and positive, but is 0.0"),
    ],
)
def test_senseless_settings_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BenchmarkConfig(**settings)


def test_the_papers_cases_are_not_for_potentials_of_several_parts() -> None:
    with pytest.raises(ValueError, match="one that takes a number for each point as v, but is of"):
        held_out.make_paper_cases(FEW, DRIVEN)
    with pytest.raises(ValueError, match="type Swayed, whose `local` then raises"):
        baselines.evaluate({"solver": split_step(DRIVEN, 8)}, 0, 10, FEW)
