"""Examples of eigenstates: boxes around edges, and what the loss on them foretells."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics import potentials
from qdistill.physics.eigenstates import eigenstates
from qdistill.physics.grid import Grid
from qdistill.students import Student, StudentConfig, UnitaryConfig, WindowedConfig
from qdistill.system import Step, System, rollout
from qdistill.teacher import chebyshev
from qdistill.training import boxes, losses
from qdistill.training.boxes import Spectra, SpectraConfig

LINE = System(Grid(1024, 100.0))
BOX = System(Grid(128, 12.5), bounds=(-1.0, 6.0))
V = potentials.barrier(BOX.grid.positions(), 5.0, 3.0, 6.0)
SMALL = SpectraConfig(n_box=64, n_states=24, horizon=50)
WHOLE = SpectraConfig(n_box=128, n_states=24, horizon=100)


@dataclasses.dataclass(frozen=True)
class ShiftedConfig(StudentConfig, name="shifted"):
    """The solver with a constant added to the potential, and one turn of psi before and after."""

    size: float = 0.0

    def build(self, system: System) -> "Shifted":
        """The student."""
        return Shifted(self, system)


class Shifted(Student):
    """Exact but for what its form and parameter say."""

    is_linear = True

    def init(self, key: Any) -> Any:
        """No constant."""
        return jnp.zeros(())

    def step(self, params: Any, v: Any) -> Step:
        """The solver's, in a turned frame."""
        encode, advance, decode = chebyshev(self.system, 1e-7)(v + params)
        angle = 2 * jnp.pi * 10 * self.system.grid.positions() / self.system.grid.lengths[0]
        turn = jnp.exp(1j * self.form.size * jnp.cos(angle))
        return Step(encode, lambda psi: advance(psi * turn) * turn.conj(), decode)


def spectra_of(v: jax.Array, n_states: int) -> Spectra:
    energies, states = eigenstates(BOX.grid, v, n_states)
    return Spectra(energies[None], states[None], v[None], jnp.zeros(1, int))


def loss_of(
    config: SpectraConfig, size: float = 0.0, constant: float = 0.0, start: Any = None
) -> float:
    """Of the shifted solver on the eigenstates of one barrier."""
    student = ShiftedConfig(size).build(BOX)
    loss = losses.spectral_loss(student, config, start=start)
    batch = spectra_of(V, config.n_states)
    return float(loss(jnp.array(constant), batch, jax.random.key(0))[0])


def test_a_box_lies_around_an_edge() -> None:
    v = potentials.barrier(LINE.grid.positions(), 5.0, 3.0, 50.0)
    keys = jax.random.split(jax.random.key(0), 6400)
    cut = np.asarray(jax.jit(jax.vmap(lambda key: boxes.cut_out(key, v, 64)))(keys))
    # A box may be drawn around flat ground: by the weights 4 of 6400, give or take 2.
    assert np.sum(np.ptp(cut, axis=1) == 0) < 12
    # The barrier at every place, cut by either end or whole.
    assert len(np.unique(cut, axis=0)) > 64


def test_a_flat_potential_has_flat_boxes() -> None:
    assert not np.any(boxes.cut_out(jax.random.key(0), jnp.zeros(1024), 64))


def test_the_exact_propagator_has_no_loss() -> None:
    # Rounding of 1e-6 a frame, a hundredfold and squared.
    assert loss_of(WHOLE) < 1e-8


def test_the_loss_foretells_the_error_of_a_rollout() -> None:
    """A wrong constant in v is an error of phase, which adds up over all frames."""
    foretold = loss_of(WHOLE, constant=1e-3) ** 0.5
    x = BOX.grid.positions()
    psi = jnp.exp(-((x - 3) ** 2) + 2j * x)
    student = ShiftedConfig().build(BOX)
    late = [rollout(student.bind(jnp.array(c)), psi[None], V, 100)[-1] for c in (0.0, 1e-3)]
    seen = float(jnp.linalg.norm(late[1] - late[0]) / jnp.linalg.norm(late[0]))
    assert seen == pytest.approx(100 * 0.1 * 1e-3, rel=1e-2)
    assert foretold == pytest.approx(seen, rel=1e-2)


def test_a_relative_loss_counts_from_where_the_student_began() -> None:
    """The error of a constant in v grows with the square of the constant."""
    for constant, expected in ((1e-2, 1.0), (5e-3, 0.25)):
        found = loss_of(WHOLE, constant=constant, start=jnp.array(1e-2))
        assert found == pytest.approx(expected, rel=1e-2)


def test_an_error_between_far_levels_does_not_add_up() -> None:
    """Seen through a fixed rotation of the states, the error stays what it is in one frame."""
    config = SpectraConfig(n_box=128, n_states=64, horizon=200)
    foretold = loss_of(config, size=1e-3) ** 0.5
    # At most both ends of the rotation, each 1e-3 / sqrt(2): it does not grow with the horizon.
    assert 3e-4 < foretold < 2e-3


def test_a_block_is_a_pure_function_of_its_key() -> None:
    make = jax.jit(boxes.make_block(LINE, ("barrier", "potentials"), SMALL, 3, (4, 2)))
    weights = jnp.array([1.0, 1.0])
    one, same = make(jax.random.key(1), weights, 1.0), make(jax.random.key(1), weights, 1.0)
    jax.tree.map(np.testing.assert_array_equal, one, same)
    other = make(jax.random.key(2), weights, 1.0)
    assert np.any(other.spectra.v != one.spectra.v)
    batch = boxes.cut_batch(one, 2)
    assert batch.states.shape == (2, 24, 64)
    np.testing.assert_array_equal(batch.v, one.spectra.v[one.run[2]])
    # Each of the three boxes is in two or three of the eight places.
    assert sorted(np.bincount(one.run.ravel())) == [2, 3, 3]
    assert np.any(other.run != one.run)


def test_a_batch_as_large_as_a_block_has_every_box_once() -> None:
    make = jax.jit(boxes.make_block(LINE, ("barrier",), SMALL, 6, (1, 6)))
    block = make(jax.random.key(0), jnp.ones(1), 1.0)
    assert sorted(block.run[0].tolist()) == list(range(6))


def test_some_boxes_are_smoothed_by_gaussians_of_random_width() -> None:
    config = SpectraConfig(n_box=32, n_states=2)
    made = [
        jax.jit(boxes.make_block(LINE, ("barrier",), config, 40, (1, 1), softness=softness))(
            jax.random.key(0), jnp.ones(1), 1.0
        ).spectra.v
        for softness in (0.0, 0.2)
    ]
    waves = np.abs(np.fft.rfft(np.array(made, float)))[..., 1:]
    k = 2 * np.pi * np.fft.rfftfreq(32, LINE.grid.dx[0])[1:]
    widths = []
    for before, after in zip(*waves, strict=True):
        known = before > 1e-2 * np.max(before)
        ratio = (after / np.maximum(before, 1e-9))[known]
        square = np.median(-2 * np.log(ratio) / k[known] ** 2)
        widths.append(max(square, 0) ** 0.5)
        np.testing.assert_allclose(ratio, np.exp(-((widths[-1] * k[known]) ** 2) / 2), atol=1e-3)
    smoothed = np.array(widths) > 5e-3
    assert 3 <= smoothed.sum() <= 20
    assert np.max(widths) <= 0.2


@pytest.mark.parametrize("mass", [1.0, 3.0])
def test_a_boxs_states_are_those_of_the_systems_own_grid(mass: float) -> None:
    system = System(Grid(256, 25.0, "continuum", origin=-12.5, mass=mass), 0.2)
    box = boxes.box_of(system, SMALL)
    assert box.dt == 0.2
    assert box.grid == Grid(64, 6.25, "continuum", mass=mass)
    block = jax.jit(boxes.make_block(system, ("barrier",), SMALL, 2, (1, 2)))
    spectra = block(jax.random.key(1), jnp.ones(1), 1.0).spectra
    energies, _ = eigenstates(box.grid, spectra.v[0], 24)
    np.testing.assert_allclose(spectra.energies[0], energies, rtol=1e-3, atol=1e-4)


def test_a_student_learns_from_boxes_in_double_precision() -> None:
    with jax.enable_x64(True):
        system = System(Grid(128, 12.5, "continuum"))
        block = boxes.make_block(system, ("barrier",), SMALL, 2, (1, 2))
        batch = boxes.cut_batch(jax.jit(block)(jax.random.key(1), jnp.ones(1), 1.0), 0)
        assert batch.energies.dtype == batch.states.dtype == batch.v.dtype == jnp.float64
        student = UnitaryConfig(n_units=4, start="informed").build(system)
        loss = jax.jit(losses.spectral_loss(student, SMALL))(
            jax.jit(student.init)(jax.random.key(0)), batch, jax.random.key(0)
        )
        assert loss.dtype == jnp.float64
        assert jnp.all(jnp.isfinite(loss))


class OwnLocal(System):
    """A system that reads its potential in its own way."""

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """Twice the values."""
        return 2 * v["half"]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_box` must be at most n_x = 1024, but is 2048"):
        boxes.make_block(LINE, ("barrier",), SpectraConfig(n_box=2048), 2, (2, 2))
    square = System(Grid((8, 8), (2.0, 2.0)))
    with pytest.raises(ValueError, match="`grid` must be one-dimensional"):
        boxes.make_block(square, ("wall",), SMALL, 2, (2, 2))
    with pytest.raises(ValueError, match="`system` must be without channels"):
        boxes.make_block(dataclasses.replace(LINE, n_channel=2), ("barrier",), SMALL, 2, (2, 2))
    with pytest.raises(ValueError, match="`system` must be one whose potential is its own values"):
        boxes.make_block(OwnLocal(LINE.grid), ("barrier",), SMALL, 2, (2, 2))
    with pytest.raises(ValueError, match="`n_states` must be at most n_box = 32, but is 64"):
        SpectraConfig(n_box=32)
    with pytest.raises(ValueError, match="`n_box` must be between 2 and 32, but is 33"):
        boxes.cut_out(jax.random.key(0), jnp.zeros(32), 33)
    with pytest.raises(ValueError, match="`examples` must be windows or frames"):
        losses.spectral_loss(WindowedConfig().build(LINE), SMALL)


@pytest.mark.usefixtures("without_checker")
def test_integers_are_refused() -> None:
    with pytest.raises(ValueError, match="`v` must be an array of real floating-point numbers"):
        boxes.cut_out(jax.random.key(0), jnp.zeros(128, int), 32)
