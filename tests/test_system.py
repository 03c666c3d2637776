"""The abstraction is proved on systems that the package does not have, defined here.

Each runs through a teacher, `rollout`, `vmap` over potentials, `grad`, and a step of training.
"""

import dataclasses
import functools
import itertools
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steps import roll

from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.students import Student, StudentConfig, UnitaryConfig
from qdistill.system import SYSTEMS, Step, System, rollout
from qdistill.teacher import chebyshev, split_step
from qdistill.training import batches, loop, losses
from qdistill.training.batches import BatchConfig
from qdistill.training.stages import Stage, TrainingConfig


class Absorber(System):
    """A potential with an imaginary part, which absorbs."""

    is_hermitian = False

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """V - i W."""
        return v["re"] - 1j * v["im"]

    def sample(self, name: str, key: Any, difficulty: Any) -> Any:
        """A packet that flies at the edge."""
        x = self.grid.positions()
        edge = jnp.where(x > 12, 10 * ((x - 12) / 8) ** 2, 0)
        psi = packets.gaussian(self.grid, -4.0, 1.0, 1 + jax.random.uniform(key))
        return psi, {"re": 0 * x, "im": edge}


class Oscillating(System):
    """A potential, and a field that depends on time."""

    is_autonomous = False

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """V + x E(t)."""
        return v["v0"] + self.grid.positions(dtype=v["v0"].dtype) * v["field"](t)

    def sample(self, name: str, key: Any, difficulty: Any) -> Any:
        """A packet in a harmonic trap that is shaken by a field of random strength."""
        x, field = self.grid.positions(), jax.tree_util.Partial(sine, jax.random.uniform(key))
        return packets.gaussian(self.grid, 0.0, 0.7, 0.0), {"v0": x**2 / 2, "field": field}


def sine(strength: Any, t: Any) -> Any:
    return -strength * jnp.sin(0.7 * t)


class GrossPitaevskii(System):
    """Bosons whose density adds to the potential."""

    is_linear = False

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """V + g |psi|^2."""
        return v["ext"] if psi is None else v["ext"] + v["g"] * jnp.abs(psi) ** 2

    def sample(self, name: str, key: Any, difficulty: Any) -> Any:
        """A packet of random width that attracts itself."""
        psi = packets.gaussian(self.grid, 0.0, 1 + jax.random.uniform(key), 0.5)
        return psi, {"ext": jnp.zeros(self.grid.shape), "g": jnp.array(-2.0)}


class TwoChannels(System):
    """Two electronic states that cross."""

    def sample(self, name: str, key: Any, difficulty: Any) -> Any:
        """A packet on the first state where it meets the other, with a random gap."""
        psi = packets.gaussian(self.grid, -0.5, 1.0, 20.0)
        return jnp.stack([psi, 0 * psi]), crossing(self.grid, 0.005 * jax.random.uniform(key))


def crossing(grid: Grid, gap: Any) -> Any:
    x = grid.positions()
    half = jnp.sign(x) * 0.01 * (1 - jnp.exp(-1.6 * jnp.abs(x)))
    coupling = gap * jnp.exp(-(x**2))
    return jnp.stack([jnp.stack([half, coupling]), jnp.stack([coupling, -half])])


class TwoParticles(System):
    """Two particles on one line: an axis each, and an interaction between them."""

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """V1(x1) + V2(x2) + W(x1, x2)."""
        return v["one"][:, None] + v["two"][None, :] + v["pair"]

    def sample(self, name: str, key: Any, difficulty: Any) -> Any:
        """Two packets that meet, and a repulsion of random strength."""
        x1, x2 = self.grid.positions(0), self.grid.positions(1)
        psi = packets.gaussian(self.grid, (-2.0, 2.0), (1.0, 1.0), (2.0, -2.0))
        empty = jnp.zeros(self.grid.shape[0])
        pair = 2 * jax.random.uniform(key) / jnp.cosh(x1 - x2) ** 2
        return psi, {"one": empty, "two": empty, "pair": pair}


class Setting(NamedTuple):
    system: System
    n_substeps: int
    # A function of one number that `grad` and `vmap` see, as the potential.
    scaled: Callable[[Any], Any]


def scale(system: System, by: Any) -> Any:
    """The potential of a lesson, its last part multiplied."""
    _, v = system.sample("own", jax.random.key(3), 1.0)
    if isinstance(system, TwoChannels):
        return crossing(system.grid, 0.005 * by)
    if isinstance(system, Oscillating):
        return v | {"field": jax.tree_util.Partial(sine, by)}
    last = list(v)[-1]
    return v | {last: by * v[last]}


LINE = Grid(128, 32.0, "continuum", origin=-16.0)
SYSTEMS_HERE = {
    "absorbing": Absorber(Grid(96, 30.0, "continuum", origin=-10.0), 0.2),
    "driven": Oscillating(LINE, 0.1),
    "gross-pitaevskii": GrossPitaevskii(LINE, 0.05),
    "two-channels": TwoChannels(
        Grid(512, 60.0, "continuum", origin=-30.0, mass=2000.0), 10.0, n_channel=2
    ),
    "two-particles": TwoParticles(Grid((32, 32), (24.0, 24.0), "continuum", origin=-12.0), 0.05),
}
NAMES = list(SYSTEMS_HERE)


@functools.cache
def example(name: str) -> tuple[Any, Any]:
    """Psi and a potential of a system's lesson, in single precision."""
    return jax.jit(lambda key: SYSTEMS_HERE[name].sample("own", key, 1.0))(jax.random.key(0))


@pytest.mark.parametrize("name", NAMES)
def test_a_system_of_ones_own_is_a_value_and_known_by_its_name(name: str) -> None:
    system = SYSTEMS_HERE[name]
    assert hash(system) == hash(dataclasses.replace(system))
    assert system == dataclasses.replace(system)
    assert system != dataclasses.replace(system, dt=2 * system.dt)
    assert SYSTEMS[type(system).__name__] is type(system)


@pytest.mark.parametrize("name", NAMES)
def test_split_steps_converge_to_second_order(name: str) -> None:
    system, (psi, v) = SYSTEMS_HERE[name], example(name)
    with jax.enable_x64(True):
        psi, v = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf, leaf.dtype)), (psi, v))
        psi = psi.astype(complex)
        v = jax.tree.map(lambda leaf: leaf.astype(float), v)

        @functools.partial(jax.jit, static_argnums=0)
        def last(n_substeps: int) -> Any:
            return rollout(split_step(system, n_substeps), psi[None], v, 10)[-1]

        coarse, fine, finest = last(8), last(16), last(128)
    errors = [np.linalg.norm(psi - finest) / np.linalg.norm(finest) for psi in (coarse, fine)]
    assert 3.5 < errors[0] / errors[1] < 4.5
    assert finest.dtype == np.complex128


@pytest.mark.parametrize("name", NAMES)
def test_vmap_over_potentials_is_each_alone(name: str) -> None:
    system, (psi, _) = SYSTEMS_HERE[name], example(name)
    solver, factors = split_step(system, 8), jnp.array([0.5, 1.5])

    @jax.jit
    def last(by: Any) -> Any:
        return rollout(solver, psi[None], scale(system, by), 5)[-1]

    together = jax.jit(jax.vmap(last))(factors)
    for i, by in enumerate(factors):
        np.testing.assert_allclose(together[i], last(by), atol=2e-6)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    system = SYSTEMS_HERE[name]
    with jax.enable_x64(True):
        psi, _ = jax.jit(lambda key: system.sample("own", key, 1.0))(jax.random.key(0))
        solver = split_step(system, 8)
        pattern = np.cos(np.arange(psi.size)).reshape(psi.shape)

        @jax.jit
        def number(by: Any) -> Any:
            frames = rollout(solver, psi[None], scale(system, by), 5)
            return jnp.sum(pattern * jnp.abs(frames[-1]) ** 2) + jnp.real(frames[-1].ravel()[40])

        slope, step = float(jax.grad(number)(jnp.asarray(0.8))), 1e-4
        there, back = (float(number(jnp.asarray(0.8 + s))) for s in (step, -step))
    assert abs(slope) > 1e-6
    assert slope == pytest.approx((there - back) / (2 * step), rel=1e-5)


@dataclasses.dataclass(frozen=True)
class SharesConfig(StudentConfig, name="shares"):
    """One learned drift between two learned kicks; nothing else."""

    def build(self, system: System) -> "Shares":
        """The student."""
        return Shares(self, system)


class Shares(Student):
    """A student in a few lines: a clamped split step of one pair with a learned duration."""

    def init(self, key: Any) -> Any:
        """One number."""
        return {"factor": jnp.array(0.9)}

    def step(self, params: Any, v: Any) -> Step:
        """The frame of a system whose frame is a little shorter."""
        solver = split_step(self.system, 4)(v)
        return solver._replace(
            advance=lambda state: jax.tree.map(
                lambda new, old: (
                    params["factor"] * new + (1 - params["factor"]) * old
                    if jnp.iscomplexobj(new)
                    else new
                ),
                solver.advance(state),
                state,
            )
        )


@pytest.mark.parametrize("form", [UnitaryConfig(), SharesConfig()], ids=["unitary", "own"])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_of_training_lowers_the_loss(name: str, form: StudentConfig) -> None:
    system = SYSTEMS_HERE[name]
    student = form.build(system)
    stage = Stage(
        n_steps=2,
        batches=BatchConfig(
            n_batch=4, n_block=2, n_runs=4, n_frames=6, n_target=2, examples="frames"
        ),
        peak_rate=3e-3,
        final_rate=3e-3,
        warm_up=0.0,
        weight_decay=0.0,
    )
    lessons, config = CurriculumConfig(("free",)), TrainingConfig((stage,))
    (trainer,) = loop.make_trainers(student, split_step(system, 8), lessons, config)
    state = trainer.init(jax.random.key(0))
    block = trainer.make_block(state)
    after, metrics = trainer.train_block(state, block)
    assert metrics["is_finite"]
    loss = losses.rollout_loss(student, 2)
    mean = jax.jit(lambda params: loss(params, batches.cut_batch(block, 0, 1, 2), state.key).mean())
    old, new = (mean(params) for params in (state.params, after.params))
    assert new < old


@pytest.mark.parametrize("name", NAMES)
def test_students_of_any_system_follow_the_precision(name: str) -> None:
    """The highest among frames, potential and parameters."""
    system = SYSTEMS_HERE[name]
    student = UnitaryConfig(n_units=4).build(system)
    with jax.enable_x64(True):
        both = {}
        for real in (jnp.float32, jnp.float64):
            cast = lambda leaf, real=real: leaf.astype(  # noqa: E731
                jnp.result_type(real, jnp.complex64) if jnp.iscomplexobj(leaf) else real
            )
            both[real] = (
                *jax.eval_shape(lambda c=cast: jax.tree.map(c, example(name))),
                jax.eval_shape(lambda c=cast: jax.tree.map(c, student.init(jax.random.key(0)))),
            )

        def last(*dtypes: Any) -> Any:
            return jax.eval_shape(
                lambda psi, v, params: rollout(student.bind(params), psi[None], v, 2)[-1],
                *(both[dtype][i] for i, dtype in enumerate(dtypes)),
            )

        single, double = jnp.float32, jnp.float64
        assert last(single, single, single).dtype == jnp.complex64
        for mixed in itertools.product((single, double), repeat=3):
            if double in mixed:
                assert last(*mixed).dtype == jnp.complex128


@pytest.mark.parametrize("name", NAMES)
def test_an_emulator_forecasts_any_system(name: str) -> None:
    """By its own door, which takes the system's potentials; here as NumPy arrays."""
    system = SYSTEMS_HERE[name]
    student = UnitaryConfig(n_units=4, start="informed").build(system)
    emulator = student.bind(jax.jit(student.init)(jax.random.key(0)))
    psi, v = example(name)
    expected = roll(emulator, psi[None], v, 3)
    forecast = emulator.forecast(np.asarray(psi), jax.tree.map(np.asarray, v), 3)
    np.testing.assert_allclose(forecast, expected, atol=2e-6)
    assert pickle.loads(pickle.dumps(student)) == student


@pytest.mark.parametrize("name", [name for name in NAMES if name != "absorbing"])
def test_backwards_undoes_forwards(name: str) -> None:
    """A system of negative dt counts its frames from zero downwards: its times are n dt too."""
    system, (psi, v) = SYSTEMS_HERE[name], example(name)
    there = rollout(split_step(system, 8), psi[None], v, 6, n0=2)[-1]
    back = dataclasses.replace(system, dt=-system.dt)
    again = rollout(split_step(back, 8), there[None], v, 6, n0=-8)[-1]
    # 100 pairs of FFTs in float32; the potential that depends on psi sees it rounded.
    assert float(jnp.linalg.norm(again - psi) / jnp.linalg.norm(psi)) < 1e-4
    assert float(jnp.linalg.norm(there - psi) / jnp.linalg.norm(psi)) > 0.01


def test_two_halves_of_a_driven_rollout_are_the_whole() -> None:
    system, (psi, v) = SYSTEMS_HERE["driven"], example("driven")
    solver = split_step(system, 8)
    whole = rollout(solver, psi[None], v, 40)
    later = rollout(solver, whole[:20], v, 20, n0=20)
    np.testing.assert_allclose(later, whole[20:], atol=1e-5)
    assert jnp.linalg.norm(rollout(solver, whole[:20], v, 20)[-1] - whole[-1]) > 1e-2


def test_the_absorber_has_every_printed_digit() -> None:
    """WavePacket's acceptance test: what is left of the norm at t = 4, 5, ..., 10."""
    dx = 30 / 96
    system = Absorber(Grid(96, 30.0, "continuum", origin=-10.0 - dx), 1.0)
    with jax.enable_x64(True):
        x = system.grid.positions(dtype=float)
        psi = jnp.exp(-((x + 5) ** 2) / 2 + 2j * x)
        psi = psi / jnp.linalg.norm(psi) / dx**0.5
        v = {"re": 0 * x, "im": jnp.where(x > 12, 10 * ((x - 12) / 8) ** 2, 0)}
        left = rollout(
            split_step(system, 400), psi[None], v, 10, observe=lambda p: jnp.sum(abs(p) ** 2) * dx
        )
    np.testing.assert_allclose(
        left[3:], [0.9999, 0.996, 0.9615, 0.8678, 0.7319, 0.5905, 0.4666], atol=6e-5
    )


def test_the_mean_of_a_driven_oscillator_follows_the_classical_path() -> None:
    system = SYSTEMS_HERE["driven"]
    with jax.enable_x64(True):
        x, strength, f = system.grid.positions(dtype=float), 0.4, 0.7
        psi = packets.gaussian(system.grid, 0.0, 0.5**0.5, 0.0, float)
        v = {"v0": x**2 / 2, "field": jax.tree_util.Partial(sine, jnp.asarray(strength))}
        mean = rollout(
            split_step(system, 20), psi[None], v, 100,
            observe=lambda psi: jnp.sum(x * abs(psi) ** 2) * system.grid.cell,
        )  # fmt: skip
    t = 0.1 * np.arange(1, 101)
    path = strength / (1 - f**2) * (np.sin(f * t) - f * np.sin(t))
    # Second order in 0.005: some 2e-5 of the amplitude.
    np.testing.assert_allclose(mean, path, atol=2e-5)


def test_a_bright_soliton_keeps_its_shape() -> None:
    system = GrossPitaevskii(Grid(512, 80.0, "continuum", origin=-40.0), 0.05)
    with jax.enable_x64(True):
        x, g, k = np.asarray(system.grid.positions(dtype=float)), 2.0, 0.8
        soliton = lambda t: g**0.5 / 2 / np.cosh(g * (x - k * t) / 2)  # noqa: E731
        psi = jnp.asarray(soliton(0.0) * np.exp(1j * k * x))
        v = {"ext": jnp.zeros(512), "g": jnp.asarray(-g)}
        last = rollout(split_step(system, 10), psi[None], v, 200, every=200)[0]
    np.testing.assert_allclose(abs(last), soliton(10.0), atol=2e-4)


def test_tullys_first_model_has_its_published_probabilities() -> None:
    """At momentum 20, averaged over the packet: .5070 below and .4930 above."""
    grid = Grid(1024, 60.0, "continuum", origin=-30.0, mass=2000.0)
    system = TwoChannels(grid, 10.0, n_channel=2)
    psi = packets.gaussian(grid, -10.0, 1.0, 20.0)
    start = jnp.stack([psi, 0 * psi])
    last = roll(split_step(system, 10), start[None], crossing(grid, 0.005), 220, every=220)[0]
    right = grid.positions() > 0
    upper, lower = np.sum(np.abs(np.asarray(last)[:, right]) ** 2, axis=1) * grid.cell
    assert float(lower) == pytest.approx(0.5070, abs=1e-3)
    assert float(upper) == pytest.approx(0.4930, abs=1e-3)


def test_chebyshev_solves_channels_as_split_steps_do() -> None:
    system, (psi, v) = SYSTEMS_HERE["two-channels"], example("two-channels")
    exact = rollout(chebyshev(system, 1e-6), psi[None], v, 5)[-1]
    split = roll(split_step(system, 40), psi[None], v, 5)[-1]
    assert float(jnp.linalg.norm(exact - split) / jnp.linalg.norm(exact)) < 1e-4


@pytest.mark.parametrize("name", ["absorbing", "driven", "gross-pitaevskii"])
def test_chebyshev_is_refused_where_it_does_not_apply(name: str) -> None:
    with pytest.raises(ValueError, match=r"Argument `system` must be .* for the Chebyshev solver"):
        chebyshev(SYSTEMS_HERE[name])


def test_exchange_symmetry_of_two_particles_is_kept() -> None:
    system, (psi, v) = SYSTEMS_HERE["two-particles"], example("two-particles")
    last = roll(split_step(system, 8), (psi + psi.T)[None], v, 20)[-1]
    np.testing.assert_allclose(last, last.T, atol=2e-6)
