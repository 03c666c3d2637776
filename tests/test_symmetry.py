"""What holds is found to hold, what is broken is caught, and by the symmetry that should catch it.

Most tests stand on a continuum of 128 points with smooth packets and landscapes, band-limited
to rounding, in float64: there the exact solver has every symmetry of the table.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from qdistill import students
from qdistill._rollout import rollout
from qdistill.insight import symmetries as symmetry
from qdistill.insight.symmetries import SYMMETRIES, Cases, Laboratory, table
from qdistill.physics import observables, packets, potentials
from qdistill.physics.grid import Grid
from qdistill.students import Student, StudentConfig
from qdistill.students.windows import WindowConfig
from qdistill.teacher import solvers as solver

GRID = Grid(128, 32.0, "continuum")
DT, N_FRAMES, V_RANGE = 0.1, 10, (-3.0, 6.0)
# What the packets have beyond the band limit makes 1e-9; what is planted makes 1e-4 and more.
NOTHING, SOMETHING = 1e-8, 1e-5


@pytest.fixture
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def bump(grid: Grid, centre: float, width: float) -> Array:
    return jnp.exp(-((grid.positions() - centre) ** 2) / (2 * width**2))


def make_cases(grid: Grid, n_given: int = 1, is_sharp: bool = False) -> Cases:
    """Two pairs of packets that meet a lopsided landscape."""
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
    if n_given == 1:
        return Cases(psi[:, :, None], v)
    back = solver.chebyshev(grid, -DT, 1e-13, V_RANGE)
    fly = jax.vmap(jax.vmap(lambda p, v: rollout(back(v), p, n_given - 1), (0, None)))
    past = jax.jit(fly)(psi, v)[:, :, ::-1]
    return Cases(jnp.concatenate([past, psi[:, :, None]], axis=2), v)


def exactly(grid: Grid, tolerance: float = 1e-13) -> solver.Propagator:
    return solver.chebyshev(grid, DT, tolerance, V_RANGE)


def laboratory(
    grid: Grid, propagator: solver.Propagator, n_history: int = 1, tolerance: float = 1e-13
) -> Laboratory:
    student = Student(n_history, lambda key: {}, lambda params: propagator)
    return symmetry.make_laboratory(grid, DT, student, {}, N_FRAMES, V_RANGE, tolerance)


def measured(lab: Laboratory, cases: Cases, **options: Any) -> dict[str, symmetry.Findings]:
    return symmetry.measure_all(lab, *cases, **options)


def caught(findings: dict[str, symmetry.Findings]) -> set[str]:
    """The symmetries that are broken; every other holds to rounding, in every case."""
    broken = set()
    for name, found in findings.items():
        violation = np.asarray(found.claim.student)
        assert np.all(violation < NOTHING) or np.all(violation > SOMETHING), (name, violation)
        if violation[0] > SOMETHING:
            broken.add(name)
    return broken


# The exact solver ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("double_precision")
def test_exact_solver_has_every_symmetry_and_every_control_fires() -> None:
    findings = measured(laboratory(GRID, exactly(GRID)), make_cases(GRID))
    assert set(findings) == set(SYMMETRIES)
    assert caught(findings) == set()
    for name, found in findings.items():
        assert np.all(np.asarray(found.control.student) > 5e-3), name
        np.testing.assert_array_equal(found.control.student, found.control.teacher)
        if found.lie is not None:
            assert np.all(np.asarray(found.lie) < NOTHING), name
    assert {name for name, found in findings.items() if found.lie is not None} == {
        "superposition", "scaling", "global phase", "translation, fractions", "constant in V",
    }  # fmt: skip


def test_exact_solver_has_them_to_the_rounding_of_single_precision() -> None:
    lab = laboratory(GRID, exactly(GRID, 1e-7), tolerance=1e-7)
    noise = symmetry.rounding(N_FRAMES)
    assert noise < 1e-5
    for name, row in symmetry.summarise([measured(lab, make_cases(GRID))], noise).items():
        assert row["verdict"] == "holds", name
        assert row["control_fires"], name


@pytest.mark.usefixtures("double_precision")
def test_the_lattice_breaks_boosts_and_sharp_edges_break_fractional_translations() -> None:
    lattice = Grid(128, 32.0, "lattice")
    lab = laboratory(lattice, exactly(lattice))
    assert caught(measured(lab, make_cases(lattice), with_lie=False)) == {"Galilean boost"}
    findings = measured(lab, make_cases(lattice, is_sharp=True))
    assert caught(findings) == {"Galilean boost", "translation, fractions"}
    assert np.all(np.asarray(findings["translation, fractions"].lie) > 1e-4)
    rows = symmetry.summarise([findings], NOTHING)
    assert rows["Galilean boost"]["verdict"] == "as the teacher"
    assert rows["mirror"]["verdict"] == "holds"


@pytest.mark.usefixtures("double_precision")
def test_an_exact_student_that_uses_its_history_has_every_symmetry() -> None:
    def from_newest_and_oldest(v: Array) -> solver.Step:
        step = exactly(GRID)(v)

        def advance(history: Array) -> Array:
            from_oldest = step(step(step(step(history[0]))))
            return jnp.concatenate([history[1:], (step(history[3]) + from_oldest)[None] / 2])

        return advance

    lab = laboratory(GRID, from_newest_and_oldest, n_history=4)
    assert caught(measured(lab, make_cases(GRID, n_given=5))) == set()


def test_a_gated_recurrent_unit_has_what_is_built_in_and_composition_is_put_to_the_test() -> None:
    config = StudentConfig("gru", n_units=8, windows=WindowConfig(gauge=True, floor=1e-6))
    gru = students.make(config, GRID, DT)
    params = jax.jit(gru.init)(jax.random.key(0))
    lab = symmetry.make_laboratory(GRID, DT, gru, params, 2, V_RANGE)
    rows = symmetry.summarise(
        [measured(lab, make_cases(GRID, n_given=4), with_lie=False)], symmetry.rounding(2)
    )
    for name in ("global phase", "translation, whole cells"):
        assert rows[name]["verdict"] == "holds", name
    for name in ("superposition", "mirror", "time reversal", "inner products", "composition"):
        assert rows[name]["verdict"] in symmetry.BY_RHO, name
        assert "lie_derivative" not in rows[name]


# Planted truths -----------------------------------------------------------------------------------

Kick = Callable[[Array, Array], Array]
SIZE = 0.02


def sandwich(half: Kick) -> solver.Propagator:
    """The exact frame between two halves of something else: reversible where that is."""

    def propagator(v: Array) -> solver.Step:
        step = exactly(GRID)(v)
        return lambda psi: half(v, step(half(v, psi)))

    return propagator


def phases_of_k(psi: Array, phase: np.ndarray) -> Array:
    return jnp.fft.ifft(jnp.exp(-1j * phase) * jnp.fft.fft(psi))


def kick(phase: Callable[[Array, Array], Array]) -> Kick:
    return lambda v, psi: jnp.exp(-1j * phase(v, psi)) * psi


def lattice_instead() -> solver.Propagator:
    return exactly(Grid(128, 32.0, "lattice"))


def with_memory(v: Array) -> solver.Step:
    """Part of the next frame comes from the frame before, with a phase that is wrong."""
    step = exactly(GRID)(v)

    def advance(history: Array) -> Array:
        mixed = 0.7 * history[1] + 0.3 * np.exp(-0.2j) * step(history[0])
        return jnp.stack([history[1], step(mixed)])

    return advance


K, X = GRID.wavenumbers(), np.arange(1, 129) * 0.25
PLANTED: dict[str, tuple[int, solver.Propagator, set[str]]] = {
    "a wrong mass": (
        1,
        sandwich(lambda v, psi: phases_of_k(psi, SIZE * DT * K**2 / 2)),
        {"Galilean boost", "energy"},
    ),
    "the dispersion of a lattice": (1, lattice_instead(), {"Galilean boost", "energy"}),
    "a drift": (
        1,
        sandwich(lambda v, psi: phases_of_k(psi, SIZE * K)),
        {"mirror", "time reversal", "Galilean boost", "energy"},
    ),
    "a landscape seen aslant": (
        1,
        sandwich(kick(lambda v, psi: SIZE * (jnp.roll(v, -1) - jnp.roll(v, 1)))),
        {"mirror", "energy"},
    ),
    "an absorber": (
        1,
        sandwich(lambda v, psi: (1 - SIZE * DT) * psi),
        {"time reversal", "inner products"},
    ),
    "a nonlinear term": (
        1,
        sandwich(kick(lambda v, psi: SIZE * jnp.abs(psi) ** 2)),
        {"superposition", "scaling", "inner products", "energy"},
    ),
    "the constant in V": (
        1,
        sandwich(kick(lambda v, psi: SIZE * DT * v**2)),
        {"constant in V", "energy"},
    ),
    # Symmetric about the mirror's axis.
    "a sense of place": (
        1,
        sandwich(kick(lambda v, psi: jnp.asarray(SIZE * np.cos(2 * np.pi * (X - 16.125) / 32)))),
        {"translation, whole cells", "translation, fractions", "Galilean boost", "energy"},
    ),
    "a sense of phase": (
        1,
        sandwich(lambda v, psi: np.cosh(SIZE) * psi + 1j * np.sinh(SIZE) * jnp.conj(psi)),
        {
            "superposition", "global phase", "constant in V", "Galilean boost", "inner products",
            "energy",
        },
    ),
    "memory": (2, with_memory, {"composition", "time reversal", "inner products"}),
}  # fmt: skip


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_caught_by_what_should_catch_it_and_by_nothing_else(name: str) -> None:
    n_history, propagator, expected = PLANTED[name]
    lab = laboratory(GRID, propagator, n_history)
    findings = measured(lab, make_cases(GRID, n_history))
    assert caught(findings) == expected
    rows = symmetry.summarise([findings], NOTHING)
    for symmetry_name, row in rows.items():
        assert (row["verdict"] != "holds") == (symmetry_name in expected)
        if "lie_derivative" in row:
            lie = row["lie_derivative"]["median"]
            assert (lie > SOMETHING) == (symmetry_name in expected), symmetry_name


# Symmetry apart from accuracy ---------------------------------------------------------------------


def noisy(noise: Callable[[Array], Array]) -> dict[str, symmetry.Findings]:
    """Findings on a student that is exact but for what is added to each frame."""

    def propagator(v: Array) -> solver.Step:
        step = exactly(GRID, 1e-7)(v)
        return lambda psi: step(psi) + noise(psi)

    lab = laboratory(GRID, propagator, tolerance=1e-7)
    return measured(lab, make_cases(GRID), with_lie=False)


def test_rho_of_errors_without_symmetry_is_that_of_independent_ones() -> None:
    frequencies = jax.random.normal(jax.random.key(0), (2, 128)) * 300

    def scrambled(psi: Array) -> Array:
        """Of one size, and of a phase that depends on psi as wildly as chance."""
        angle = frequencies[0] * jnp.sum(psi.real * frequencies[1])
        return 1e-3 * jnp.exp(1j * angle)

    rows = symmetry.summarise([noisy(scrambled)], symmetry.rounding(N_FRAMES))
    for name in ("superposition", "global phase", "mirror", "translation, whole cells"):
        assert 0.5 < rows[name]["rho"]["median"] < 0.85, name
        assert rows[name]["verdict"] == "as accurate", name


def test_rho_of_errors_with_a_symmetry_is_small_where_they_have_it() -> None:
    rows = symmetry.summarise(
        [noisy(lambda psi: 1e-2 * jnp.abs(psi) ** 2 * psi)], symmetry.rounding(N_FRAMES)
    )
    for name in ("global phase", "mirror", "translation, whole cells"):
        assert rows[name]["rho"]["high"] < 0.01, name
        assert rows[name]["verdict"] == "holds", name
    assert rows["scaling"]["rho"]["median"] > 0.2
    # A growing norm, and nothing else: the whole error changes it.
    rows = symmetry.summarise([noisy(lambda psi: 1e-3 * psi)], symmetry.rounding(N_FRAMES))
    assert rows["inner products"]["rho"]["median"] > 0.7
    assert rows["inner products"]["verdict"] == "as accurate"
    assert rows["superposition"]["verdict"] == "holds"


def test_rho_lies_between_0_and_1() -> None:
    for size in (1e-3, 0.1):
        for name, found in noisy(lambda psi, size=size: size * (psi[::-1] ** 2 + 0.1)).items():  # type: ignore[misc]
            rho = np.asarray(found.claim.rho)
            assert np.all((rho >= 0) & (rho < 1.0001)), (name, rho)


def test_a_teachers_broken_symmetry_is_no_fault_of_its_student() -> None:
    grid = Grid(128, 32.0, "lattice")
    exact = exactly(grid, 1e-7)

    def a_little_wrong(v: Array) -> solver.Step:
        step = exact(v)
        return lambda psi: jnp.exp(1e-4j * jnp.abs(psi) ** 2) * step(psi)

    noise = symmetry.rounding(N_FRAMES)
    cases = make_cases(grid)
    of = functools.partial(symmetry.summarise, rounding=noise)
    lab = laboratory(grid, a_little_wrong, tolerance=1e-7)
    assert of([measured(lab, cases)])["Galilean boost"]["verdict"] == "as the teacher"
    # The continuum's solver in the lattice's place has more symmetry than its teacher.
    lab = laboratory(grid, exactly(GRID, 1e-7), tolerance=1e-7)
    row = of([measured(lab, cases)])["Galilean boost"]
    assert row["verdict"] == "unlike the teacher"
    assert row["violation"]["median"] < 0.01 * row["teacher_violation"]["median"]


def test_a_forecast_that_is_not_finite_diverges() -> None:
    findings = noisy(lambda psi: psi * jnp.nan)
    rows = symmetry.summarise([findings], symmetry.rounding(N_FRAMES))
    assert {row["verdict"] for row in rows.values()} == {"diverges"}
    assert rows["mirror"]["violation"]["median"] == np.inf
    evaluation = {
        "n_cases": 2, "seed": 0, "n_frames": 3, "rounding": 1e-6, "findings": {"it": {"all": rows}},
    }  # fmt: skip
    assert "diverges" in symmetry.describe(evaluation)


def test_a_symmetry_can_be_added() -> None:
    def frames(grid: Grid, t: np.ndarray, pair: Array) -> Array:
        return pair[0] * jnp.asarray(np.exp(-0.5j * t)[:, None], pair.dtype)

    def landscape(grid: Grid, v: Array) -> Array:
        return v + 0.5

    mine = symmetry.Symmetry(
        "half a hartree",
        symmetry.Transformation(frames, landscape),
        "and no phase",
        symmetry.Transformation(lambda grid, t, pair: pair[0], landscape),
    )
    lab = laboratory(GRID, exactly(GRID, 1e-7), tolerance=1e-7)
    findings = measured(lab, make_cases(GRID), symmetries={"mine": mine})
    assert np.all(np.asarray(findings["mine"].claim.student) < symmetry.rounding(N_FRAMES))
    assert np.all(np.asarray(findings["mine"].control.student) > 0.1)


# Images of closed forms ---------------------------------------------------------------------------


@pytest.mark.usefixtures("double_precision")
def test_images_of_a_moving_packet_are_the_packets_that_they_should_be() -> None:
    x = np.asarray(GRID.positions())
    t = DT * np.arange(-1, 4)
    k0 = 2 * np.pi * 5 / 32

    def flight(x0: float, k: float, phase: float = 0.0) -> Array:
        return jnp.stack([exact.gaussian(x, x0, 1.2, k, s) * np.exp(-1j * phase * s) for s in t])

    pair = jnp.stack([flight(15.0, 1.0), flight(17.0, -1.0)])
    carrier = np.exp(1j * k0 * 15.0)
    expected = {
        table.boost(5): carrier * flight(15.0, 1.0 + k0),
        table.mirror(): flight(32.25 - 15.0, -1.0),
        table.translation(4): flight(16.0, 1.0),
        table.fractional_translation(2.5): flight(15.625, 1.0),
        table.constant(3.0): flight(15.0, 1.0, phase=3.0),
    }
    for claim, frames in expected.items():
        np.testing.assert_allclose(claim.frames(GRID, t, pair), frames, atol=1e-8)
    backwards = table.time_reversal().frames(GRID, t, pair)
    reversed_flight = [exact.gaussian(x, 15.0, 1.2, -1.0, s) for s in -t[::-1]]
    np.testing.assert_allclose(backwards, reversed_flight, atol=1e-8)


# Cases, medians, verdicts -------------------------------------------------------------------------


def test_cases_meet_their_landscapes() -> None:
    grid = Grid()
    cases = symmetry.sample_cases(jax.random.key(1), grid, DT, 8, 2)
    assert set(cases) == {"barriers", "other landscapes"}
    for given, v in cases.values():
        assert given.shape == (8, 2, 2, 1024)
        assert v.shape == (8, 1024)
        assert len({float(jnp.sum(jnp.abs(frames))) for pair in given for frames in pair}) == 16
        norms = jnp.linalg.norm(given, axis=-1) * grid.cell**0.5
        np.testing.assert_allclose(norms, 1, atol=1e-4)
    for v in cases["barriers"].v:
        assert len(np.unique(v)) == 2
    for pair in cases["other landscapes"].given:
        for frames in pair:
            assert 25 < observables.position(grid, frames[-1]) < 50


def test_bootstrap_takes_runs_and_cases_as_wholes() -> None:
    rng = np.random.default_rng(0)
    cases = rng.normal(size=(1, 40)) + 5
    alone = symmetry.bootstrap(cases)
    assert alone.low < alone.median < alone.high
    assert 0.2 < alone.high - alone.low < 1.2
    # Equal runs tell nothing more; runs that differ widen the interval.
    assert symmetry.bootstrap(np.repeat(cases, 5, axis=0)) == pytest.approx(alone, abs=0.15)
    differing = symmetry.bootstrap(cases + np.arange(5)[:, None])
    assert differing.high - differing.low > 2
    assert symmetry.bootstrap(cases) == alone
    assert symmetry.bootstrap(np.array([[1.0, np.nan, 3.0, np.inf, 2.0]])).median == 2
    assert np.isnan(symmetry.bootstrap(np.full((1, 3), np.nan)).median)


@pytest.mark.parametrize(
    ("student", "teacher", "excess", "rho", "words"),
    [
        (1e-7, 1e-7, 1e-8, 0.9, "holds"),
        (1e-2, 1e-7, 1e-2, 0.1, "learned"),
        (1e-2, 1e-7, 1e-2, 0.5, "partly learned"),
        (1e-2, 1e-7, 1e-2, 0.7, "as accurate"),
        (1e-2, 1e-2, 1e-3, 0.7, "as the teacher"),
        (1e-1, 1e-2, 1e-1, 0.1, "learned"),
        (1e-7, 1e-2, 1e-2, 0.9, "unlike the teacher"),
        (1e-1, 1e-2, 1e-1, 0.9, "as accurate"),
        (np.inf, 1e-7, np.inf, np.nan, "diverges"),
    ],
)
def test_verdicts(student: float, teacher: float, excess: float, rho: float, words: str) -> None:
    at = [symmetry.Interval(a, a, a) for a in (student, teacher, excess, rho)]
    assert symmetry.verdict(at[0], at[1], at[2], at[3], rounding=1e-6) == words


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_by_words() -> None:
    square = Grid((8, 8), (1.0, 1.0))
    lab = laboratory(GRID, with_memory, n_history=2)
    student = Student(1, lambda key: {}, lambda params: with_memory)
    refused: dict[str, Callable[[], Any]] = {
        "`grid` must be one-dimensional": lambda: laboratory(square, exactly(square)),
        "`n_frames` must be at least 2, but is 1": lambda: symmetry.make_laboratory(
            GRID, DT, student, {}, 1, V_RANGE
        ),
        "`n_given` must be at least 2, but is 1": lambda: measured(lab, make_cases(GRID)),
        "`n_case` must be at least 2, but is 1": lambda: symmetry.sample_cases(
            jax.random.key(0), Grid(), DT, 1, 1
        ),
        "`runs` must be at least one run": lambda: symmetry.summarise([], 1e-6),
        "`rivals` must be at least one student": lambda: symmetry.evaluate(Grid(), DT, {}, 0, 2, 2),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)
