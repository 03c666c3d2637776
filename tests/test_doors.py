"""What stands at the doors of a system: its own values, and the potentials that users give."""

import dataclasses
import functools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steps import one

from qdistill import _doors
from qdistill.insight import harness
from qdistill.physics import crossings
from qdistill.physics.grid import Grid
from qdistill.students import FORMS, StudentConfig, register
from qdistill.system import LESSONS, SYSTEMS, System, lesson, rollout
from qdistill.teacher import chebyshev, split_step

LINE = System(Grid(16, 4.0))
# Between -1 and 2, in a formula and as a function of x.
V0 = jnp.zeros(16)
PSI = jnp.ones(16, jnp.complex64)
VALUES = 3 * np.exp(-2 * (np.arange(1, 17) / 4 - 2) ** 2) - 1
FORMULA = "3*exp(-2*(x-2)**2) - 1"


def hill(x: Any) -> Any:
    return 3 * jnp.exp(-2 * (x - 2) ** 2) - 1


# A system is static: plain values.


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize("number", [np.float64(0.5), np.float32(0.5), jnp.asarray(0.5), 0.5])
def test_numbers_of_any_kind_make_one_system(number: Any) -> None:
    system = System(LINE.grid, number, bounds=(-number, number))
    assert system == System(LINE.grid, 0.5, bounds=(-0.5, 0.5))
    assert hash(system) == hash(System(LINE.grid, 0.5, bounds=(-0.5, 0.5)))
    assert type(system.dt) is float
    assert [type(bound) for bound in system.bounds or ()] == [float, float]


@pytest.mark.usefixtures("without_checker")
def test_bounds_may_be_a_list_and_a_count_of_numpy() -> None:
    system = System(LINE.grid, bounds=[-1, 2], n_channel=np.int64(3))  # type: ignore[arg-type]
    assert system.bounds == (-1.0, 2.0)
    assert type(system.n_channel) is int
    assert system.shape == (3, 16)
    hash(system)


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"grid": 16}, "`grid` must be a Grid, but is 16"),
        ({"grid": None}, "`grid` must be a Grid, but is None"),
        ({"n_channel": -1}, "`n_channel` must be at least 0, but is -1"),
        ({"n_channel": 1.5}, "`n_channel` must be an integer, but is 1.5"),
    ],
)
def test_senseless_systems_are_refused(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        System(**({"grid": LINE.grid} | given))


@pytest.mark.usefixtures("without_checker")
def test_a_traced_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="`dt, bounds` must be known numbers, but is traced"):
        jax.jit(lambda dt: System(LINE.grid, dt).grid.positions())(0.1)


def test_systems_and_lessons_are_known_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SYSTEMS["System"] is System

    class Mine(System):
        pass

    assert SYSTEMS["Mine"] is Mine
    monkeypatch.setattr("qdistill.system.LESSONS", LESSONS | {})

    @lesson("hill")
    def sample(key: Any, grid: Grid, difficulty: Any) -> Any:
        return jnp.ones(grid.shape, complex), difficulty * jnp.ones(grid.shape)

    psi, v = LINE.sample("hill", jax.random.key(0), 0.5)
    assert psi.shape == v.shape == (16,)
    assert jnp.all(v == 0.5)
    psi, v = System().sample("free", jax.random.key(0), 0.5)
    assert psi.shape == v.shape == (1024,)
    with pytest.raises(ValueError, match=r"`lessons` must be one of .*'free'.*, but is 'valley'"):
        LINE.sample("valley", jax.random.key(0), 0.5)


@pytest.mark.usefixtures("without_checker")
def test_a_name_that_is_taken_is_refused_and_a_cell_may_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qdistill.system.SYSTEMS", SYSTEMS | {})
    monkeypatch.setattr("qdistill.students.base.FORMS", FORMS | {})
    monkeypatch.setattr("qdistill.system.LESSONS", LESSONS | {})
    cell = (
        "class Yours(System): pass\n\n"
        "class Form(StudentConfig, name='yours'): pass\n\n"
        "@lesson('yours')\n"
        "def draw(key, grid, difficulty): pass\n"
    )
    given = {"System": System, "StudentConfig": StudentConfig, "lesson": lesson}
    for _ in range(2):
        exec(cell, given | {"__name__": "__main__"})
    words = "`name` must be new, but is "
    for part in cell.split("\n\n"):
        with pytest.raises(ValueError, match=words + "'[Yy]ours', the .* `__main__"):
            exec(part, given | {"__name__": "elsewhere"})
    with pytest.raises(ValueError, match=words + "'System', the system `qdistill.system.System`"):
        type("System", (System,), {})
    with pytest.raises(ValueError, match=words + "'unitary', the student `qdistill.students"):
        type("Mine", (StudentConfig,), {}, name="unitary")
    with pytest.raises(ValueError, match=words + "'free', the lesson `qdistill.curriculum"):
        lesson("free")(lambda key, grid, difficulty: (V0, V0))
    for name in ("unitary", "gru"):
        with pytest.raises(ValueError, match=f"`name` must be new, but is '{name}', the student"):
            register(name, object)  # type: ignore[arg-type]


# The potentials of a plain system.


@pytest.mark.parametrize(
    "user",
    [
        VALUES,
        VALUES.astype(np.float32),
        VALUES.tolist(),
        tuple(VALUES),
        jnp.asarray(VALUES, float),
        hill,
        FORMULA,
    ],
    ids=["float64", "float32", "list", "tuple", "JAX", "function", "formula"],
)
def test_a_potential_may_be_given_in_many_ways(user: Any) -> None:
    v = LINE.as_potential(user)
    assert isinstance(v, jax.Array)
    assert v.dtype == jnp.float32
    np.testing.assert_allclose(v, VALUES, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "v", "names"),
    [
        (PSI, VALUES, "Argument `v`, a"),
        (np.asarray(PSI, complex), VALUES.astype("f4"), "Argument `frames`, a"),
        (np.asarray(PSI, complex), VALUES, "Argument `frames` and `v`, a"),
        (PSI, VALUES.astype("f4"), None),
        (PSI, jnp.asarray(VALUES.tolist()), None),
    ],
)
def test_one_note_says_that_double_precision_is_computed_in_single(
    given: Any, v: Any, names: str | None
) -> None:
    def said(call: Callable[[], Any]) -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        return [str(each.message) for each in caught]

    for solver in (split_step(LINE, 9), chebyshev(LINE)):
        notes = said(functools.partial(rollout, solver, given[None], v, 1))
        assert len(notes) == (names is not None)
        assert all(note.startswith(str(names)) and "JAX_ENABLE_X64=1" in note for note in notes)
    with jax.enable_x64(True):
        assert said(lambda: rollout(split_step(LINE, 9), given[None], v, 1)) == []


def test_the_package_itself_draws_no_note_of_precision() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for user in (VALUES.tolist(), tuple(VALUES), hill, FORMULA):
            LINE.as_potential(user)
        harness.recall(split_step(LINE, 9), PSI, VALUES, 2)


def test_a_potential_keeps_its_precision_and_integers_have_the_sessions() -> None:
    with jax.enable_x64(True):
        for user, real in (
            (VALUES, jnp.float64),
            (VALUES.astype(np.float32), jnp.float32),
            (jnp.asarray(VALUES, jnp.float32), jnp.float32),
            (VALUES.tolist(), jnp.float64),
            (np.minimum(np.arange(16), np.arange(16)[::-1]), jnp.float64),
            (hill, jnp.float64),
            (FORMULA, jnp.float64),
        ):
            assert LINE.as_potential(user).dtype == real


def test_in_a_plane_a_function_is_one_of_both_positions() -> None:
    plane = System(Grid((16, 24), (4.0, 6.0), origin=(-2.0, 0.0)))
    v = plane.as_potential(lambda x, y: 3 * jnp.exp(-2 * (x**2 + (y - 3) ** 2)))
    assert v.shape == (16, 24)
    # At x = 0 and y = 3.
    assert v[7, 11] == 3.0
    np.testing.assert_allclose(plane.as_potential("3*exp(-2*(x**2 + (y-3)**2))"), v, atol=1e-6)


def test_a_function_that_does_not_take_the_positions_is_refused() -> None:
    two = System(Grid(16, 8.0), n_channel=2)
    with pytest.raises(ValueError, match="`user` must be a function of x, but is one that raises"):
        two.as_potential(crossings.linear)
    plane = System(Grid((4, 6), (8.0, 6.0)), n_channel=2)
    with pytest.raises(ValueError, match="`user` must be a function of 2 positions"):
        plane.as_potential(crossings.single)


def test_a_potential_may_be_traced() -> None:
    v = jnp.asarray(VALUES, float)
    np.testing.assert_array_equal(jax.jit(LINE.as_potential)(v), v)
    with pytest.raises(ValueError, match=r"`v` must be of shape \(16,\)"):
        jax.jit(LINE.as_potential)(jnp.zeros(15))


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (VALUES[:-1], r"`v` must be of shape \(16,\), but is of shape \(15,\)"),
        (VALUES[None], r"`v` must be of shape \(16,\), but is of shape \(1, 16\)"),
        ([], r"`v` must be of shape \(16,\), but is of shape \(0,\)"),
        (3.0, r"`v` must be of shape \(16,\), but is of shape \(\)"),
        (lambda x: 3.0, r"`v` must be of shape \(16,\), but is of shape \(\)"),
        (lambda x: x[:-1], r"`v` must be of shape \(16,\), but is of shape \(15,\)"),
        ([0.0, [1.0, 2.0]], "`v` must be an array of real numbers, but is a table with rows of"),
        (["2"] * 16, "`v` must be an array of real numbers, but is of type <U1"),
        ([None] * 16, "`v` must be an array of real numbers, but is of type object"),
        (None, "`v` must be an array of real numbers, but is of type object"),
        ({"v": VALUES}, "`v` must be an array of real numbers, but is of type object"),
        (VALUES > 0, "`v` must be an array of real numbers, but is of type bool"),
        (VALUES + 0j, "`v` must be an array of real floating-point numbers, .* complex64. An abs"),
        (lambda x: x + 0j, "`v` must be an array of real floating-point numbers"),
        (np.append(VALUES[1:], np.nan), "`v` must be finite"),
        (np.append(VALUES[1:], np.inf), "`v` must be finite"),
        (lambda x: 1 / (x - x), "`v` must be finite"),
        (np.arange(16.0), "`v` must be the same at both ends of the box, .* is 0 at one and 15 at"),
        (lambda x: x, "`v` must be the same at both ends of the box"),
        (VALUES + (np.arange(16) > 8), "`v` must be the same at both ends of the box"),
        ("x +", "`formula` must be"),
        ("y", "`formula` must be"),
    ],
)
def test_what_is_no_potential_is_refused(user: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LINE.as_potential(user)


@pytest.mark.parametrize("user", [VALUES, VALUES.tolist(), FORMULA, hill])
def test_values_outside_the_bounds_are_refused_in_every_form(user: Any) -> None:
    wide, narrow = (dataclasses.replace(LINE, bounds=(-1.0, high)) for high in (2.0, 1.9))
    np.testing.assert_allclose(wide.as_potential(user), VALUES, atol=1e-6)
    with pytest.raises(ValueError, match=r"within \(-1.0, 1.9\), .* Use a system with wider boun"):
        narrow.as_potential(user)


# Between channels.


class Lopsided(System):
    def local(self, v: Any, t: Any, psi: Any) -> jax.Array:
        c = v["c"]
        return jnp.stack([jnp.stack([c, 2 * c]), jnp.stack([c, -c])])


def test_channels_take_a_hermitian_matrix_at_every_point() -> None:
    system = System(LINE.grid, n_channel=2)
    matrix = np.array([[1.0, 2.0 - 3j], [2.0 + 3j, -1.0]])[..., None] * np.ones(16)
    v = system.as_potential(matrix)
    assert v.dtype == jnp.complex64
    assert system.as_potential(matrix.real).dtype == jnp.float32
    psi = jnp.ones((2, 16), jnp.complex64)
    later = one(split_step(system, 9), v)(psi)
    assert float(jnp.linalg.norm(later)) == pytest.approx(32**0.5, rel=1e-5)
    words = "`v` must be Hermitian between channels at every point, but is not"
    for wrong in (matrix * 1j, matrix.real * np.array([[1, 1], [2, 1]])[..., None]):
        with pytest.raises(ValueError, match=words):
            system.as_potential(wrong)
        with pytest.raises(ValueError, match=words):
            rollout(split_step(system, 9), psi[None], jnp.asarray(wrong, jnp.complex64), 1)
    # What a system's own `local` returns is looked at, too.
    with pytest.raises(ValueError, match=words):
        Lopsided(LINE.grid, n_channel=2).as_potential({"c": np.ones(16)})
    with pytest.raises(ValueError, match=r"`v` must be of shape \(2, 2, 16\)"):
        system.as_potential(VALUES)
    with pytest.raises(ValueError, match=r"of shape \(2, 2, 16\), but is of shape \(3, 3, 16\)"):
        system.as_potential(np.zeros((3, 3, 16)))
    with pytest.raises(
        ValueError, match=r"`mass` must be finite and positive, but is \(-2000\.0,\)"
    ):
        Grid(16, 4.0, mass=-2000.0)
    # The eigenvalues are +-sqrt(14).
    tight = dataclasses.replace(system, bounds=(-(14**0.5), 14**0.5))
    tight.as_potential(matrix)
    with pytest.raises(
        ValueError, match=r"`v` must be within \(-3\.7, 3\.7\), but is between -3\.7"
    ):
        dataclasses.replace(system, bounds=(-3.7, 3.7)).as_potential(matrix)
    with pytest.raises(ValueError, match=r"`frames` must be of shape \(n_t, 2, 16\)"):
        rollout(split_step(system, 9), psi, v, 1)


# A system that reads its potential in its own way.


class Fields(NamedTuple):
    """Any pytree of arrays will do."""

    v: Any
    gain: Any


class Leaking(System):
    """A potential with an imaginary part."""

    is_hermitian = False

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """V - i gain V."""
        return v.v * (1 - 1j * v.gain)


class Scaled(System):
    """Real values, multiplied."""

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """Three times V."""
        return 3 * (v["v"] if isinstance(v, dict) else v)


def test_a_pytree_is_taken_leaf_by_leaf() -> None:
    v = Leaking(LINE.grid).as_potential(Fields(VALUES, 2))
    assert isinstance(v, Fields)
    assert v.v.dtype == v.gain.dtype == jnp.float32
    np.testing.assert_allclose(v.v, VALUES, rtol=1e-6)
    scaled = Scaled(LINE.grid)
    for user in (VALUES, VALUES.tolist(), FORMULA):
        np.testing.assert_allclose(scaled.as_potential(user), VALUES, atol=1e-6)
    np.testing.assert_allclose(scaled.as_potential({"v": VALUES})["v"], VALUES, rtol=1e-6)


def test_what_a_system_reads_is_checked() -> None:
    absorbing = Leaking(LINE.grid)
    psi = jnp.ones((1, 16), jnp.complex64)
    for wrong, words in (
        (Fields(VALUES[:-1], 2.0), r"of shape \(16,\), as Leaking.local reads it, .* \(15,\)"),
        (Fields(VALUES[:, None], 2.0), r"of shape \(16,\), as Leaking.local reads it"),
        (Fields(VALUES, np.nan), "`v` must be finite"),
        (Fields(VALUES, "2"), "`v` must be an array of real numbers"),
    ):
        with pytest.raises(ValueError, match=words):
            absorbing.as_potential(wrong)
    with pytest.raises(ValueError, match=r"as Leaking\.local reads it"):
        rollout(split_step(absorbing, 9), psi, Fields(jnp.zeros(15), jnp.ones(())), 1)
    with pytest.raises(ValueError, match="`v` must be finite"):
        rollout(split_step(absorbing, 9), psi, Fields(jnp.zeros(16), jnp.full((), jnp.nan)), 1)

    class Wrong(Leaking):
        is_hermitian = True

    with pytest.raises(ValueError, match="An absorbing system must set `is_hermitian = False`"):
        Wrong(LINE.grid).as_potential(Fields(VALUES, 2.0))


def test_bounds_are_those_of_what_is_read() -> None:
    system = Scaled(LINE.grid, bounds=(-3.0, 6.0))
    system.as_potential({"v": VALUES})
    with pytest.raises(ValueError, match=r"within \(-3.0, 6.0\), but is between -3.29668 and 6.6"):
        system.as_potential({"v": 1.1 * VALUES})


class Relativistic(System):
    """A kinetic energy of its own."""

    def kinetic(self, v: Any, t: Any) -> Any:
        """The root of k^2 c^2 + c^4, less c^2, with c = 2."""
        return 2 * (np.sqrt(self.grid.wavenumbers() ** 2 + 4) - 2)


def test_a_plane_wave_turns_by_the_kinetic_energy_of_the_system() -> None:
    system = Relativistic(Grid(16, 4.0), 0.3)
    assert not system.has_plain_kinetic
    assert system.has_plain_potential
    wave = jnp.exp(2j * jnp.pi * 3 * system.grid.positions() / 4)
    k = 2 * np.pi * 3 / 4
    expected = np.exp(-0.3j * 2 * (np.sqrt(k**2 + 4) - 2)) * wave
    np.testing.assert_allclose(one(split_step(system, 9), jnp.zeros(16))(wave), expected, atol=2e-6)


def test_bounds_hold_for_the_real_part_of_a_lossy_potential() -> None:
    class Murky(System):
        is_hermitian = False

    system = Murky(Grid(16, 4.0), bounds=(0.0, 5.0))
    v = jnp.full(16, 3 - 1j)
    _doors.require_bounds(system, v)
    with pytest.raises(ValueError, match="between 6 and 6"):
        _doors.require_bounds(system, v + 3)
    SYSTEMS.pop("Murky")
