"""The paper's students, made of windows, and what all students have in common."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import PyTree
from steps import roll

from qdistill import students
from qdistill.physics.grid import Grid
from qdistill.runs import presets, pretrained
from qdistill.students import (
    FORMS,
    Student,
    StudentConfig,
    UnitaryConfig,
    WindowConfig,
    WindowedConfig,
    windowed,
    windows,
)
from qdistill.students.feedforward import Conv, Linear
from qdistill.students.gru import GRU
from qdistill.system import Propagator, Step, System, rollout

LINE = System(Grid(64, 10.0))
HISTORY = jax.random.normal(jax.random.key(1), (4, 64), jnp.complex64)
V = jax.random.normal(jax.random.key(2), (64,))


def form(name: str) -> StudentConfig:
    """A small student of a name."""
    if name in windowed.NETWORKS:
        return WindowedConfig(name, n_units=8)
    return {"unitary": UnitaryConfig, "propagator": students.PropagatorConfig}[name]()


NAMES = [*windowed.NETWORKS, "unitary", "propagator"]


def init(student: Student, seed: int = 0) -> PyTree:
    return jax.jit(student.init)(jax.random.key(seed))


def shapes(student: Student) -> PyTree:
    return jax.eval_shape(student.init, jax.random.key(0))


def test_gru_has_the_papers_size() -> None:
    """The published 40,204, less 69 x 46 rows for a doubled state and 2 x 69 doubled biases."""
    assert (
        students.count_parameters(shapes(WindowedConfig().build(System())))
        == 40_204 - 69 * 46 - 2 * 69
    )


def test_gru_equals_flax_gru_cell() -> None:
    """The fused kernels give what `nn.GRUCell` with ReLU candidates gives, run frame by frame."""
    network = GRU()
    window = jax.random.normal(jax.random.key(1), (4, 23, 3))
    params = jax.jit(network.init)(jax.random.key(0), window)["params"]
    params["candidate_bias"] = jax.random.normal(jax.random.key(2), (69,))

    kernels = jnp.split(params["input"]["kernel"], 3, axis=1)
    biases = jnp.split(params["input"]["bias"], 3)
    recurrent = jnp.split(params["recurrent"], 3, axis=1)
    cell_params = {
        **{
            f"i{gate}": {"kernel": kernel, "bias": bias}
            for gate, kernel, bias in zip("rzn", kernels, biases, strict=True)
        },
        **{f"h{gate}": {"kernel": k} for gate, k in zip("rzn", recurrent, strict=True)},
    }
    cell_params["hn"]["bias"] = params["candidate_bias"]
    cell = nn.GRUCell(69, activation_fn=nn.relu)
    state = jnp.zeros(69)
    for frame in window.reshape(4, 69):
        encoder = params["encoder"]
        encoded = nn.relu(frame @ encoder["kernel"] + encoder["bias"])
        state, _ = cell.apply({"params": cell_params}, state, encoded)
    decoder = params["decoder"]
    expected = (state @ decoder["kernel"] + decoder["bias"]).reshape(23, 2)
    forecast = jnp.asarray(network.apply({"params": params}, window))
    np.testing.assert_allclose(forecast, expected, rtol=1e-4, atol=1e-5)


def test_recurrent_kernels_start_orthogonal() -> None:
    params = init(WindowedConfig().build(System()))
    for kernel in jnp.split(params["recurrent"], 3, axis=1):
        np.testing.assert_allclose(kernel.T @ kernel, np.eye(69), atol=1e-5)


class Persistence(nn.Module):
    """Forecasts the last given frame again."""

    @nn.compact
    def __call__(self, window: jax.Array) -> jax.Array:
        return window[-1, :, :2]


@pytest.fixture
def persistence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of one's own, known for the time of a test."""
    for table in (windowed.NETWORKS, FORMS):
        # Its removal is what the monkeypatch takes back.
        monkeypatch.setitem(table, "persistence", None)
        del table["persistence"]
    students.register("persistence", Persistence)


@pytest.mark.usefixtures("persistence")
@pytest.mark.parametrize("n_history", [1, 4])
@pytest.mark.parametrize("gauge", [False, True])
def test_windowed_student_stitches_what_its_network_says(gauge: bool, n_history: int) -> None:
    """Whatever more frames it is given than it needs."""
    form = WindowedConfig("persistence", windows=WindowConfig(gauge=gauge, n_history=n_history))
    student = form.build(LINE)
    assert student.n_history == n_history
    assert students.count_parameters(init(student)) == 0
    later = roll(student.bind({}), HISTORY, jnp.zeros(64), 5)
    np.testing.assert_allclose(later, jnp.tile(HISTORY[-1], (5, 1)), rtol=1e-4, atol=1e-5)


def test_step_moves_the_history_on() -> None:
    student = WindowedConfig(n_units=8).build(LINE)
    params = init(student)
    step = student.step(params, V)
    new = step.advance(step.encode(HISTORY, jnp.array(3)))
    np.testing.assert_array_equal(new[:3], HISTORY[1:])
    np.testing.assert_array_equal(step.decode(new), new[-1])
    # Point 20 by hand: every window that covers it, weighted.
    forecast_window = jax.jit(student.forecast_window)
    total = jnp.zeros((), jnp.complex64)
    for offset, weight in zip(windows.offsets(23), windows.stitching_weights(23, 2.8), strict=True):
        centre = jnp.array([20 - offset])
        forecast = forecast_window(
            params, windows.around(HISTORY, centre, 23)[:, 0], windows.around(V, centre, 23)[0]
        )
        total += weight * forecast[11 + offset]
    np.testing.assert_allclose(new[-1, 20], total, rtol=1e-4)


def test_windowed_students_are_translation_invariant() -> None:
    student = WindowedConfig(n_units=8).build(LINE)
    emulator = student.bind(init(student))
    moved = roll(emulator, jnp.roll(HISTORY, 7, axis=1), jnp.roll(V, 7), 2)
    np.testing.assert_allclose(moved, jnp.roll(roll(emulator, HISTORY, V, 2), 7, axis=1), atol=1e-6)


def test_gauged_students_are_homogeneous() -> None:
    student = WindowedConfig(n_units=8, windows=WindowConfig(gauge=True)).build(LINE)
    emulator, v, factor = student.bind(init(student)), jnp.ones(64), 0.3 - 0.7j
    # The floor of 3e-4 enters squared: relative deviations of about 1e-6.
    np.testing.assert_allclose(
        roll(emulator, factor * HISTORY, v, 1),
        factor * roll(emulator, HISTORY, v, 1),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_a_student_is_by_construction(name: str) -> None:
    student = form(name).build(System(Grid(256, 25.0)))
    is_windowed = name in windowed.NETWORKS
    assert isinstance(student, students.Windowed) == is_windowed
    assert student.n_history == (4 if is_windowed else 1)
    assert student.is_linear != is_windowed
    assert student.is_unitary == (name == "unitary")
    assert not isinstance(student, Propagator)
    assert isinstance(student.bind({}), Propagator)
    assert hash(student) == hash(form(name).build(System(Grid(256, 25.0))))
    assert student == form(name).build(System(Grid(256, 25.0)))
    assert student != form(name).build(System(Grid(256, 25.0), dt=0.2))


def test_gradients_that_a_gauge_stops_are_said_to_be_wrong() -> None:
    plain, gauged = (
        WindowedConfig(windows=WindowConfig(gauge=gauge)).build(LINE) for gauge in (False, True)
    )
    assert plain.is_differentiable
    assert not gauged.is_differentiable


class Pushed(System):
    is_autonomous = False


class Fading(System):
    is_hermitian = False


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize(
    ("system", "words"),
    [
        (System(Grid((64, 64), (8.0, 8.0))), "`grid` must be one-dimensional for this student"),
        (System(Grid(22, 8.0)), "`n_x` must be at least 23, but is 22"),
        (Pushed(Grid(64, 8.0)), "`system` must be autonomous and Hermitian for this student"),
        (Fading(Grid(64, 8.0)), "`system` must be autonomous and Hermitian for this student"),
    ],
)
def test_windowed_students_refuse_what_they_cannot_forecast(system: System, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        WindowedConfig().build(system)


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"`name` must be one of 'linear'.*, but is 'oracle'"):
        WindowedConfig("oracle")
    with pytest.raises(ValueError, match="`n_units` must be at least 1, but is 0"):
        WindowedConfig(n_units=0)


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        ("linear", 69 * 46 + 46),
        ("dense", (69 * 69 + 69) + (4 * 69 * 69 + 69) + (69 * 46 + 46)),
        ("conv", (4 * 16 + 16) + (16 * 69 * 69 + 69) + (69 * 46 + 46)),
        ("lstm", (69 * 69 + 69) + (2 * 69 * 4 * 69 + 4 * 69) + (69 * 46 + 46)),
    ],
)
def test_the_papers_other_students_have_its_sizes(name: str, n_parameters: int) -> None:
    params = shapes(WindowedConfig(name).build(System()))
    assert students.count_parameters(params) == n_parameters


def test_the_linear_student_is_affine_and_sees_the_last_frame_only() -> None:
    network = Linear()
    one, other = jax.random.normal(jax.random.key(1), (2, 4, 23, 3))
    params = jax.jit(network.init)(jax.random.key(0), one)

    @jax.jit
    def forecast(window: jax.Array) -> jax.Array:
        return jnp.asarray(network.apply(params, window))

    mean = (forecast(one) + forecast(other)) / 2
    np.testing.assert_allclose(forecast((one + other) / 2), mean, atol=1e-6)
    np.testing.assert_array_equal(forecast(one.at[:3].set(0)), forecast(one))


def test_the_convolution_is_one_over_the_frames() -> None:
    """Its filters equal those of a convolution with a (4, 1) kernel over (frames, features)."""
    network = Conv()
    window = jax.random.normal(jax.random.key(1), (4, 23, 3))
    params = jax.jit(network.init)(jax.random.key(0), window)["params"]
    convolution = nn.Conv(16, (4, 1), padding="VALID")
    kernel = params["filters"]["kernel"].reshape(4, 1, 1, 16)
    filtered = convolution.apply(
        {"params": {"kernel": kernel, "bias": params["filters"]["bias"]}},
        window.reshape(1, 4, 69, 1),
    )
    hidden = (
        nn.relu(jnp.asarray(filtered)).reshape(-1) @ params["dense"]["kernel"]
        + params["dense"]["bias"]
    )
    expected = nn.relu(hidden) @ params["decoder"]["kernel"] + params["decoder"]["bias"]
    forecast = jnp.asarray(network.apply({"params": params}, window))
    np.testing.assert_allclose(forecast.ravel(), expected, atol=1e-5)


def trees() -> dict[str, dict[str, tuple[int, ...]]]:
    """The arrays in the packaged files, by place."""
    with_arrays = {}
    for path in pretrained.FOLDER.glob("*.npz"):
        with np.load(path) as arrays:
            with_arrays[path.stem] = {n: a.shape for n, a in arrays.items() if n != "about"}
    return with_arrays


@pytest.mark.parametrize(("name", "arrays"), trees().items())
def test_trees_of_parameters_are_those_of_the_packaged_files(name: str, arrays: dict) -> None:
    """Places and shapes, without the config in the file: parameters of old runs stay readable."""
    continuum = Grid(1024, 100.0, "continuum")
    form = {
        "gru": WindowedConfig(),
        "gru-wide": WindowedConfig(),
        "propagator": students.PropagatorConfig(),
    }.get(name, UnitaryConfig())
    if name.startswith("informed") and not name.endswith("newton"):
        form = UnitaryConfig(int(name[9]), "informed", reach=16, n_units=32)
    system = System(continuum if "continuum" in name or name == "propagator" else Grid())
    if name == "tully":
        form, system = presets.PRESETS[name][1].student, presets.PRESETS[name][1].system
    leaves = jax.tree.leaves_with_path(shapes(form.build(system)))
    places = {jax.tree_util.keystr(at, simple=True, separator="/"): x.shape for at, x in leaves}
    assert places == arrays


@pytest.mark.parametrize("is_double", [False, True], ids=["c64", "c128"])
@pytest.mark.parametrize("name", NAMES)
def test_every_student_makes_frames_in_the_precision_of_its_inputs(
    name: str, is_double: bool
) -> None:
    """Parameters have that of the session; the highest among all decides."""
    with jax.enable_x64(is_double):
        student = form(name).build(System(Grid(256, 25.0)))
        params = init(student)
        for leaf in jax.tree.leaves(params):
            assert leaf.dtype == (jnp.float64 if is_double else jnp.float32)
        frames = jax.random.normal(jax.random.key(1), (4, 256), complex)
        later = roll(student.bind(params), frames, jnp.ones(256), 2)
        assert later.shape == (2, 256)
        assert later.dtype == (jnp.complex128 if is_double else jnp.complex64)
        assert jnp.all(jnp.isfinite(later))
        if is_double:
            single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params)
            inputs = frames.astype(jnp.complex64), jnp.ones(256, jnp.float32)
            for given, precision in ((single, jnp.complex64), (params, jnp.complex128)):
                run = jax.eval_shape(lambda p: rollout(student.bind(p), *inputs, 2), given)
                assert run.dtype == precision
            mixed = roll(student.bind(single), frames, jnp.ones(256), 2)
            assert mixed.dtype == jnp.complex128


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize("name", NAMES)
def test_potentials_and_frames_that_are_none_are_refused(name: str) -> None:
    student = form(name).build(System(Grid(256, 25.0)))
    emulator = student.bind(init(student))
    frames = jnp.zeros((4, 256), jnp.complex64)
    for v, message in (
        (jnp.full(256, jnp.nan), "`v` must be finite"),
        (jnp.zeros((256, 2)), r"`v` must be of shape \(256,\), but is of shape \(256, 2\)"),
        (jnp.zeros(256, int), "`v` must be an array of real floating-point numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            rollout(emulator, frames, v, 1)
    with pytest.raises(ValueError, match=r"must be of shape \(n_t, 256\)"):
        rollout(emulator, frames[:, :250], jnp.zeros(256), 1)
    if student.n_history > 1:
        with pytest.raises(ValueError, match="`frames` must be at least 4 frames, but is 3"):
            rollout(emulator, frames[:3], jnp.zeros(256), 1)


class OwnConfig(StudentConfig):
    """Of a student without methods."""

    def build(self, system: System) -> Student:
        """One that does nothing."""
        return Student(self, system)


def test_a_student_of_ones_own_without_a_method_is_refused_by_its_name() -> None:
    with pytest.raises(NotImplementedError, match="StudentConfig has no method `build`"):
        StudentConfig().build(LINE)
    student = OwnConfig().build(LINE)
    with pytest.raises(NotImplementedError, match="Student has no method `init`"):
        student.init(jax.random.key(0))
    with pytest.raises(NotImplementedError, match="Student has no method `step`"):
        rollout(student.bind({}), HISTORY, V, 1)


@dataclasses.dataclass(frozen=True)
class Wrong(Student):
    """A student whose step is the one in its form."""

    def init(self, key: jax.Array) -> PyTree:
        """No parameters."""
        return {}

    def step(self, params: PyTree, v: PyTree) -> Any:
        """Whatever was asked for."""
        return self.form


def last(frames: jax.Array, n: jax.Array) -> jax.Array:
    """The state of the students below."""
    return frames[-1]


def same(psi: jax.Array) -> jax.Array:
    """A step that changes nothing."""
    return psi


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (same, "that returns a Step, but is one that returns function"),
        (
            Step(last, same, lambda psi: psi[None]),
            r"`decode` .* \(64,\), .* complex64\[1, 64\]",
        ),
        (Step(last, same, lambda psi: psi[0]), r"`decode` .* shape \(64,\), .* complex64\[\]\."),
        (Step(last, same, jnp.real), r"`decode` returns psi, complex .* returns float32\[64\]"),
        (
            Step(last, lambda psi: psi[:32], same),
            r"`advance` .*64\[64\], .* complex64\[32\]",
        ),
        (Step(last, lambda psi: (psi, psi), same), r"`advance` .* \(complex64\[64\], complex64"),
    ],
)
@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.usefixtures("without_checker")
def test_a_student_of_the_wrong_output_is_refused_by_its_name(
    step: Any, words: str, every: int
) -> None:
    emulator = Wrong(step, LINE).bind({})
    with pytest.raises(ValueError, match=rf"`Wrong\.step` must be one .*{words}"):
        rollout(emulator, HISTORY, V, 4, every=every)


def test_a_network_of_the_wrong_output_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Flat(nn.Module):
        """One number a point, where two are wanted."""

        @nn.compact
        def __call__(self, inputs: jax.Array) -> jax.Array:
            """Re psi of the last frame."""
            return inputs[-1, :, 0]

    monkeypatch.setitem(windowed.NETWORKS, "flat", Flat)
    monkeypatch.setitem(FORMS, "flat", WindowedConfig)
    emulator = WindowedConfig("flat").build(LINE).bind({})
    words = (
        r"`network Flat` must be one .* of shape \(23, 2\), but is one that returns shape \(23,\)"
    )
    with pytest.raises(ValueError, match=words):
        rollout(emulator, HISTORY, V, 1)


def test_networks_drawn_together_are_those_drawn_alone_by_one_call_of_lapack() -> None:
    """Several calls for many networks may wait for each other for ever, on two cores."""
    student, keys = form("gru").build(LINE), jax.random.split(jax.random.key(0), 3)
    together = jax.jit(jax.vmap(student.init))
    assert str(together.lower(keys).compile().as_text()).count("lapack_sgeqrf") == 1
    for i, each in enumerate(keys):
        alone = jax.jit(student.init)(each)
        jax.tree.map(
            lambda all_, one, i=i: np.testing.assert_allclose(all_[i], one, atol=1e-6),
            together(keys),
            alone,
        )
        square = np.asarray(alone["recurrent"])[:, :8]
        np.testing.assert_allclose(square @ square.T, np.eye(8), atol=1e-5)
