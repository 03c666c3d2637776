"""Emulators: pytrees that pickle, print and stack, and their forecasts."""

import dataclasses
import functools
import pickle
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steps import roll

from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.students import (
    Emulator,
    Student,
    StudentConfig,
    UnitaryConfig,
    WindowConfig,
    WindowedConfig,
    count_parameters,
)
from qdistill.system import Propagator, Step, System, rollout
from qdistill.teacher import Chebyshev, SplitStep, TeacherConfig, chebyshev, split_step

SYSTEM = System(Grid(128, 12.5), bounds=(-16.0, 16.0))
V = potentials.barrier(SYSTEM.grid.positions(), 5.0, 3.0, 6.0)
PSI = packets.gaussian(SYSTEM.grid, 3.0, 0.5, 2.0)
FORMS = {
    "unitary": UnitaryConfig(n_units=4, start="informed"),
    "gru": WindowedConfig("gru", n_units=6, windows=WindowConfig(gauge=True)),
}
both_forms = pytest.mark.parametrize("name", FORMS)
ABOUT = {
    "config": types.SimpleNamespace(preset="small", teacher=TeacherConfig(tolerance=1e-4)),
    "score": {"mean_infidelity": 1e-5, "mean_nrmse": 2e-3, "n_frames": 400},
    "provenance": ({"commit": "0123456789abcdef"},),
}


@functools.cache
def make(name: str, seed: int = 0) -> Emulator:
    student = FORMS[name].build(SYSTEM)
    return student.bind(jax.jit(student.init)(jax.random.key(seed)), **ABOUT)


GIVEN = jnp.tile(PSI, (4, 1))


def last(emulator: Propagator, v: Any = V) -> jax.Array:
    """After three frames, from four equal ones."""
    return roll(emulator, GIVEN, v, 3)[-1]


# A pytree of its parameters.


@both_forms
def test_parameters_are_its_leaves_and_the_student_is_static(name: str) -> None:
    emulator = make(name)
    assert isinstance(emulator, Propagator)
    paths = jax.tree.leaves_with_path(emulator)
    assert all(jax.tree_util.keystr(path).startswith(".params") for path, _ in paths)
    assert len(paths) == len(jax.tree.leaves(emulator.params))
    trees = {jax.tree.structure(each) for each in (emulator, make(name, 1))}
    assert len(trees) == 1
    for quality in ("system", "n_history", "is_linear", "is_unitary", "is_differentiable"):
        assert getattr(emulator, quality) == getattr(emulator.student, quality)


@both_forms
def test_what_is_known_of_a_training_does_not_stick_to_altered_parameters(name: str) -> None:
    emulator = make(name)
    assert emulator.commit == "0123456789abcdef"
    altered = jax.tree.map(lambda leaf: leaf + 1, emulator)
    assert isinstance(altered, Emulator)
    assert (altered.config, altered.score, altered.provenance) == (None, None, ())
    assert altered.commit is None
    assert altered.student == emulator.student
    replaced = dataclasses.replace(emulator, params=altered.params)
    assert replaced.config is emulator.config


@both_forms
def test_it_passes_through_jit_vmap_and_grad_and_ensembles_stack(name: str) -> None:
    seeds = [make(name, seed) for seed in range(3)]
    if name == "unitary":
        # All seeds of this student begin alike where nothing is learned.
        seeds = [
            jax.tree.map(lambda leaf, by=i: leaf + 0.01 * by, each) for i, each in enumerate(seeds)
        ]
    alone = [rollout(each, GIVEN, V, 3)[-1] for each in seeds]
    assert jnp.linalg.norm(alone[0] - alone[2]) > 1e-3
    traced = []

    @jax.jit
    def jitted(emulator: Emulator) -> jax.Array:
        traced.append(1)
        return last(emulator)

    for each, expected in zip(seeds, alone, strict=True):
        np.testing.assert_allclose(jitted(each), expected, atol=2e-5)
    assert len(traced) == 1
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *seeds)
    assert count_parameters(stacked.params) == 3 * count_parameters(seeds[0].params)
    np.testing.assert_allclose(jax.vmap(last)(stacked), jnp.stack(alone), atol=2e-5)
    both = jax.vmap(jax.vmap(last, (None, 0)), (0, None))(stacked, jnp.stack([V, 0 * V]))
    np.testing.assert_allclose(both[:, 0], jnp.stack(alone), atol=2e-5)

    gradient = jax.jit(jax.grad(lambda each: jnp.sum(jnp.abs(last(each)[40:]) ** 2)))(seeds[1])
    assert isinstance(gradient, Emulator)
    assert gradient.student == seeds[1].student
    assert any(np.any(leaf) for leaf in jax.tree.leaves(gradient))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


def test_the_gradient_by_its_parameters_is_the_difference_quotient() -> None:
    with jax.enable_x64(True):
        student = UnitaryConfig(n_units=4).build(SYSTEM)
        emulator = student.bind(jax.jit(student.init)(jax.random.key(0)))
        # Away from where the network's last layer is zero and the first has no gradient.
        emulator = jax.tree.map(lambda leaf: leaf + 0.1 * jnp.cos(9 * leaf + 1), emulator)
        direction = jax.tree.map(lambda leaf: jnp.sin(7 * leaf + 2), emulator)

        @jax.jit
        def number(by: float) -> jax.Array:
            moved = jax.tree.map(lambda leaf, d: leaf + by * d, emulator, direction)
            return jnp.sum(jnp.abs(last(moved, V.astype(float))[40:]) ** 2)

        slope = float(jax.grad(number)(0.0))
        quotient = float(number(1e-5) - number(-1e-5)) / 2e-5
    assert abs(slope) > 1e-4
    # A third derivative of order 1e3 times 1e-10.
    assert slope == pytest.approx(quotient, rel=1e-6)


@both_forms
def test_it_survives_a_pickle(name: str) -> None:
    emulator = make(name)
    copy = pickle.loads(pickle.dumps(emulator))
    assert copy.student == emulator.student
    assert (copy.config, copy.score, copy.provenance) == tuple(ABOUT.values())
    jax.tree.map(np.testing.assert_array_equal, copy.params, emulator.params)
    np.testing.assert_array_equal(last(copy), last(emulator))


# What it prints.


@both_forms
def test_it_prints_what_it_is_in_a_few_lines(name: str) -> None:
    text = repr(make(name))
    assert len(text.splitlines()) < 15
    assert max(map(len, text.splitlines())) <= 100
    for part in (
        "Emulator 'small'", name, f"{count_parameters(make(name).params):,} parameters", "System",
        "lattice", "128 points on 12.5 bohr", "0.1 a.u.", "1.0e-05", "2.0e-03", "400 frames",
        "0123456789ab",
    ):  # fmt: skip
        assert part in text
    assert "0123456789abc" not in text


def test_it_prints_where_nothing_else_is_known_and_whatever_its_leaves_are() -> None:
    student = UnitaryConfig(n_units=4).build(System(Grid((8, 8), (2.0, 2.0), "continuum")))
    for params in ({"a": 0.5}, {"a": object()}, jax.eval_shape(student.init, jax.random.key(0))):
        text = repr(student.bind(params))
        assert text.startswith("Emulator\n")
        assert "8 points on 2 bohr x 8 points on 2 bohr" in text
        assert "score" not in text
        assert "commit" not in text


# Other boxes.


@both_forms
def test_it_moves_to_another_number_of_points(name: str) -> None:
    emulator = make(name)
    larger = emulator.on(Grid(256, 25.0, origin=-5.0))
    assert larger.system.grid.shape == (256,)
    assert larger.system.bounds == SYSTEM.bounds
    assert larger.params is emulator.params
    assert (larger.config, larger.provenance) == (emulator.config, emulator.provenance)
    # The score is that of the box in which it was scored.
    assert larger.score is None
    # Smooth, so that no fast waves reach the edges, where |psi| is 1e-9 at first.
    middle = packets.gaussian(SYSTEM.grid, 6.25, 0.7, 2.0)
    hill = 4 * jnp.exp(-((SYSTEM.grid.positions() - 7) ** 2))
    psi = jnp.zeros(256, PSI.dtype).at[64:192].set(middle)
    v = jnp.zeros(256).at[64:192].set(hill)
    inner = roll(larger, jnp.tile(psi, (4, 1)), v, 3)[-1, 64:192]
    expected = roll(emulator, jnp.tile(middle, (4, 1)), hill, 3)[-1]
    np.testing.assert_allclose(inner, expected, atol=1e-5)


@both_forms
@pytest.mark.parametrize(
    "grid",
    [
        Grid(256, 24.0),
        Grid(128, 12.5, "continuum"),
        Grid(128, 12.5, mass=2.0),
        Grid((128, 128), (12.5, 12.5)),
    ],
    ids=["spacing", "dispersion", "mass", "plane"],
)
def test_another_spacing_dispersion_or_mass_is_refused(name: str, grid: Grid) -> None:
    words = "`grid` must be a lattice of mass 1 with points 0.0976562 bohr apart, but is Grid"
    with pytest.raises(ValueError, match=words):
        make(name).on(grid)


def test_a_box_that_the_student_refuses_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_x` must be at least 23, but is 16"):
        make("gru").on(Grid(16, 16 * 12.5 / 128))


# Forecasts.


@both_forms
def test_a_forecast_is_a_rollout_whatever_the_potential_is_given_as(name: str) -> None:
    emulator, given = make(name), GIVEN
    x = np.asarray(SYSTEM.grid.positions())
    expected = roll(emulator, given, V, 5)
    formula = "5*(4.5 < x < 7.5)"
    for v in (
        V, np.asarray(V), np.asarray(V, np.float64), V.tolist(), np.asarray(V, int), formula,
        lambda x: jnp.where(jnp.abs(x - 6) < 1.5, 5.0, 0.0), lambda x: 5 * (abs(x - 6) < 1.5),
    ):  # fmt: skip
        np.testing.assert_allclose(emulator.forecast(given, v, 5), expected, atol=2e-5)
    assert x[0] > 0
    numpy = np.asarray(given, np.complex128)
    forecast = emulator.forecast(numpy, V, 5)
    assert forecast.dtype == jnp.complex64
    np.testing.assert_allclose(forecast, expected, atol=2e-5)


def test_an_emulator_without_a_history_needs_psi_alone() -> None:
    emulator = make("unitary")
    expected = roll(emulator, PSI[None], V, 5)
    np.testing.assert_allclose(emulator.forecast(PSI, V, 5), expected, atol=1e-6)
    np.testing.assert_allclose(emulator.forecast(PSI[None], V, 5), expected, atol=1e-6)


def test_a_real_state_becomes_complex_and_a_linear_emulator_takes_any_norm() -> None:
    emulator, real = make("unitary"), PSI.real
    assert real.dtype == jnp.float32
    expected = emulator.forecast(real.astype(complex), V, 5)
    np.testing.assert_array_equal(emulator.forecast(real, V, 5), expected)
    np.testing.assert_array_equal(emulator.forecast(np.asarray(real), V, 5), expected)
    rolled = rollout(emulator, real[None], V, 5)
    np.testing.assert_array_equal(rolled, rollout(emulator, real[None].astype(complex), V, 5))
    # Products of float32 over five frames.
    np.testing.assert_allclose(emulator.forecast(3 * real, V, 5), 3 * expected, atol=1e-5)


def test_first_frames_come_from_the_solver_that_taught() -> None:
    emulator = make("gru")
    assert emulator.solver == chebyshev(SYSTEM, 1e-4)
    forecast = emulator.forecast(PSI, V, 7)
    solved = roll(emulator.solver, PSI[None], V, 4)
    np.testing.assert_allclose(forecast[:3], solved[:3], atol=1e-6)
    given = jnp.concatenate([PSI[None], solved[:3]])
    np.testing.assert_allclose(forecast[3:], emulator.forecast(given, V, 4), atol=1e-4)
    # More frames than it needs are the same.
    longer = jnp.concatenate([PSI[None], solved])
    np.testing.assert_allclose(
        emulator.forecast(longer, V, 4), emulator.forecast(solved, V, 4), atol=1e-6
    )


def test_the_solver_is_that_of_the_config_or_chebyshevs() -> None:
    config = types.SimpleNamespace(teacher=TeacherConfig("split_step", n_substeps=12))
    emulator = dataclasses.replace(make("gru"), config=config)
    assert emulator.solver == split_step(SYSTEM, 12)
    assert isinstance(emulator.solver, SplitStep)
    unknown = jax.tree.map(lambda leaf: leaf, emulator)
    assert unknown.solver == Chebyshev(SYSTEM, 1e-5)


def test_forecasts_of_one_student_share_what_is_compiled() -> None:
    """Whatever the parameters and potentials are."""
    traced = []

    class Counted(Student):
        def step(self, params: Any, v: Any) -> Step:
            traced.append(1)
            step = split_step(self.system, 20)(v)
            return step._replace(advance=lambda psi: params * step.advance(psi))

    student = Counted("counted", SYSTEM)
    for factor, v in ((1.0, V), (2.0, 2 * V), (3.0, "5*(4.5 < x < 7.5)")):
        forecast = student.bind(jnp.array(factor)).forecast(PSI, v, 2)
        norm = jnp.linalg.norm(forecast[1]) / jnp.linalg.norm(PSI)
        assert float(norm) == pytest.approx(factor**2, rel=1e-4)
    assert len(traced) == 1


@both_forms
def test_forecasts_map_over_packets_and_potentials(name: str) -> None:
    emulator = make(name)
    psi, v = jnp.stack([PSI, PSI.conj()]), jnp.stack([V, -V])
    together = jax.jit(jax.vmap(lambda psi, v: emulator.forecast(psi, v, 5)))(psi, v)
    for i in range(2):
        np.testing.assert_allclose(together[i], emulator.forecast(psi[i], v[i], 5), atol=2e-5)


@both_forms
def test_forecasts_in_double_precision(name: str) -> None:
    with jax.enable_x64(True):
        student = FORMS[name].build(SYSTEM)
        emulator = student.bind(jax.jit(student.init)(jax.random.key(0)))
        for psi in (PSI, PSI.astype(complex), np.asarray(PSI)):
            assert emulator.forecast(psi, V, 4).dtype == jnp.complex128
        single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), emulator)
        assert single.forecast(PSI, V, 4).dtype == jnp.complex64
        assert single.forecast(PSI, V.tolist(), 4).dtype == jnp.complex128


@both_forms
@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"psi": PSI[:-1]}, r"`psi` must be of shape \(128,\), or several such frames, but is of"),
        ({"psi": PSI[None, None]}, r"`psi` must be of shape \(128,\), or several"),
        ({"psi": jnp.zeros((3, 127), complex)}, r"`psi` must be of shape \(128,\), or several"),
        ({"psi": PSI[0]}, r"`psi` must be of shape .*, but is of shape \(\)"),
        ({"psi": PSI[None][:0]}, "`psi` must be at least . frames, but is 0"),
        ({"psi": jnp.ones(128, int)}, "`psi` must be an array of complex numbers, .* int32"),
        ({"psi": [0.0] * 128}, "`psi` must be an array of complex numbers, .* list"),
        ({"psi": None}, "`psi` must be an array of complex numbers, .* NoneType"),
        ({"v": V[:-1]}, r"`v` must be of shape \(128,\), but is of shape \(127,\)"),
        ({"v": V[None]}, r"`v` must be of shape \(128,\), but is of shape \(1, 128\)"),
        ({"v": [0.0] * 127}, r"`v` must be of shape \(128,\), but is of shape \(127,\)"),
        ({"v": [[0.0], [0.0, 1.0]]}, "`v` must be an array of real numbers, but is a table with"),
        ({"v": V.at[5].set(jnp.nan)}, "`v` must be finite"),
        ({"v": V + 0j}, "`v` must be an array of real floating-point numbers, .* complex64"),
        ({"v": ["2"] * 128}, "`v` must be an array of real numbers"),
        ({"v": None}, "`v` must be an array of real numbers, but is of type object"),
        ({"v": 3.0}, r"`v` must be of shape \(128,\), but is of shape \(\)"),
        ({"v": lambda x: 3.0}, r"`v` must be of shape \(128,\), but is of shape \(\)"),
        ({"v": lambda x: 1 / (x - x)}, "`v` must be finite"),
        ({"v": "5*step(x)"}, "`formula` must be of the functions"),
        ({"n_frames": 0}, "`n_frames` must be at least ., but is 0"),
        ({"n_frames": 5.0}, "`n_frames` must be an integer, but is 5.0"),
    ],
)
def test_what_cannot_be_forecast_is_refused(name: str, given: dict, words: str) -> None:
    arguments = {"psi": PSI, "v": V, "n_frames": 5}
    with pytest.raises(ValueError, match=words):
        make(name).forecast(**(arguments | given))


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="`psi` must be at least 4 frames, but is 3"):
        make("gru").forecast(jnp.tile(PSI, (3, 1)), V, 2)
    # Of psi alone the first three frames are the solver's.
    with pytest.raises(ValueError, match="`n_frames` must be at least 4, but is 3"):
        make("gru").forecast(PSI, V, 3)


def test_bounds_are_asked_of_the_solver_alone() -> None:
    """An emulator may be tried where it was not taught; its solver would be wrong there."""
    high = jnp.where(V > 0, 20.0, 0.0)
    for v in (high, np.asarray(high), "20*(4.5 < x < 7.5)", lambda x: 20 * (abs(x - 6) < 1.5)):
        with pytest.raises(
            ValueError, match=r"`v` must be within \(-16.0, 16.0\), but is between 0"
        ):
            make("gru").forecast(PSI, v, 5)
        given = jnp.tile(PSI, (4, 1))
        assert jnp.all(jnp.isfinite(make("gru").forecast(given, v, 2)))
        assert jnp.all(jnp.isfinite(make("unitary").forecast(PSI, v, 2)))


# Systems that depend on time: frames count from the first given one.


class Forced(System):
    """A field along x that changes in time."""

    is_autonomous = False

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """V + x E cos(3 t)."""
        x = self.grid.positions(dtype=v["v0"].dtype)
        return v["v0"] + v["field"] * x * jnp.cos(3 * t)


@dataclasses.dataclass(frozen=True)
class SolverConfig(StudentConfig, name="solver"):
    """A student with nothing to learn, given more frames than it needs."""

    n_history: int = 1

    def build(self, system: System) -> "Solver":
        """The student."""
        return Solver(self, system)


class Solver(Student):
    """The split step as a student."""

    @property
    def n_history(self) -> int:
        """As its form says."""
        return self.form.n_history

    def init(self, key: Any) -> Any:
        """Nothing."""
        return {}

    def step(self, params: Any, v: Any) -> Step:
        """That of the solver, which looks at the last frame and at the time."""
        return split_step(self.system, 8)(v)


@pytest.mark.parametrize("n_history", [1, 3])
def test_frames_given_to_a_driven_system_begin_at_time_zero(n_history: int) -> None:
    system = Forced(Grid(64, 16.0, "continuum", origin=-8.0), 0.2)
    x = system.grid.positions()
    v, psi = {"v0": x**2 / 2, "field": jnp.array(2.0)}, packets.gaussian(system.grid, 0.0, 0.7, 0.0)
    truth = roll(split_step(system, 8), psi[None], v, 9)
    config = types.SimpleNamespace(teacher=TeacherConfig("split_step", n_substeps=8))
    emulator = SolverConfig(n_history=n_history).build(system).bind({}, config=config)
    np.testing.assert_allclose(emulator.forecast(psi, v, 9), truth, atol=1e-5)
    given = jnp.concatenate([psi[None], truth[:3]])
    np.testing.assert_allclose(emulator.forecast(given, v, 6), truth[3:], atol=1e-5)
    as_numpy = {"v0": np.asarray(v["v0"]), "field": 2.0}
    np.testing.assert_allclose(emulator.forecast(psi, as_numpy, 9), truth, atol=1e-5)
    # The phase of the field matters.
    assert jnp.linalg.norm(rollout(emulator, given, v, 6)[-1] - truth[-1]) > 0.1
    np.testing.assert_allclose(rollout(emulator, given, v, 6, n0=3), truth[3:], atol=1e-5)


def test_a_solver_that_is_not_needed_is_not_asked_for() -> None:
    """Chebyshev's, which stands in where no other is known, would refuse this system."""
    system = Forced(Grid(64, 16.0, "continuum", origin=-8.0), 0.2)
    psi = packets.gaussian(system.grid, 0.0, 0.7, 0.0)
    v = {"v0": jnp.zeros(64), "field": jnp.array(2.0)}
    assert SolverConfig().build(system).bind({}).forecast(psi, v, 2).shape == (2, 64)
    with pytest.raises(ValueError, match="`system` must be autonomous for the Chebyshev solver"):
        SolverConfig(n_history=3).build(system).bind({}).forecast(psi, v, 4)


def test_parameters_of_another_student_are_refused_by_their_place() -> None:
    small, large = (UnitaryConfig(n_units=n, reach=1).build(SYSTEM) for n in (2, 3))
    params = jax.jit(small.init)(jax.random.key(0))
    wrong = large.bind(params)
    words = r"`params\['landscape'\].*` must be an array of real numbers of shape"
    for forecast in (
        lambda: wrong.forecast(PSI, V, 2),
        lambda: rollout(wrong, PSI[None], V, 2),
        lambda: jax.jit(lambda v: rollout(wrong, PSI[None], v, 2))(V),
        lambda: large.dispersion(params),
    ):
        with pytest.raises(ValueError, match=words):
            forecast()
    with pytest.raises(ValueError, match="but is missing"):
        small.bind("two").forecast(PSI, V, 2)
    ensemble = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), small.bind(params))
    assert jax.vmap(lambda one: rollout(one, PSI[None], V, 1))(ensemble).shape == (2, 1, *PSI.shape)


def test_missing_frames_need_the_bounds_of_the_system() -> None:
    student = FORMS["gru"].build(dataclasses.replace(SYSTEM, bounds=None))
    emulator = Emulator(student, student.init(jax.random.key(0)))
    with pytest.raises(ValueError, match="`psi` must be 4 frames"):
        emulator.forecast(PSI, V, 3)
