"""The one loop: what it returns, what it keeps, and what it refuses."""

import dataclasses
import functools
import gc
from collections.abc import Callable
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill import _programs
from qdistill.physics import packets
from qdistill.physics.grid import Grid, norm
from qdistill.students import UnitaryConfig
from qdistill.system import Propagator, Step, System, Wrapped, rollout
from qdistill.teacher import chebyshev, dense, split_step

SYSTEM = System(Grid(32, 8.0))
SOLVER = split_step(SYSTEM, 4)
V = jnp.zeros(32)
PSI = packets.gaussian(SYSTEM.grid, 4.0, 0.7, 1.0)


def test_rollout_is_repeated_application_without_the_start() -> None:
    frames = rollout(SOLVER, PSI[None], V, 3)
    assert frames.shape == (3, 32)
    step, psi = SOLVER(V), PSI
    for frame in frames:
        psi = jax.jit(step.advance)(psi)
        # Three frames of float32 rounding.
        np.testing.assert_allclose(frame, psi, atol=1e-6)


def test_observe_sees_every_frame_and_may_return_a_tree() -> None:
    frames = rollout(SOLVER, PSI[None], V, 4)
    seen = rollout(
        SOLVER, PSI[None], V, 4, observe=lambda psi: {"first": psi[0], "density": abs(psi) ** 2}
    )
    np.testing.assert_allclose(seen["first"], frames[:, 0], atol=1e-6)
    np.testing.assert_allclose(seen["density"], abs(frames) ** 2, atol=1e-6)


@dataclasses.dataclass(frozen=True)
class Fibonacci:
    """A frame is the sum of the two before it; its state is a tree that knows when it is."""

    system: System = SYSTEM
    n_history: ClassVar[int] = 2
    is_linear: ClassVar[bool] = True
    is_unitary: ClassVar[bool] = False
    is_differentiable: ClassVar[bool] = True

    def __call__(self, v) -> Step:
        """The step, whatever the potential is."""
        return Step(
            lambda frames, n: {"last": (frames[0], frames[1]), "n": n},
            lambda s: {"last": (s["last"][1], sum(s["last"])), "n": s["n"] + 1},
            lambda s: s["last"][1] + 1000j * s["n"],
        )


def test_the_state_may_be_a_tree_and_counts_from_n0() -> None:
    assert isinstance(Fibonacci(), Propagator)
    frames = jnp.array([9, 0, 1])[:, None] * jnp.ones(32, complex)[None]
    for n0 in (0, 7, np.int64(7), jnp.array(7)):
        later = rollout(Fibonacci(), frames, V, 5, n0=n0)
        np.testing.assert_array_equal(later[:, 5].real, [1, 2, 3, 5, 8])
        np.testing.assert_array_equal(later[:, 5].imag, 1000 * (int(n0) + np.arange(1, 6)))


def test_n0_may_be_traced_and_mapped() -> None:
    frames = jnp.ones((2, 32), complex)
    run = jax.jit(jax.vmap(lambda n0: rollout(Fibonacci(), frames, V, 2, n0=n0)[:, 0].imag))
    np.testing.assert_array_equal(run(jnp.array([3, 5])), [[4000, 5000], [6000, 7000]])


def test_memory_is_that_of_what_is_observed() -> None:
    """A million frames of 8 million bytes each would not fit; their norms do."""

    def n_bytes(observe) -> int:
        run = jax.jit(lambda psi: rollout(SOLVER, psi[None], V, 1000, observe=observe))
        memory = run.lower(PSI).compile().memory_analysis()
        assert memory is not None
        return memory.output_size_in_bytes + memory.temp_size_in_bytes

    all_frames = 1000 * 32 * 8
    assert n_bytes(lambda psi: psi) >= all_frames
    norms = lambda psi: norm(SYSTEM.grid, psi)  # noqa: E731
    assert n_bytes(norms) < all_frames / 10
    assert rollout(SOLVER, PSI[None], V, 1000, observe=norms).shape == (1000,)


def test_every_third_frame_is_that_of_the_whole_rollout() -> None:
    frames = rollout(SOLVER, PSI[None], V, 6)
    np.testing.assert_allclose(rollout(SOLVER, PSI[None], V, 6, every=3), frames[2::3], atol=1e-6)
    (last,) = rollout(SOLVER, PSI[None], V, 6, every=6)
    np.testing.assert_allclose(last, frames[-1], atol=1e-6)
    with pytest.raises(ValueError, match="`n_frames` must be a multiple of every = 4, but is 6"):
        rollout(SOLVER, PSI[None], V, 6, every=4)


def test_frames_and_potentials_may_be_numpy_and_frames_real() -> None:
    expected = rollout(SOLVER, PSI[None], V, 2)
    given = np.asarray(PSI)[None]
    np.testing.assert_allclose(rollout(SOLVER, given, np.asarray(V), 2), expected, atol=1e-7)
    real = rollout(SOLVER, np.ones((1, 32)), V, 2)
    assert real.dtype == jnp.complex64
    np.testing.assert_allclose(real, 1, atol=1e-6)


def test_a_gradient_passes_through_kept_and_passed_over_frames() -> None:
    with jax.enable_x64(True):
        psi = PSI.astype(complex)

        @functools.partial(jax.jit, static_argnums=1)
        def far(height, every):
            v = jnp.where(jnp.arange(32) > 16, height, 0.0)
            last = rollout(SOLVER, psi[None], v, 4, every=every)[-1]
            return jnp.sum(jnp.abs(last[16:]) ** 2)

        slopes = [float(jax.grad(far)(2.0, every)) for every in (1, 4)]
        quotient = float(far(2.0 + 1e-5, 1) - far(2.0 - 1e-5, 1)) / 2e-5
    assert slopes[0] == pytest.approx(quotient, rel=1e-7)
    assert slopes[1] == pytest.approx(slopes[0], rel=1e-12)


@dataclasses.dataclass(frozen=True)
class Halved(Wrapped):
    """Another propagator in half the potential."""

    def __call__(self, v) -> Step:
        """The other one's step."""
        return self.of(v / 2)


def test_a_propagator_made_of_another_is_like_it() -> None:
    halved = Halved(SOLVER)
    assert isinstance(halved, Propagator)
    for name in ("system", "n_history", "is_linear", "is_unitary", "is_differentiable"):
        assert getattr(halved, name) == getattr(SOLVER, name)
    np.testing.assert_array_equal(
        rollout(halved, PSI[None], V + 2, 2), rollout(SOLVER, PSI[None], V + 1, 2)
    )


GOOD = {"propagator": SOLVER, "frames": PSI[None], "v": V, "n_frames": 2}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_frames": 0}, "`n_frames` must be at least 1, but is 0"),
        ({"n_frames": -3}, "`n_frames` must be at least 1, but is -3"),
        ({"n_frames": 2.0}, "`n_frames` must be an integer, but is 2.0"),
        ({"every": 0}, "`every` must be at least 1, but is 0"),
        ({"every": "2"}, "`every` must be an integer, but is '2'"),
        ({"n0": 2**40}, "`n0` must be an index of 32 bits, but is 1099511627776"),
        ({"n0": 0.5}, "`n0` must be an integer, but is 0.5"),
        ({"n0": jnp.zeros(3, int)}, "`n0` must be an integer"),
        ({"n0": "3"}, "`n0` must be an integer, but is '3'"),
        ({"propagator": SOLVER(V)}, "`propagator` must be a solver or an emulator, but is Step"),
        ({"propagator": UnitaryConfig().build(SYSTEM)}, r"becomes one by student.bind\(params\)"),
        ({"propagator": Fibonacci()}, "`frames` must be at least 2 frames, but is 1"),
        (
            {"frames": PSI},
            r"`frames` must be of shape \(n_t, 32\), but is of shape \(32,\). One is",
        ),
        (
            {"frames": PSI[None, :, None]},
            r"`frames` must be of shape .*, but is of shape \(1, 32, ",
        ),
        ({"frames": PSI[None, :0]}, r"`frames` must be of shape .*, but is of shape \(1, 0\)"),
        ({"frames": jnp.zeros((0, 32), complex)}, "`frames` must be at least 1 frames, but is 0"),
        ({"frames": jnp.ones((1, 32), int)}, "an array of complex numbers, but is of type int32"),
        ({"frames": [PSI]}, "`frames` must be an array of complex numbers, but is of type list"),
        ({"frames": PSI[None] * jnp.nan}, "`frames` must be finite"),
        ({"v": jnp.zeros((2, 32))}, r"`v` must be of shape \(32,\), but is of shape \(2, 32\)"),
        ({"v": 0.0}, r"`v` must be of shape \(32,\), but is of shape \(\)"),
        ({"v": V.at[3].set(jnp.inf)}, "`v` must be finite"),
        ({"v": {"v": V}}, "`v` must be an array of real .*, but is of type dict"),
        ({"v": "5*x"}, r"`v` must be an array .*, but is '5\*x'. `system.as_potential\(v\)` makes"),
        ({"v": jnp.sin}, r"`v` must be an array of real .* `system.as_potential\(v\)` makes it"),
        ({"v": np.array(["2"] * 32)}, "`v` must be made of numbers"),
        ({"v": np.zeros(32, bool)}, "`v` must be an array of real .*, but is of type bool"),
    ],
)
@pytest.mark.usefixtures("without_checker")
def test_what_cannot_be_rolled_out_is_refused(given, words) -> None:
    with pytest.raises(ValueError, match=words):
        rollout(**(GOOD | given))


@pytest.mark.usefixtures("without_checker")
def test_shapes_and_types_are_refused_inside_jit_too() -> None:
    for v in (jnp.zeros(31), jnp.zeros(32, int), jnp.zeros(32, jnp.complex64)):
        with pytest.raises(ValueError, match="`v` must be"):
            jax.jit(lambda v: rollout(SOLVER, PSI[None], v, 1))(v)
    with pytest.raises(ValueError, match="`frames` must be"):
        jax.jit(lambda psi: rollout(SOLVER, psi, V, 1))(PSI)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """An entry for each program that an empty cache lacks."""
    found: list[None] = []
    compile_it = jax.stages.Lowered.compile

    def count(lowered: jax.stages.Lowered) -> jax.stages.Compiled:
        found.append(None)
        return compile_it(lowered)

    monkeypatch.setattr(_programs, "PROGRAMS", {})
    monkeypatch.setattr(jax.stages.Lowered, "compile", count)
    return found


def test_rollouts_outside_jit_share_a_few_programs(compiled: list[None]) -> None:
    def count() -> int:
        gc.collect()
        return len(jax.devices()[0].client.live_executables())

    def roll(n: int, height: float = 0.0) -> jax.Array:
        return rollout(SOLVER, PSI[None], V + height, n)

    first, higher = roll(3), roll(3, 1.0)
    assert len(compiled) == 1
    # A constant potential turns the phase.
    np.testing.assert_allclose(higher[2], first[2] * np.exp(-0.3j), atol=1e-6)
    np.testing.assert_array_equal(higher, jax.jit(roll, static_argnums=0)(3, 1.0))
    before = count()
    np.testing.assert_array_equal(roll(3), first)
    assert count() <= before
    for n in range(4, 4 + _programs.N_PROGRAMS):
        roll(n)
    assert len(compiled) == 1 + _programs.N_PROGRAMS
    assert len(_programs.PROGRAMS) == _programs.N_PROGRAMS
    assert count() <= before + _programs.N_PROGRAMS
    np.testing.assert_array_equal(roll(3), first)


def test_programs_that_differ_in_their_text_alone_are_not_shared(compiled: list[None]) -> None:
    """A function of NumPy, the number of terms of a solver, and the names of observations."""
    for function in (np.cos, np.sin):

        def observe(psi: jax.Array, function: Callable = function) -> jax.Array:
            return jax.pure_callback(function, psi.real, psi.real)

        seen = rollout(SOLVER, PSI[None], V, 1, observe=observe)
        frames = rollout(SOLVER, PSI[None], V, 1)
        np.testing.assert_allclose(seen, function(frames.real), atol=1e-6)
    assert len(compiled) == 1
    solver = chebyshev(SYSTEM, 1e-6)
    for height in (1.0, 100.0):
        v = height * jnp.cos(2 * jnp.pi * SYSTEM.grid.positions() / 8.0)
        frames = rollout(solver, PSI[None], v, 1)
        exact = rollout(dense(solver), PSI[None], v, 1)
        np.testing.assert_allclose(frames, exact, atol=1e-4)
    for name in ("a", "b"):

        def named(psi: jax.Array, name: str = name) -> dict[str, jax.Array]:
            return {name: psi}

        assert list(rollout(SOLVER, PSI[None], V, 1, observe=named)) == [name]
