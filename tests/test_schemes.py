"""Splitting schemes: their orders, the commutator on both dispersions, and what is refused."""

import functools
import re

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from steps import box, evolve, relative_error

from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.system import System, rollout
from qdistill.teacher import SCHEMES, Scheme, chebyshev, dense, schemes, split_step

both_dispersions = pytest.mark.parametrize("dispersion", ["lattice", "continuum"])


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def hill(grid: Grid) -> jax.Array:
    x = grid.positions()
    return 3 * jnp.exp(-(((x - 11) / 2) ** 2)) - 1.5 * jnp.exp(-(((x - 6) / 1.5) ** 2))


@pytest.mark.parametrize(("scheme", "order"), [("chin", 4), ("blanes-moan", 4), ("strang", 2)])
@both_dispersions
def test_a_scheme_converges_at_its_order(scheme: str, order: int, dispersion: str) -> None:
    system = System(box(dispersion), 0.5)
    v, psi = hill(system.grid), packets.gaussian(system.grid, 7.0, 1.0, 2.0)
    expected = exact.propagate(system.grid, np.asarray(v), np.asarray(psi), t=2.0)
    errors = [
        relative_error(evolve(split_step(system, n, scheme=scheme), v, psi, 4), expected)
        for n in (20, 40)
    ]
    # The next term of the error is smaller by h^2 times energies squared, some 1e-2.
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.02)


@both_dispersions
def test_takahashi_imada_has_energies_of_fourth_order(dispersion: str) -> None:
    """The trajectory is of second order: a change of basis, which energies do not see."""
    grid = Grid(32, 10.0, dispersion)
    v = jnp.cos(2 * jnp.pi * grid.positions() / 10)
    exactly = np.linalg.eigvalsh(exact.hamiltonian(grid, np.asarray(v)))[:6]

    def error(scheme: str, dt: float) -> float:
        propagator = dense(split_step(System(grid, dt), 1, scheme=scheme))
        frame = np.asarray(jax.vmap(propagator(v).advance)(jnp.eye(32, dtype=complex)))
        energies = np.sort(-np.angle(np.linalg.eigvals(frame)) / dt)[:6]
        return float(np.linalg.norm(energies - exactly))

    for scheme, order in (("strang", 2), ("takahashi-imada", 4)):
        slope = np.log2(error(scheme, 0.05) / error(scheme, 0.025))
        assert slope == pytest.approx(order, abs=0.02), scheme


# Between channels: matrices that commute neither with each other nor with their slopes.


def matrices(grid: Grid, n_channel: int) -> jax.Array:
    """Two smooth hills and a well, each of another Hermitian matrix; complex for three channels."""
    rng, x = np.random.default_rng(n_channel), np.asarray(grid.positions())
    v = np.zeros((n_channel, n_channel, x.size), complex)
    for centre, width in ((12, 3.0), (10, 2.5), (6, 2.5)):
        part = rng.normal(size=(n_channel, n_channel))
        if n_channel > 2:
            part = part + 1j * rng.normal(size=part.shape)
        shape = np.exp(-(((x - centre) / width) ** 2))
        v += (part + part.conj().T)[..., None] * shape
    return jnp.asarray(v if n_channel > 2 else v.real)


@functools.cache
def between(n_channel: int) -> tuple[System, jax.Array, jax.Array, np.ndarray]:
    """A system, its matrices, a psi, and what it becomes in three frames."""
    system = System(Grid(128, 20.0, "continuum"), 0.5, n_channel=n_channel)
    v = matrices(system.grid, n_channel)
    packet = packets.gaussian(system.grid, 7.0, 1.0, 2.0)
    psi = jnp.stack([packet, 1j * packet, -packet][:n_channel])
    return system, v, psi, np.asarray(evolve(chebyshev(system, 1e-13), v, psi, 3))


@pytest.mark.parametrize("scheme", ["chin", "blanes-moan"])
def test_all_kicks_between_three_channels_are_made_by_one_call_of_lapack(scheme: str) -> None:
    """Several calls for many points may wait for each other for ever, on two cores."""
    system, v, psi, _ = between(3)
    solver = split_step(system, 20, scheme=scheme)
    step = jax.jit(lambda v, psi: rollout(solver, psi[None], v, 1))
    assert len(re.findall("lapack_.getrf", str(step.lower(v, psi).compile().as_text()))) == 1


@pytest.mark.parametrize("n_channel", [2, 3])
@pytest.mark.parametrize(("scheme", "order"), [("chin", 4), ("blanes-moan", 4), ("strang", 2)])
def test_a_scheme_keeps_its_order_between_channels(scheme, order, n_channel) -> None:
    system, v, psi, expected = between(n_channel)
    errors = [
        relative_error(evolve(split_step(system, n, scheme=scheme), v, psi, 3), expected)
        for n in (20, 40)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.05)


def test_without_the_turning_basis_a_scheme_of_gradients_is_of_second_order(monkeypatch) -> None:
    """The part of the double commutator with the momentum is not small."""
    system, v, psi, expected = between(2)
    whole = schemes.between_channels

    def without(grid: Grid, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        square, angle = whole(grid, v)
        return square, 0 * angle

    def error(n: int) -> float:
        step, state = split_step(system, n, scheme="chin")(v), psi
        for _ in range(3):
            state = step.advance(state)
        return relative_error(state, expected)

    monkeypatch.setattr(schemes, "between_channels", without)
    assert np.log2(error(20) / error(40)) == pytest.approx(2, abs=0.1)


def test_takahashi_imada_has_energies_of_fourth_order_between_channels() -> None:
    """The matrices take the same path back, so the basis closes around the periodic box."""
    grid = Grid(48, 10.0, "continuum")
    q = 2 * np.pi * (np.asarray(grid.positions()) - 5) / 10
    one, two = np.array([[1.0, 0.3], [0.3, -0.5]]), np.array([[0.2, 0.9], [0.9, 0.1]])
    v = two[..., None] + one[..., None] * np.cos(q)
    free = exact.hamiltonian(grid, np.zeros(48))
    blocks = [[np.diag(v[i, j]) + (i == j) * free for j in range(2)] for i in range(2)]
    exactly = np.linalg.eigvalsh(np.block(blocks))[:6]

    def error(scheme: str, dt: float) -> float:
        propagator = dense(split_step(System(grid, dt, n_channel=2), 1, scheme=scheme))
        frame = np.asarray(jax.vmap(propagator(jnp.asarray(v)).advance)(jnp.eye(96, dtype=complex)))
        energies = np.sort(-np.angle(np.linalg.eigvals(frame)) / dt)[:6]
        return float(np.linalg.norm(energies - exactly))

    for scheme, order in (("strang", 2), ("takahashi-imada", 4)):
        slope = np.log2(error(scheme, 0.025) / error(scheme, 0.0125))
        assert slope == pytest.approx(order, abs=0.03), scheme


def test_the_double_commutator_between_channels_is_the_one_of_matrices() -> None:
    """On plane waves that the grid resolves: V'^2 / m less the part with the momentum."""
    n, mass = 64, 2.0
    grid = Grid(n, 10.0, "continuum", mass=mass)
    v = np.asarray(matrices(grid, 2))
    square, angle = schemes.between_channels(grid, jnp.asarray(v))
    waves = np.exp(2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n) / np.sqrt(n)
    k = grid.wavenumbers()

    def blocks(f: np.ndarray) -> np.ndarray:
        return np.block([[np.diag(f[i, j]) for j in range(2)] for i in range(2)])

    def of_momentum(f: np.ndarray) -> np.ndarray:
        return np.kron(np.eye(2), (waves * f) @ waves.conj().T)

    T, V, P = of_momentum(k**2 / (2 * mass)), blocks(v), of_momentum(k)
    commutator = T @ V - V @ T
    double = V @ commutator - commutator @ V
    # The slope of the angle, by the spectral derivative; it is periodic but for its jump.
    slope = np.gradient(np.asarray(angle), grid.dx[0], axis=-1)
    K = blocks(slope)
    made = blocks(np.asarray(square)) - (P @ K + K @ P) / (2 * mass)
    packet = np.exp(-((np.asarray(grid.positions()) - 5) ** 2) / 2 + 1j * np.arange(n) * 0.2)
    both = np.concatenate([packet, 0.5j * packet])
    # The gradient above is of second order only, of a slope that varies over a bohr.
    np.testing.assert_allclose(made @ both, double @ both, atol=0.05 * abs(double @ both).max())


@pytest.mark.parametrize("shape", [(16,), (6, 8)])
def test_on_a_lattice_the_double_commutator_is_a_hopping(shape: tuple[int, ...]) -> None:
    masses = (1.0, 2.0)[: len(shape)]
    grid = Grid(shape, tuple(0.5 * n for n in shape), mass=masses)
    rng = np.random.default_rng(0)
    v = rng.normal(size=shape)
    T = np.zeros((1, 1))
    for n, mass in zip(shape, masses, strict=True):
        line = exact.hamiltonian(Grid(n, 0.5 * n, mass=mass), np.zeros(n))
        T = np.kron(T, np.eye(n)) + np.kron(np.eye(len(T)), line)
    V = np.diag(v.ravel())
    commutator = V @ T - T @ V
    double = V @ (-commutator) - (-commutator) @ V
    # Symmetric, so of third order in the exponent.
    errors = []
    for scale in (1e-2, 1e-3):
        hop = schemes.hops(grid, jnp.asarray(v), scale)
        made = np.stack([np.asarray(hop(jnp.asarray(row.reshape(shape)))).ravel()
                         for row in np.eye(v.size, dtype=complex)], axis=1)  # fmt: skip
        np.testing.assert_allclose(made.conj().T @ made, np.eye(v.size), atol=1e-13)
        errors.append(np.abs(made - scipy.linalg.expm(-1j * scale * double)).max())
    assert np.log10(errors[0] / errors[1]) == pytest.approx(3, abs=0.1)


def test_on_the_continuum_the_double_commutator_is_the_square_of_the_gradient() -> None:
    grid = Grid((32, 24), (8.0, 6.0), "continuum", mass=(1.0, 2.0))
    x, y = grid.positions(), grid.positions(1)
    kx, ky = 2 * np.pi / 8, 2 * np.pi / 6
    v = jnp.sin(kx * x) * jnp.cos(2 * ky * y)
    along_x = kx * jnp.cos(kx * x) * jnp.cos(2 * ky * y)
    along_y = -2 * ky * jnp.sin(kx * x) * jnp.sin(2 * ky * y)
    expected = along_x**2 + along_y**2 / 2
    np.testing.assert_allclose(schemes.square_of_gradient(grid, v), expected, atol=1e-12)


def test_smoothing_is_a_gaussian() -> None:
    grid = Grid(64, 10.0)
    wave = jnp.cos(2 * jnp.pi * 3 * grid.positions() / 10)
    factor = np.exp(-0.5 * (0.4 * 2 * np.pi * 3 / 10) ** 2)
    np.testing.assert_allclose(schemes.smooth(grid, wave, 0.4), factor * wave, atol=1e-14)
    assert schemes.smooth(grid, wave, 0.0) is wave


@both_dispersions
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_is_unitary_and_reversible(scheme: str, dispersion: str) -> None:
    grid = box(dispersion)
    v, psi = hill(grid), packets.gaussian(grid, 7.0, 1.0, 2.0)
    there = evolve(split_step(System(grid, 0.2), 10, scheme=scheme), v, psi, 3)
    back = evolve(split_step(System(grid, -0.2), 10, scheme=scheme), v, there, 3)
    assert np.linalg.norm(there) == pytest.approx(np.linalg.norm(psi), rel=1e-12)
    np.testing.assert_allclose(back, psi, atol=1e-12)


@pytest.mark.parametrize(
    ("coefficients", "message"),
    [
        (dict(kicks=(0.3, 0.7), drifts=(1.0,)), "`kicks` must be the same from either end"),
        (dict(kicks=(0.5, 0.5), drifts=(0.9,)), "`drifts` must be coefficients with the sum 1"),
        (dict(kicks=(1.0,), drifts=(1.0,)), "`kicks` must be 2 numbers, one more than drifts"),
        (
            dict(kicks=(0.5, 0.5), drifts=(1.0,), gradients=(0.1,)),
            "`gradients` must be 2 numbers, one for each kick",
        ),
        (dict(kicks=(0.5, 0.5), drifts=(1.0,), smoothing=-1.0), "`smoothing` must be a length"),
        (dict(kicks=(np.nan, np.nan), drifts=(1.0,)), "`kicks` must be finite"),
    ],
)
def test_coefficients_that_do_not_fit_are_refused(coefficients: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scheme(**coefficients)


class Driven(System):
    is_autonomous = False


def test_schemes_are_refused_where_they_do_not_apply() -> None:
    with pytest.raises(ValueError, match="`scheme` must be one of 'strang', 'takahashi-imada'"):
        split_step(System(box()), 10, scheme="chinn")
    with pytest.raises(ValueError, match="'strang' for a driven or nonlinear system"):
        split_step(Driven(box()), 10, scheme="chin")
    with pytest.raises(ValueError, match="one without gradients for channels that are not Herm"):
        split_step(System(box(), n_channel=2), 10, scheme="chin")
    plane = System(Grid((8, 8), (4.0, 4.0), "continuum"), n_channel=2)
    with pytest.raises(ValueError, match="one without gradients for channels that are not Herm"):
        split_step(plane, 10, scheme="takahashi-imada")
    with pytest.raises(ValueError, match="one without gradients on a lattice of odd size"):
        split_step(System(Grid(63, 10.0)), 10, scheme="takahashi-imada")
    assert split_step(System(box(), n_channel=2), 10, scheme="blanes-moan").scheme.n_pairs == 6
