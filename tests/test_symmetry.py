"""What holds is found to hold, what is broken is caught, and by the symmetry that should catch it.

Most tests stand on a continuum of 128 points with smooth packets and potentials, band-limited
to rounding, in float64: there the exact solver has every symmetry of the table.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import exact as closed_forms
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from planted import Planted

from qdistill import teacher
from qdistill.forecast.cases import Cases
from qdistill.insight import harness, symmetries
from qdistill.insight.symmetries import claims, make_symmetries
from qdistill.physics import observables, packets, potentials
from qdistill.physics.grid import Grid
from qdistill.students import WindowConfig, WindowedConfig
from qdistill.system import Propagator, System

N_FRAMES, BOUNDS = 10, (-3.0, 6.0)
SYSTEM = System(Grid(128, 32.0, "continuum"), 0.1, bounds=BOUNDS)
LATTICE = dataclasses.replace(SYSTEM, grid=Grid(128, 32.0, "lattice"))
GRID = SYSTEM.grid
SYMMETRIES = make_symmetries(GRID)
# What the packets have beyond the band limit makes 1e-9; what is planted makes 1e-4 and more.
NOTHING, SOMETHING = 1e-8, 1e-5


@pytest.fixture
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def bump(grid: Grid, centre: float, width: float) -> Array:
    return jnp.exp(-((grid.positions() - centre) ** 2) / (2 * width**2))


def make_cases(solver: teacher.Chebyshev, n_given: int = 1, is_sharp: bool = False) -> Cases:
    """Two pairs of packets that meet a lopsided potential."""
    grid = solver.system.grid
    # At the edge of the box their amplitude is 1e-12 of that in the middle.
    packet = functools.partial(packets.gaussian, grid)
    psi = jnp.stack(
        [
            jnp.stack([packet(14.5, 1.1, 1.5), packet(17.5, 1.0, -1.2)]),
            jnp.stack([packet(16.5, 1.2, -1.0), packet(14.5, 1.1, 0.5)]),
        ]
    )
    v = 2 * bump(grid, 15.0, 1.0) + bump(grid, 18.0, 1.4)
    v = jnp.stack([v, 1.5 * bump(grid, 15.0, 1.2) - 2 * bump(grid, 18.0, 1.0)])
    if is_sharp:
        x = grid.positions()
        v = jnp.stack([potentials.barrier(x, 2.0, 3.0, c) for c in (14.0, 17.0)])
    past = jax.vmap(lambda p, v: harness.recall(solver, p, v, n_given), (0, None))
    given = jax.jit(jax.vmap(past))(psi, v)
    return symmetries.solve_pairs(solver, symmetries.Starts(given, v, ("own",) * 2), N_FRAMES)


def exactly(system: System = SYSTEM, tolerance: float = 1e-13) -> teacher.Chebyshev:
    return teacher.chebyshev(system, tolerance)


def measured(
    propagator: Propagator,
    solver: teacher.Chebyshev | None = None,
    is_sharp: bool = False,
    **options: Any,
) -> dict[str, symmetries.Findings]:
    """Findings next to an exact solver, by default that of the continuum in double precision."""
    solver = solver or exactly()
    cases = make_cases(solver, propagator.n_history, is_sharp)
    return symmetries.measure_all(propagator, solver, cases, **{"symmetries": SYMMETRIES} | options)


def caught(findings: dict[str, symmetries.Findings]) -> set[str]:
    """The symmetries that are broken; every other holds to rounding, in every case."""
    broken = set()
    for name, found in findings.items():
        violation = np.asarray(found.claim.own)
        assert np.all(violation < NOTHING) or np.all(violation > SOMETHING), (name, violation)
        if violation[0] > SOMETHING:
            broken.add(name)
    return broken


# The exact solver ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("double_precision")
def test_exact_solver_has_every_symmetry_and_every_control_fires() -> None:
    findings = measured(exactly())
    assert set(findings) == set(SYMMETRIES)
    assert caught(findings) == set()
    for name, found in findings.items():
        assert np.all(np.asarray(found.control.own) > 5e-3), name
        np.testing.assert_array_equal(found.control.own, found.control.exact)
        if found.lie is not None:
            assert np.all(np.asarray(found.lie) < NOTHING), name
    assert {name for name, found in findings.items() if found.lie is not None} == {
        "superposition", "scaling", "global phase", "translation, fractions", "constant in V",
    }  # fmt: skip


def test_exact_solver_has_them_to_the_rounding_of_single_precision() -> None:
    solver = exactly(tolerance=1e-7)
    noise = harness.rounding(N_FRAMES)
    assert noise < 1e-5
    for name, row in symmetries.summarise([measured(solver, solver)], noise).items():
        assert row["verdict"] == "holds", name
        assert row["control_fires"], name


@pytest.mark.usefixtures("double_precision")
def test_the_lattice_breaks_boosts_and_sharp_edges_break_fractional_translations() -> None:
    lattice = exactly(LATTICE)
    assert caught(measured(lattice, lattice, with_lie=False)) == {"Galilean boost"}
    findings = measured(lattice, lattice, is_sharp=True)
    assert caught(findings) == {"Galilean boost", "translation, fractions"}
    assert np.all(np.asarray(findings["translation, fractions"].lie) > 1e-4)
    rows = symmetries.summarise([findings], NOTHING)
    assert rows["Galilean boost"]["verdict"] == "as the teacher"
    assert rows["mirror"]["verdict"] == "holds"


@pytest.mark.usefixtures("double_precision")
def test_an_exact_student_that_uses_its_history_has_every_symmetry() -> None:
    def from_newest_and_oldest(v: Array) -> Callable[[Array], Array]:
        step = exactly()(v).advance

        def advance(history: Array) -> Array:
            from_oldest = step(step(step(step(history[0]))))
            return jnp.concatenate([history[1:], (step(history[3]) + from_oldest)[None] / 2])

        return advance

    assert caught(measured(Planted(SYSTEM, from_newest_and_oldest, 4))) == set()


def test_a_gated_recurrent_unit_has_what_is_built_in_and_composition_is_put_to_the_test() -> None:
    form = WindowedConfig("gru", n_units=8, windows=WindowConfig(gauge=True, floor=1e-6))
    gru = form.build(SYSTEM)
    emulator = gru.bind(jax.jit(gru.init)(jax.random.key(0)))
    assert not emulator.is_differentiable
    solver = exactly(tolerance=1e-7)
    cases = make_cases(solver, 4)
    cases = dataclasses.replace(cases, frames=cases.frames[:, :2])
    found = symmetries.measure_all(emulator, solver, cases, SYMMETRIES, with_lie=False)
    rows = symmetries.summarise([found], harness.rounding(2))
    for name in ("global phase", "translation, whole cells"):
        assert rows[name]["verdict"] == "holds", name
    for name in ("superposition", "mirror", "time reversal", "inner products", "composition"):
        assert rows[name]["verdict"] in harness.BY_RATIO, name
        assert "lie_derivative" not in rows[name]


# Planted truths -----------------------------------------------------------------------------------

Kick = Callable[[Array, Array], Array]
SIZE = 0.02


def sandwich(half: Kick) -> Planted:
    """The exact frame between two halves of something else: reversible where that is."""

    def make(v: Array) -> Callable[[Array], Array]:
        step = exactly()(v).advance
        return lambda psi: half(v, step(half(v, psi)))

    return Planted(SYSTEM, make)


def phases_of_k(psi: Array, phase: np.ndarray) -> Array:
    return jnp.fft.ifft(jnp.exp(-1j * phase) * jnp.fft.fft(psi))


def kick(phase: Callable[[Array, Array], Array]) -> Kick:
    return lambda v, psi: jnp.exp(-1j * phase(v, psi)) * psi


def with_memory(v: Array) -> Callable[[Array], Array]:
    """Part of the next frame comes from the frame before, with a phase that is wrong."""
    step = exactly()(v).advance

    def advance(history: Array) -> Array:
        mixed = 0.7 * history[1] + 0.3 * np.exp(-0.2j) * step(history[0])
        return jnp.stack([history[1], step(mixed)])

    return advance


K, X = GRID.wavenumbers(), np.arange(1, 129) * 0.25
PLANTED: dict[str, tuple[Propagator, set[str]]] = {
    "a wrong mass": (
        sandwich(lambda v, psi: phases_of_k(psi, SIZE * SYSTEM.dt * K**2 / 2)),
        {"Galilean boost", "energy"},
    ),
    "the dispersion of a lattice": (exactly(LATTICE), {"Galilean boost", "energy"}),
    "a drift": (
        sandwich(lambda v, psi: phases_of_k(psi, SIZE * K)),
        {"mirror", "time reversal", "Galilean boost", "energy"},
    ),
    "a potential seen aslant": (
        sandwich(kick(lambda v, psi: SIZE * (jnp.roll(v, -1) - jnp.roll(v, 1)))),
        {"mirror", "energy"},
    ),
    "an absorber": (
        sandwich(lambda v, psi: (1 - SIZE * SYSTEM.dt) * psi),
        {"time reversal", "inner products"},
    ),
    "a nonlinear term": (
        sandwich(kick(lambda v, psi: SIZE * jnp.abs(psi) ** 2)),
        {"superposition", "scaling", "inner products", "energy"},
    ),
    "the constant in V": (
        sandwich(kick(lambda v, psi: SIZE * SYSTEM.dt * v**2)),
        {"constant in V", "energy"},
    ),
    # Symmetric about the mirror's axis.
    "a sense of place": (
        sandwich(kick(lambda v, psi: jnp.asarray(SIZE * np.cos(2 * np.pi * (X - 16.125) / 32)))),
        {"translation, whole cells", "translation, fractions", "Galilean boost", "energy"},
    ),
    "a sense of phase": (
        sandwich(lambda v, psi: np.cosh(SIZE) * psi + 1j * np.sinh(SIZE) * jnp.conj(psi)),
        {
            "superposition", "global phase", "constant in V", "Galilean boost", "inner products",
            "energy",
        },
    ),
    "memory": (Planted(SYSTEM, with_memory, 2), {"composition", "time reversal", "inner products"}),
}  # fmt: skip


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_caught_by_what_should_catch_it_and_by_nothing_else(name: str) -> None:
    propagator, expected = PLANTED[name]
    findings = measured(propagator)
    assert caught(findings) == expected
    rows = symmetries.summarise([findings], NOTHING)
    for symmetry_name, row in rows.items():
        assert (row["verdict"] != "holds") == (symmetry_name in expected)
        if "lie_derivative" in row:
            lie = row["lie_derivative"]["median"]
            assert (lie > SOMETHING) == (symmetry_name in expected), symmetry_name


# Symmetry apart from accuracy ---------------------------------------------------------------------


def noisy(noise: Callable[[Array], Array]) -> dict[str, symmetries.Findings]:
    """Findings on a propagator that is exact but for what is added to each frame."""
    solver = exactly(tolerance=1e-7)

    def make(v: Array) -> Callable[[Array], Array]:
        step = solver(v).advance
        return lambda psi: step(psi) + noise(psi)

    return measured(Planted(SYSTEM, make), solver, with_lie=False)


def test_rho_of_errors_without_symmetry_is_that_of_independent_ones() -> None:
    frequencies = jax.random.normal(jax.random.key(0), (2, 128)) * 300

    def scrambled(psi: Array) -> Array:
        """Of one size, and of a phase that depends on psi as wildly as chance."""
        angle = frequencies[0] * jnp.sum(psi.real * frequencies[1])
        return 1e-3 * jnp.exp(1j * angle)

    rows = symmetries.summarise([noisy(scrambled)], harness.rounding(N_FRAMES))
    for name in ("superposition", "global phase", "mirror", "translation, whole cells"):
        assert 0.5 < rows[name]["rho"]["median"] < 0.85, name
        assert rows[name]["verdict"] == "as accurate", name


def test_rho_of_errors_with_a_symmetry_is_small_where_they_have_it() -> None:
    rows = symmetries.summarise(
        [noisy(lambda psi: 1e-2 * jnp.abs(psi) ** 2 * psi)], harness.rounding(N_FRAMES)
    )
    for name in ("global phase", "mirror", "translation, whole cells"):
        assert rows[name]["rho"]["high"] < 0.01, name
        assert rows[name]["verdict"] == "holds", name
    assert rows["scaling"]["rho"]["median"] > 0.2
    # A growing norm, and nothing else: the whole error changes it.
    rows = symmetries.summarise([noisy(lambda psi: 1e-3 * psi)], harness.rounding(N_FRAMES))
    assert rows["inner products"]["rho"]["median"] > 0.7
    assert rows["inner products"]["verdict"] == "as accurate"
    assert rows["superposition"]["verdict"] == "holds"


def test_rho_lies_between_0_and_1() -> None:
    for size in (1e-3, 0.1):
        for name, found in noisy(lambda psi, size=size: size * (psi[::-1] ** 2 + 0.1)).items():  # type: ignore[misc]
            rho = np.asarray(found.claim.rho)
            assert np.all((rho >= 0) & (rho < 1.0001)), (name, rho)


def test_a_teachers_broken_symmetry_is_no_fault_of_its_student() -> None:
    lattice = exactly(LATTICE, 1e-7)

    def a_little_wrong(v: Array) -> Callable[[Array], Array]:
        step = lattice(v).advance
        return lambda psi: jnp.exp(1e-4j * jnp.abs(psi) ** 2) * step(psi)

    of = functools.partial(symmetries.summarise, rounding=harness.rounding(N_FRAMES))
    row = of([measured(Planted(LATTICE, a_little_wrong), lattice)])["Galilean boost"]
    assert row["verdict"] == "as the teacher"
    # The continuum's solver in the lattice's place has more symmetry than its teacher.
    row = of([measured(exactly(tolerance=1e-7), lattice)])["Galilean boost"]
    assert row["verdict"] == "unlike the teacher"
    assert row["violation"]["median"] < 0.01 * row["teacher_violation"]["median"]


def test_a_forecast_that_is_not_finite_diverges() -> None:
    findings = noisy(lambda psi: psi * jnp.nan)
    rows = symmetries.summarise([findings], harness.rounding(N_FRAMES))
    assert {row["verdict"] for row in rows.values()} == {"diverges"}
    assert rows["mirror"]["violation"]["median"] == np.inf
    numbers = {
        "n_cases": 2, "seed": 0, "n_frames": 3, "rounding": 1e-6, "roles": {"it": "emulator"},
        "findings": {"it": {"all": rows}},
    }  # fmt: skip
    table = symmetries.make_table(numbers)
    assert "diverges" in table
    assert "Infinity" not in symmetries.SymmetryReport(numbers, table).to_json()


def test_a_symmetry_can_be_added() -> None:
    def frames(system: System, t: np.ndarray, pair: Array) -> Array:
        return pair[0] * jnp.asarray(np.exp(-0.5j * t)[:, None], pair.dtype)

    def potential(system: System, v: Array) -> Array:
        return v + 0.5

    mine = symmetries.Symmetry(
        "half a hartree",
        symmetries.Transformation(frames, potential),
        "and no phase",
        symmetries.Transformation(lambda system, t, pair: pair[0], potential),
    )
    solver = exactly(tolerance=1e-7)
    findings = measured(solver, solver, symmetries={"mine": mine})
    assert np.all(np.asarray(findings["mine"].claim.own) < harness.rounding(N_FRAMES))
    assert np.all(np.asarray(findings["mine"].control.own) > 0.1)


# Images of closed forms ---------------------------------------------------------------------------


@pytest.mark.usefixtures("double_precision")
def test_images_of_a_moving_packet_are_the_packets_that_they_should_be() -> None:
    x = np.asarray(GRID.positions())
    t = SYSTEM.dt * np.arange(-1, 4)
    k0 = 2 * np.pi * 5 / 32

    def flight(x0: float, k: float, phase: float = 0.0) -> Array:
        return jnp.stack(
            [closed_forms.gaussian(x, x0, 1.2, k, s) * np.exp(-1j * phase * s) for s in t]
        )

    pair = jnp.stack([flight(15.0, 1.0), flight(17.0, -1.0)])
    carrier = np.exp(1j * k0 * 15.0)
    expected = {
        claims.boost(5): carrier * flight(15.0, 1.0 + k0),
        claims.mirror(): flight(32.25 - 15.0, -1.0),
        claims.translation(4): flight(16.0, 1.0),
        claims.fractional_translation(2.5): flight(15.625, 1.0),
        claims.constant(3.0): flight(15.0, 1.0, phase=3.0),
    }
    for claim, frames in expected.items():
        np.testing.assert_allclose(claim.frames(SYSTEM, t, pair), frames, atol=1e-8)
    backwards = claims.time_reversal().frames(SYSTEM, t, pair)
    reversed_flight = [closed_forms.gaussian(x, 15.0, 1.2, -1.0, s) for s in -t[::-1]]
    np.testing.assert_allclose(backwards, reversed_flight, atol=1e-8)


# Cases --------------------------------------------------------------------------------------------


def test_cases_meet_their_potentials() -> None:
    system = System()
    every = make_symmetries(system.grid)
    solver, cases = symmetries.sample_cases(jax.random.key(1), system, 8, 2, 3, every)
    assert set(cases) == {
        f"{v}, {psi}" for v in symmetries.POTENTIALS for psi in symmetries.PACKETS
    }
    assert solver.system.bounds is not None
    for of_kind in cases.values():
        assert of_kind.given.shape == (16, 2, 1024)
        assert of_kind.frames.shape == (16, 3, 1024)
        assert of_kind.v.shape == (16, 1024)
        # In pairs, two packets in one potential.
        np.testing.assert_array_equal(of_kind.v[::2], of_kind.v[1::2])
        assert len({float(jnp.sum(jnp.abs(frames))) for f in of_kind.given for frames in f}) == 32
        norms = jnp.linalg.norm(of_kind.given, axis=-1) * system.grid.cell**0.5
        np.testing.assert_allclose(norms, 1, atol=1e-4)
        assert solver.system.bounds[0] <= float(of_kind.v.min())
        assert solver.system.bounds[1] > float(of_kind.v.max()) + 1
    for psi in symmetries.PACKETS:
        for v in cases[f"barriers, {psi}"].v:
            assert len(np.unique(v)) == 2
        families = cases[f"other potentials, {psi}"].family
        assert families[:4] == ("double", "double", "triple", "triple")
    for v in symmetries.POTENTIALS:
        crossed = [cases[f"{v}, {psi}"] for psi in symmetries.PACKETS]
        np.testing.assert_array_equal(crossed[0].v, crossed[1].v)
        for frames in crossed[1].given:
            assert 25 < observables.position(system.grid, frames[-1]) < 50
    # The first given frame is the sampled packet: the same with both kinds of potentials.
    of_lesson = [cases[f"{v}, superpositions"].given[:, 0] for v in symmetries.POTENTIALS]
    np.testing.assert_array_equal(of_lesson[0], of_lesson[1])


def test_the_table_of_the_papers_line_is_as_it_was() -> None:
    table = make_symmetries(Grid())
    assert table["translation, whole cells"].formula == "x -> x + 37 dx in psi and V"
    assert table["translation, fractions"].formula == "x -> x + 10.5 dx, Fourier interpolated"
    assert table["Galilean boost"].formula == "k -> k + k0 in empty space, k0 = 2 pi 8 / L"
    mine = make_symmetries(Grid()) | {"mine": table["mirror"]}
    assert "mine" not in make_symmetries(Grid())
    assert len(mine) == 13


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_by_words() -> None:
    solver = exactly(tolerance=1e-7)
    cases = make_cases(solver)
    memory, channels = Planted(SYSTEM, with_memory, 2), System(n_channel=2)
    sample = functools.partial(symmetries.sample_cases, jax.random.key(0))

    def measure(propagator: Propagator, cases: Cases) -> None:
        symmetries.measure_all(propagator, solver, cases, SYMMETRIES)

    refused: dict[str, Callable[[], Any]] = {
        "`n_frames` must be at least 2, but is 1": lambda: measure(
            solver, dataclasses.replace(cases, frames=cases.frames[:, :1])
        ),
        "`n_given` must be at least 2, but is 1": lambda: measure(memory, cases),
        "`n_case` must be at least 2, but is 1": lambda: sample(System(), 1, 1, 2, SYMMETRIES),
        "`system` must be without channels": lambda: sample(channels, 2, 1, 2, SYMMETRIES),
        "`lessons` must be given for this system": lambda: sample(
            System(Grid((8,) * 3, (9.0,) * 3)), 2, 1, 2, SYMMETRIES
        ),
        "`seeds` must be findings of at least one": lambda: symmetries.summarise([], 1e-6),
        "`emulators` must be at least one": lambda: symmetries.evaluate({}, 0, 2, 2),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)
