"""Search for mirrors, shifts, turns, exchanges and time reversal; the exact solver decides."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.insight import discovery
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.physics.hamiltonian import hamiltonian
from qdistill.system import Propagator, Step, System
from qdistill.teacher import chebyshev, split_step

GRID = Grid(128, 32.0, "continuum", origin=-16.0)
SYSTEM = System(GRID, dt=0.3, bounds=(-6.0, 6.0))
SOLVER = chebyshev(SYSTEM, 1e-7)
FAMILIES = discovery.make_families(SYSTEM)
X = np.asarray(GRID.positions(), float)
N_FRAME = 10


def along(grid: Grid, reach: float, n_packet: int = 4, fastest: float = 2.0) -> jax.Array:
    rng = np.random.default_rng(0)
    ranges = ((-reach, reach), (0.8, 1.4), (-fastest, fastest))
    drawn = [rng.uniform(*r, (n_packet, grid.n_dim)) for r in ranges]
    make = jax.vmap(lambda c, w, k: packets.gaussian(grid, tuple(c), tuple(w), tuple(k)))
    return make(*(jnp.asarray(each, float) for each in drawn))[:, None]


def found(name: str, v: np.ndarray, solver: Propagator = SOLVER) -> discovery.Found:
    evolve = discovery.follow(solver, jnp.asarray(v, float), N_FRAME)
    return discovery.find_symmetries(FAMILIES[name], evolve, along(GRID, 5.0))


def test_a_mirror_is_found_between_the_points_of_the_grid() -> None:
    at = found("mirror", -4 * np.exp(-((X - 0.7071) ** 2) / 8))
    assert at.n_found == 1
    assert at.parameters[0, 0] == pytest.approx(0.7071, abs=1e-3)
    # Rounding of single precision.
    assert at.violations[0] < 1e-4
    assert np.median(at.spread) > 0.1


def test_a_broken_mirror_is_lost() -> None:
    broken = -4 * np.exp(-(X**2) / 8) * (1 + 0.3 * np.tanh(X))
    assert found("mirror", broken).n_found == 0
    assert found("shift", broken).n_found == 0
    assert found("time reversal", broken).n_found == 1


def test_the_period_of_a_lattice_is_found_with_its_mirrors() -> None:
    period = 32 / 7
    lattice = 2 * np.cos(2 * np.pi * (X - 0.3) / period)
    at = found("shift", lattice)
    # On the ring there are three different shifts, and their inverses.
    assert at.n_found == 3
    found_period = discovery.find_period(at.parameters[:3, 0])
    assert found_period == pytest.approx(period, abs=1e-3)
    mirrors = found("mirror", lattice)
    # One at each maximum, which on a ring of odd length is one at a minimum elsewhere.
    assert mirrors.n_found == 7
    places = (mirrors.parameters[:7, 0] - 0.3) / (period / 2)
    np.testing.assert_allclose(places, np.round(places), atol=1e-3)


def test_empty_space_has_all_shifts_and_mirrors() -> None:
    for name in ("shift", "mirror", "time reversal and mirror"):
        at = found(name, 0 * X)
        assert at.is_whole
        assert at.n_found == 0


@pytest.mark.parametrize(("centre", "n_found"), [(0.7071, 0), (0.2, 1)], ids=["here", "elsewhere"])
def test_a_mirror_that_all_packets_have_is_not_decided(centre: float, n_found: int) -> None:
    """The potential has one mirror, there or elsewhere; the packets cannot tell."""
    pairs = [
        packets.gaussian(GRID, 0.7071 + x, 1.2, k) + packets.gaussian(GRID, 0.7071 - x, 1.2, -k)
        for x, k in ((3.0, 1.0), (1.5, -1.5))
    ]
    psi = jnp.stack(pairs)[:, None]
    well = jnp.asarray(-4 * np.exp(-((X - centre) ** 2) / 8), float)
    evolve = discovery.follow(SOLVER, well, N_FRAME)
    at = discovery.find_symmetries(FAMILIES["mirror"], evolve, psi)
    assert at.n_found == n_found
    np.testing.assert_allclose(at.undecided, [[0.7071]], atol=1e-3)
    np.testing.assert_allclose(at.parameters[:n_found, 0], [centre] * n_found, atol=1e-3)
    # Nothing is moved by no shift, which is no candidate.
    assert discovery.find_symmetries(FAMILIES["shift"], evolve, psi).undecided.shape == (0, 1)
    # Real packets are their own images in time.
    reverse, real = FAMILIES["time reversal"], jnp.abs(psi).astype(psi.dtype)
    assert discovery.find_symmetries(reverse, evolve, psi).n_found == 1
    at = discovery.find_symmetries(reverse, evolve, real)
    assert (at.n_found, at.undecided.shape) == (0, (1, 0))


class Absorbed(System):
    """A system with an absorber where V is high."""

    is_hermitian = False

    def local(self, v: jax.Array, t: object, psi: object) -> jax.Array:
        del t, psi
        return v - 0.2j * jnp.exp(-(jnp.asarray(X, v.dtype) ** 2))


def test_an_absorber_loses_time_reversal_and_keeps_the_mirror() -> None:
    leaky = split_step(Absorbed(GRID, dt=0.3), 16)
    well = -4 * np.exp(-(X**2) / 8)
    assert found("time reversal", well, leaky).n_found == 0
    assert found("time reversal and mirror", well, leaky).n_found == 0
    assert found("mirror", well, leaky).n_found == 1
    # A real potential keeps it.
    assert found("time reversal", well).n_found == 1


def coupled(phase: np.ndarray) -> np.ndarray:
    """Two channels that are coupled, with a phase of the coupling."""
    coupling = 0.8 * np.exp(-(X**2) / 8) * np.exp(1j * phase)
    bend = 0.5 * np.tanh(X / 2)
    return np.array([[bend + 0j, coupling], [coupling.conj(), -bend + 0.4 * np.exp(-(X**2))]])


@pytest.mark.parametrize(
    ("phase", "kept"),
    [
        (0.0 * X, {"time reversal", "time reversal and phase"}),
        (0.0 * X + 0.6, {"time reversal and phase"}),
        (0.7 * X, set()),
    ],
    ids=["real", "constant phase", "phase that turns"],
)
def test_a_complex_coupling_loses_plain_time_reversal(phase: np.ndarray, kept: set[str]) -> None:
    system = System(GRID, dt=0.3, n_channel=2, bounds=(-3.0, 3.0))
    one = along(GRID, 3.0)
    psi = jnp.stack([one, 0.5 * jnp.roll(one, 7, -1) * (1 + 0.3j)], axis=2)
    v = jnp.asarray(coupled(phase), complex)
    evolve = discovery.follow(chebyshev(system, 1e-7), v, N_FRAME)
    families = discovery.make_families(system)
    names = [name for name in families if name.startswith("time reversal")]
    at = {name: discovery.find_symmetries(families[name], evolve, psi) for name in names}
    assert {name for name in names if at[name].n_found} == kept
    if "time reversal and phase" in kept:
        # With the phase twice that of the coupling, up to the sign.
        angle = at["time reversal and phase"].parameters[0, 0]
        assert abs(angle) == pytest.approx(2 * phase[0], abs=1e-3)


def test_a_turning_phase_and_even_potentials_keep_time_reversal_with_a_mirror() -> None:
    system = System(GRID, dt=0.3, n_channel=2, bounds=(-3.0, 3.0))
    one = along(GRID, 3.0)
    psi = jnp.stack([one, 0.5 * jnp.roll(one, 7, -1)], axis=2)
    v = coupled(0.7 * (X - 0.4))
    even = np.exp(-((X - 0.4) ** 2) / 8)
    v[0, 0], v[1, 1] = 0.5 * even, -even
    v[0, 1], v[1, 0] = v[0, 1] / np.abs(v[0, 1]) * even, v[1, 0] / np.abs(v[1, 0]) * even
    evolve = discovery.follow(chebyshev(system, 1e-7), jnp.asarray(v, complex), N_FRAME)
    families = discovery.make_families(system)
    both = discovery.find_symmetries(families["time reversal and mirror"], evolve, psi)
    assert both.n_found == 1
    assert both.parameters[0, 0] == pytest.approx(0.4, abs=1e-3)
    for name in ("time reversal", "mirror"):
        assert discovery.find_symmetries(families[name], evolve, psi).n_found == 0


def test_turns_and_exchanges_of_a_plane() -> None:
    grid = Grid((24, 24), (12.0, 12.0), "continuum", origin=(-6.0, -5.0))
    system = System(grid, dt=0.4, bounds=(-5.0, 5.0))
    x, y = (np.asarray(grid.positions(axis), float) for axis in (0, 1))
    x, y = x - 0.4, y - 1.3
    families = discovery.make_families(system, step=1.2)
    # Slow packets, so that few places have to be scanned.
    psi = along(grid, 1.5, 2, 1.0)
    square = -4 * np.exp(-(x**4 + y**4) / 20)
    # The same with a handle that turns keep and mirrors do not.
    wheel = square * (1 + 0.3 * x * y * (x**2 - y**2) * np.exp(-(x**2 + y**2) / 3))
    names = ("mirror x", "exchange of axes", "quarter turn")
    for v, counts in ((square, (1, 1, 1)), (wheel, (0, 0, 1))):
        evolve = discovery.follow(chebyshev(system, 1e-6), jnp.asarray(v, float), 3)
        at = {name: discovery.find_symmetries(families[name], evolve, psi) for name in names}
        assert tuple(at[name].n_found for name in names) == counts
        np.testing.assert_allclose(at["quarter turn"].parameters[0], (0.4, 1.3), atol=5e-3)
        if at["exchange of axes"].n_found:
            diagonal = at["exchange of axes"].parameters[0, 0]
            assert diagonal == pytest.approx(0.9, abs=5e-3)


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_a_threefold_turn_and_its_three_mirrors_are_found_unless_a_force_breaks_them(
    slope: float,
) -> None:
    grid = Grid((40, 40), (20.0, 20.0), "continuum", origin=(-10.0, -9.0))
    system = System(grid, dt=0.5, bounds=(-10.0, 10.0))
    centre, tilt = (0.4, 1.3), 0.2
    x, y = (np.asarray(grid.positions(axis), float) - centre[axis] for axis in (0, 1))
    x, y = np.cos(tilt) * x + np.sin(tilt) * y, np.cos(tilt) * y - np.sin(tilt) * x
    shape = 1 + 0.12 * (x**2 * y - y**3 / 3) + slope * x
    v = -4 * shape * np.exp(-(x**2 + y**2) / 8)
    families = discovery.make_families(system, 0.8, centre)
    psi = along(grid, 2.0, 3, 1.0)
    evolve = discovery.follow(chebyshev(system, 1e-6), jnp.asarray(v, float), 4)
    turns, lines = (
        discovery.find_symmetries(families[name], evolve, psi) for name in ("turn", "mirror line")
    )
    if slope:
        assert (turns.n_found, lines.n_found) == (0, 0)
        return
    np.testing.assert_allclose(turns.parameters[: turns.n_found, 0], [2 * np.pi / 3], atol=2e-3)
    at = np.sort(lines.parameters[: lines.n_found, 0])
    np.testing.assert_allclose(at, tilt + np.pi * np.array([1, 3, 5]) / 6, atol=2e-3)


def test_a_turn_moves_a_packet_about_its_centre() -> None:
    grid, centre = Grid((64, 64), (24.0, 24.0), "continuum", origin=(-12.0, -11.0)), (0.4, 1.3)
    families = discovery.make_families(System(grid), about=centre)
    place, speed = np.array([2.0, 0.5]), np.array([1.0, -0.5])

    def packet(place: np.ndarray, speed: np.ndarray) -> jax.Array:
        return packets.gaussian(grid, tuple(centre + place), (1.3, 1.3), tuple(speed))

    psi = packet(place, speed)
    for angle in (0.3, 1.9, np.pi, 6.0):
        (c, s), (cc, ss) = ((np.cos(a), np.sin(a)) for a in (angle, 2 * angle))
        turn, mirror = np.array([[c, -s], [s, c]]), np.array([[cc, ss], [ss, -cc]])
        for name, matrix in (("turn", turn), ("mirror line", mirror)):
            moved = families[name].operate(psi, jnp.asarray([angle]))
            np.testing.assert_allclose(moved, packet(matrix @ place, matrix @ speed), atol=1e-4)


def test_reflections_are_operators_of_a_dictionary() -> None:
    even = jnp.asarray(-4 * np.exp(-((X - 0.7) ** 2) / 8), float)
    psi, more = along(GRID, 5.0, 12), discovery.make_reflections(SYSTEM, (0.7,))
    for v, about, charges in (
        (even, 0.7, ["T + V", "mirror"]),
        (even, 0.0, ["T + V"]),
        (even * (1 + 0.3 * np.tanh(X)), 0.7, ["T + V"]),
    ):
        later = [discovery.follow(SOLVER, v, n)(psi)[:, 0] for n in (4, 8, 12, 16)]
        frames = np.stack([psi[:, 0], *later])
        more = discovery.make_reflections(SYSTEM, (about,))
        dictionary = discovery.make_dictionary(SYSTEM, v, 2, more)
        numbers = discovery.measure(dictionary, frames, GRID.cell)
        found = discovery.find_charges(list(dictionary), numbers)
        assert sorted(str(found).splitlines()) == sorted(charges)


def test_axes_of_particles_and_of_a_plane_are_exchanged() -> None:
    grid = Grid((32, 32), (16.0, 16.0), "continuum", origin=(-8.0, -7.0))
    reflect = discovery.make_reflections(System(grid), (0.5, 1.5))
    assert list(reflect) == ["mirror x", "mirror y", "exchange x y"]
    psi = packets.gaussian(grid, (1.0, 2.5), (0.8, 1.1), (0.4, -0.2))
    wanted = packets.gaussian(grid, (1.5, 2.0), (1.1, 0.8), (-0.2, 0.4))
    np.testing.assert_allclose(reflect["exchange x y"](psi), wanted, atol=1e-5)
    np.testing.assert_allclose(
        reflect["mirror x"](psi),
        packets.gaussian(grid, (0.0, 2.5), (0.8, 1.1), (-0.4, -0.2)),
        atol=1e-5,
    )
    with pytest.raises(ValueError, match="`about` must be in the box"):
        discovery.make_reflections(System(grid), (0.5, 100.0))
    with pytest.raises(ValueError, match="`about` must be None except in a plane"):
        discovery.make_families(SYSTEM, about=(0.0,))
    # Axes of different lengths are not exchanged.
    other = Grid((32, 16), (16.0, 8.0), "continuum")
    assert list(discovery.make_reflections(System(other), (8.0, 4.0))) == ["mirror x", "mirror y"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Leapfrog:
    """A propagator that needs two given frames; it is reversible whatever its step is."""

    system: System = dataclasses.field(metadata={"static": True})
    n_history = 2
    is_linear = is_differentiable = True
    is_unitary = False

    def __call__(self, v: jax.Array) -> Step:
        h = hamiltonian(self.system.grid, v)
        dt = self.system.dt
        return Step(
            lambda frames, n: (frames[0], frames[1]),
            lambda state: (state[1], state[0] - 2j * dt * h(state[1])),
            lambda state: state[1],
        )


def test_time_reversal_is_found_with_a_history_of_frames() -> None:
    grid = Grid(64, 32.0, "continuum", origin=-16.0)
    system = System(grid, dt=0.03)
    x = np.asarray(grid.positions(), float)
    psi = along(grid, 4.0, 2, 1.0)
    step = np.exp(-1j * 0.03 * grid.kinetic_energy())
    frames = jnp.concatenate([psi, jnp.fft.ifft(step[None, None] * jnp.fft.fft(psi))], axis=1)
    frames = frames.astype(psi.dtype)
    v = jnp.asarray(-2 * np.exp(-((x - 0.3) ** 2) / 8), float)
    families = discovery.make_families(system, 1.0)
    evolve = discovery.follow(Leapfrog(system), v, 40)
    for name in ("mirror", "time reversal"):
        at = discovery.find_symmetries(families[name], evolve, frames)
        assert at.n_found == 1
        assert at.violations[0] < 1e-3


def test_a_move_is_exact_for_waves() -> None:
    with jax.enable_x64(True):
        k = 2 * np.pi * 3 / 32
        wave = jnp.exp(1j * k * GRID.positions())
        moved = discovery.move(GRID, wave, 0, 0.123)
        np.testing.assert_allclose(moved, wave * np.exp(-1j * k * 0.123), atol=1e-12)
        mirrored = discovery.move(GRID, wave, 0, 0.246, is_mirror=True)
        np.testing.assert_allclose(mirrored, np.exp(1j * k * (0.246 - X)), atol=1e-12)


def test_what_cannot_be_searched_is_refused() -> None:
    evolve = discovery.follow(SOLVER, jnp.zeros(128), 1)
    psi = along(GRID, 5.0)
    family = FAMILIES["mirror"]
    with pytest.raises(ValueError, match="Argument `n_packet` must be at least 2"):
        discovery.find_symmetries(family, evolve, psi[:1])
    with pytest.raises(ValueError, match="Argument `frames` must be packets that move"):
        discovery.find_symmetries(family, np.asarray, psi)
    with pytest.raises(ValueError, match="Argument `evolve` must be an evolution whose frames"):
        discovery.find_symmetries(family, lambda frames: np.nan * np.asarray(frames), psi)
    with pytest.raises(ValueError, match="Argument `n_frames`"):
        discovery.follow(SOLVER, jnp.zeros(128), 0)
    empty = family._replace(scanned=(np.zeros(0),))
    with pytest.raises(ValueError, match="Argument `scanned`"):
        discovery.find_symmetries(empty, evolve, psi)


RETURNED = {
    "fewer points": lambda frames: frames[..., :-1],
    "fewer packets": lambda frames: frames[:1],
    "another frame": lambda frames: np.concatenate([frames, frames], axis=1),
    "no history": lambda frames: frames[:, -1],
    "real numbers": lambda frames: np.abs(frames),
    "nothing": lambda frames: None,
    "a list": lambda frames: frames.tolist(),
}


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize("what", RETURNED)
def test_an_evolution_that_returns_something_else_is_refused(what: str) -> None:
    psi = np.asarray(along(GRID, 5.0))
    words = r"`evolve` must be a function that returns later frames, complex numbers of shape \("
    with pytest.raises(ValueError, match=words):
        discovery.find_symmetries(FAMILIES["mirror"], RETURNED[what], psi)
    with pytest.raises(ValueError, match=words):
        discovery.advance(psi[None, :, 0], RETURNED[what])


@pytest.mark.usefixtures("without_checker")
def test_what_does_not_fit_the_system_is_refused_at_once() -> None:
    psi = np.asarray(along(GRID, 5.0))
    for v, words in (
        (np.zeros(127), r"`v` must be of shape \(128,\)"),
        (np.full(128, np.nan), "`v` must be finite, but is not in 128 of 128 entries"),
        ([0.0] * 128, "`v` must be an array of real"),
        ("0*x", "`v` must be an array of real"),
        (None, "`v` must be an array of real"),
    ):
        with pytest.raises(ValueError, match=words):
            discovery.follow(SOLVER, v, 1)
    evolve = discovery.follow(SOLVER, jnp.zeros(128), 1)
    of_frames = r"`frames` must be of shape \(n_packet, n_given, 128\)"
    for frames, words in (
        (psi[..., :-1], of_frames),
        (psi[:, 0], of_frames),
        (psi[:0], of_frames),
        (np.concatenate([psi, psi], axis=1), "`frames` must be 1 to 1 given frames"),
    ):
        with pytest.raises(ValueError, match=words):
            evolve(frames)
    mirror = FAMILIES["mirror"]
    families: list[tuple[Any, str]] = [
        (mirror._replace(operate=lambda psi, c: psi[:3]), "`family.operate` must be a function th"),
        (mirror._replace(scanned=(np.array([0, np.nan]),)), r"`scanned\[0\]` must be finite"),
        ((mirror.operate, np.zeros(2), False), "`family` must be Family"),
    ]
    for family, words in families:
        with pytest.raises(ValueError, match=words):
            discovery.find_symmetries(family, evolve, psi)
    with pytest.raises(ValueError, match="`frames` must be an array of complex numbers"):
        discovery.find_symmetries(mirror, evolve, psi.real)


@pytest.mark.parametrize("by", [np.nan, np.inf])
def test_a_move_to_nowhere_is_refused(by: float) -> None:
    grid = Grid(8, 4.0)
    with pytest.raises(ValueError, match="Argument `by` must be finite"):
        discovery.move(grid, jnp.ones(8) + 0j, 0, by)
