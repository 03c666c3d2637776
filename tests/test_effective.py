"""The learned effective Hamiltonian in any dimension: symmetries, frames, gradients, boxes."""

import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steps import evolve, one, relative_error

from qdistill.physics import band, packets, potentials
from qdistill.physics.grid import Grid, norm
from qdistill.runs import pretrained
from qdistill.students import EffectiveHamiltonian, PropagatorConfig
from qdistill.system import System, rollout
from qdistill.teacher import chebyshev

TAUGHT = System(Grid(1024, 100.0, "continuum"), 1.0)
BOX = Grid(128, 12.5, "continuum")
FORM = PropagatorConfig(256)
STUDENT = FORM.build(TAUGHT).on(BOX)
V = potentials.double(BOX.positions(), (5.0, 8.0), 1.3, 2.1, 6.25)
RANDOM = np.random.default_rng(0).normal(size=(2, 12))
WEIGHTS = {"weights": jnp.asarray(RANDOM, float)}
SQUARE = System(Grid((24, 24), (6.0, 6.0), "continuum"), 0.7)
LINE = System(Grid(24, 6.0, "continuum"), 0.7)
FEW = PropagatorConfig(16)
V_SQUARE = 3 * jax.random.normal(jax.random.key(0), (24, 24))


@pytest.fixture
def double_precision():
    with jax.enable_x64(True):
        yield


def derivative_by_fft(rows: np.ndarray) -> np.ndarray:
    k = 2 * np.pi * np.fft.fftfreq(128, BOX.dx[0])
    return np.fft.ifft(1j * k * np.fft.fft(rows)).real


@pytest.mark.parametrize("power", [0, 1, 2])
def test_fields_stand_between_derivatives(power: int) -> None:
    phase = 2 * np.pi * np.arange(16)[:, None] * np.asarray(BOX.positions(), float) / 12.5
    rows = np.concatenate([np.cos(phase), np.sin(phase[1:])])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    edge = np.pi / (100 / 256)
    for _ in range(power):
        rows = derivative_by_fft(rows) / edge
    found = STUDENT.between_waves(V[None, None], power)
    # A second derivative has the sign of both sides twice.
    np.testing.assert_allclose(found, (rows * np.asarray(V)) @ rows.T, atol=3e-5)


def test_the_hamiltonian_is_symmetric_and_knows_constants_and_mirrors() -> None:
    h = STUDENT.hamiltonian(WEIGHTS, V)
    np.testing.assert_allclose(h, h.T, atol=1e-4)
    shifted = STUDENT.hamiltonian(WEIGHTS, V + 3)
    np.testing.assert_allclose(shifted - h, 3 * np.eye(len(h)), atol=1e-4)
    # x -> 12.5 - x + dx takes points to points, and sines to minus sines but for that dx.
    fields, mirrored = (STUDENT.fields(WEIGHTS, v) for v in (V, V[::-1]))
    np.testing.assert_allclose(mirrored[..., ::-1], fields, atol=1e-4)
    energies, others = (np.linalg.eigvalsh(STUDENT.hamiltonian(WEIGHTS, v)) for v in (V, V[::-1]))
    np.testing.assert_allclose(energies, others, atol=1e-3)


def test_the_learned_hamiltonian_has_the_symmetries_of_the_square() -> None:
    student = FEW.build(SQUARE)
    h = student.hamiltonian(WEIGHTS, V_SQUARE)
    rounding = 2e-4 * float(abs(h).max())
    np.testing.assert_allclose(h, h.T, atol=rounding)
    raised = student.hamiltonian(WEIGHTS, V_SQUARE + 3)
    np.testing.assert_allclose(raised - h, 3 * np.eye(len(h)), atol=rounding)
    energies = np.linalg.eigvalsh(h)
    for turned in (V_SQUARE.T, V_SQUARE[::-1], V_SQUARE[:, ::-1]):
        others = np.linalg.eigvalsh(student.hamiltonian(WEIGHTS, turned))
        np.testing.assert_allclose(others, energies, atol=2e-4 * float(abs(energies).max()))


@pytest.mark.parametrize("n_dim", [2, 3])
def test_what_varies_along_one_axis_is_what_it_is_on_a_line(n_dim: int) -> None:
    """A wall: on waves that are constant along the other axes the Hamiltonian is the line's."""
    form = {2: FEW, 3: PropagatorConfig(8)}[n_dim]
    wall = potentials.barrier(LINE.grid.positions(), 5.0, 1.5, 3.0)
    on_line = form.build(LINE).hamiltonian(WEIGHTS, wall)
    student = form.build(System(Grid((24,) * n_dim, (6.0,) * n_dim, "continuum")))
    modes = student.band.modes
    for axis in range(n_dim):
        others = np.arange(n_dim) != axis
        cosines = np.flatnonzero((modes[others] == 0).all(axis=0))
        along = np.concatenate([cosines, cosines[1:] - 1 + modes.shape[1]])
        v = jnp.broadcast_to(jnp.expand_dims(wall, tuple(np.flatnonzero(others))), (24,) * n_dim)
        h = student.hamiltonian(WEIGHTS, v)
        np.testing.assert_allclose(h[along][:, along], on_line, atol=2e-3)
    nothing = {"weights": jnp.zeros((2, 12))}
    learned = abs(form.build(LINE).hamiltonian(nothing, wall) - on_line).max()
    assert learned > {2: 0.1, 3: 0.05}[n_dim]


def test_the_student_is_unitary_and_frames_compose() -> None:
    psi = packets.gaussian(BOX, 4.0, 0.9, 2.0)
    half, whole = (
        dataclasses.replace(STUDENT, system=System(BOX, dt)).bind(WEIGHTS) for dt in (0.5, 1.0)
    )
    later = evolve(whole, V, psi, 1)
    np.testing.assert_allclose(norm(BOX, later), norm(BOX, psi), rtol=1e-4)
    np.testing.assert_allclose(evolve(half, V, psi, 2), later, atol=1e-4)


def test_a_frame_is_a_phase_for_each_eigenstate() -> None:
    """The state are their amplitudes, whose moduli no frame changes."""
    step = STUDENT.step(WEIGHTS, V)
    psi = packets.gaussian(BOX, 4.0, 0.9, 2.0)
    state = step.encode(psi[None], jnp.asarray(0))
    assert state.shape == (STUDENT.band.n_wave,)
    later = step.advance(step.advance(state))
    np.testing.assert_allclose(jnp.abs(later), jnp.abs(state), atol=1e-6)
    analysis = jax.jit(step.advance).lower(state).compile().cost_analysis()
    operations = (analysis or {}).get("flops", 0.0)
    # A complex product is six real operations. Nothing of the derivative is left.
    assert operations < 10 * len(state)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("system", [LINE, SQUARE], ids=["line", "square"])
def test_the_frame_is_the_exponential_of_the_hamiltonian(system: System) -> None:
    student, grid = FEW.build(system), system.grid
    params = {"weights": jnp.asarray(RANDOM)}
    v = jnp.asarray(np.random.default_rng(2).normal(size=grid.shape))
    n = student.band.n_wave
    start = jnp.asarray(np.random.default_rng(1).normal(size=n)) + 0j
    psi = band.from_waves(student.band, start)
    found = band.to_waves(student.band, one(student.bind(params), v)(psi))
    energies, states = np.linalg.eigh(student.hamiltonian(params, v))
    expected = states @ (np.exp(-0.7j * energies) * (states.T @ np.asarray(start)))
    np.testing.assert_allclose(found, expected, atol=1e-11)


def test_what_is_not_learned_is_the_projected_hamiltonian() -> None:
    params = jax.jit(STUDENT.init)(jax.random.key(0))
    h = STUDENT.hamiltonian(params, V)
    np.testing.assert_allclose(h, band.project(STUDENT.band, V), atol=1e-6)
    nothing = PropagatorConfig(256, n_fields=0).build(TAUGHT).on(BOX)
    bare = nothing.hamiltonian(jax.jit(nothing.init)(jax.random.key(0)), V)
    np.testing.assert_array_equal(bare, band.project(STUDENT.band, V))


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("is_flat", [True, False], ids=["flat", "rough"])
@pytest.mark.parametrize("system", [LINE, SQUARE], ids=["line", "square"])
def test_gradients_are_those_of_finite_differences(system: System, is_flat: bool) -> None:
    """Also where energies agree, as all but one do in a flat potential, or in a square at rest."""
    grid, random = system.grid, np.random.default_rng(3)
    student = FEW.build(system)
    # Of a flat potential all derivatives by the weights vanish; those by V do not.
    v = jnp.zeros(grid.shape) if is_flat else jnp.asarray(random.normal(size=grid.shape))
    centre, width, momentum = ((value,) * grid.n_dim for value in (2.0, 0.6, 1.0))
    psi = packets.gaussian(grid, centre, width, momentum)
    mask = jnp.asarray(random.normal(size=(3, *grid.shape)))

    @jax.jit
    def loss(weights: jax.Array, v: jax.Array, psi: jax.Array) -> jax.Array:
        frames = rollout(student.bind({"weights": weights}), psi[None], v, 3)
        return jnp.sum(mask * jnp.abs(frames) ** 2) + jnp.sum(frames[1]).imag

    at = (jnp.asarray(RANDOM), v, psi)
    along = tuple(jnp.asarray(random.normal(size=x.shape)) for x in at)
    gradient = jax.grad(loss, (0, 1))(*at)
    slope = jax.jvp(loss, at, (*along[:2], 0j * psi))[1]
    by_gradient = sum(jnp.sum(g * d) for g, d in zip(gradient, along, strict=False))
    step = 1e-5
    ahead, behind = (loss(at[0] + s * along[0], at[1] + s * along[1], psi) for s in (step, -step))
    difference = (ahead - behind) / (2 * step)
    assert abs(difference) > 1e-3
    np.testing.assert_allclose(slope, difference, rtol=1e-6)
    np.testing.assert_allclose(by_gradient, difference, rtol=1e-6)


def test_it_knows_the_edge_of_its_band_on_another_number_of_points() -> None:
    """Half the box has half the waves, of the same edge, and moves a packet in the same way."""
    student = PropagatorConfig(224).build(TAUGHT)
    assert student.band.n_wave == 223
    for n_x, n_wave in ((512, 111), (2048, 447)):
        grid = Grid(n_x, n_x * 100 / 1024, "continuum")
        other = student.on(grid)
        assert isinstance(other, EffectiveHamiltonian)
        assert (other.band.n_wave, other.edge) == (n_wave, student.edge)
        # And back again.
        assert other.on(TAUGHT.grid) == student
    long = Grid(1024, 100.0, "continuum")
    short = Grid(512, 50.0, "continuum")
    later = [
        evolve(
            student.on(grid).bind(WEIGHTS),
            potentials.barrier(grid.positions(), 3.0, 2.0, 22.0),
            packets.gaussian(grid, 15.0, 1.5, 2.0),
            4,
        )
        for grid in (long, short)
    ]
    assert relative_error(later[1], later[0][:512]) < 1e-3
    with pytest.raises(ValueError, match="`grid` must be a continuum of mass 1 with points"):
        student.on(Grid(1024, 50.0, "continuum"))


def test_it_runs_in_three_dimensions() -> None:
    """A packet in a smooth trap, which has few waves beyond the band."""
    system = System(Grid((12,) * 3, (6.0,) * 3, "continuum"), 0.5)
    student = PropagatorConfig(10).build(system)
    v = sum(1 + jnp.cos(2 * jnp.pi * system.grid.positions(a) / 6) for a in range(3))
    psi = packets.gaussian(system.grid, (3.0,) * 3, (0.65,) * 3, (0.3, 0.0, -0.3))
    found = evolve(student.bind(jax.jit(student.init)(jax.random.key(0))), v, psi, 4)
    true = evolve(chebyshev(system, 1e-6), v, psi, 4)
    assert relative_error(found, true) < 0.02


def test_the_packaged_student_loads_and_forecasts() -> None:
    emulator = pretrained.load("propagator")
    assert emulator.student == PropagatorConfig().build(emulator.system)
    assert emulator.params["weights"].shape == (2, 12)
    grid = emulator.system.grid
    psi = packets.gaussian(grid, 30.0, 2.0, 2.5)
    v = potentials.barrier(grid.positions(), 4.0, 3.0, 50.0)
    true = evolve(chebyshev(emulator.system, 1e-6), v, psi, 20)
    assert relative_error(emulator.forecast(psi, v, 20)[-1], true) < 2e-2
    again = pickle.loads(pickle.dumps(emulator.on(Grid(512, 50.0, "continuum"))))
    assert again.student.taught == grid


class OwnKinetic(System):
    """A system that overrides the kinetic energy."""

    def kinetic(self, v, t):
        return 2 * self.grid.kinetic_energy()


class Lossy(System):
    is_hermitian = False


@pytest.mark.usefixtures("without_checker")
def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="`widths` must be finite and positive"):
        PropagatorConfig(widths=(0.1, 0.0))
    with pytest.raises(ValueError, match="`n_coarse` must be between 4 and 1024"):
        PropagatorConfig(2048).build(TAUGHT)
    with pytest.raises(ValueError, match="`n_fields` must be at most 2 in several dimensions"):
        PropagatorConfig(16, 3).build(SQUARE)
    with pytest.raises(ValueError, match=r"`edge` must be .* at most .* on this grid"):
        PropagatorConfig(24).build(System(Grid((24, 20), (6.0, 6.0), "continuum")))
    for system in (System(BOX, n_channel=2), OwnKinetic(BOX), Lossy(BOX)):
        with pytest.raises(ValueError, match="`system` must be linear, autonomous, Hermitian"):
            PropagatorConfig(16).build(system)
