import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.students import windows
from qdistill.system import System, rollout
from qdistill.teacher import chebyshev, split_step
from qdistill.training import batches
from qdistill.training.batches import BatchConfig, Block

SYSTEM = System(Grid(256, 100.0), bounds=(-16.0, 16.0))
LESSONS = ("free", "barrier")
EVEN = jnp.array([0.5, 0.5])


@functools.cache
def block_maker(config: BatchConfig) -> batches.BlockMaker:
    teacher = chebyshev(SYSTEM, 1e-5)
    return jax.jit(batches.make_block(teacher, LESSONS, config, 4, 23))


def make_block(config: BatchConfig, seed: int = 0, weights: jax.Array = EVEN) -> Block:
    return block_maker(config)(jax.random.key(seed), weights, 1.0)


SMALL = BatchConfig(n_batch=32, n_block=3, n_runs=4, n_frames=12)


def test_blocks_are_pure_in_their_key() -> None:
    first, second, other = make_block(SMALL), make_block(SMALL), make_block(SMALL, 1)
    jax.tree.map(np.testing.assert_array_equal, first, second)
    assert not jnp.allclose(first.frames, other.frames)


def test_runs_are_the_teachers() -> None:
    block = make_block(SMALL)
    later = rollout(split_step(SYSTEM, 50), block.frames[0, :1], block.v[0], 11)
    # Strang at 50 substeps errs by about 1e-4 over these 11 frames.
    for frame, expected in zip(block.frames[0, 1:], later, strict=True):
        assert jnp.linalg.norm(frame - expected) < 1e-3 * jnp.linalg.norm(expected)


def test_a_batch_is_pure_in_key_and_step() -> None:
    """Step 4 with blocks of 3 is the second batch of the block that begins at step 3."""
    maker, key = block_maker(SMALL), jax.random.key(5)
    batch = batches.make_batch(maker, SMALL, 4, 23, key, 4, EVEN, 1.0)
    block = maker(jax.random.fold_in(key, 3), EVEN, 1.0)
    jax.tree.map(np.testing.assert_array_equal, batch, batches.cut_batch(block, 1, 4, 1, 23))


def test_batches_of_a_later_stage_count_from_its_begin() -> None:
    """A stage that begins at step 4 has a block from step 7, whose second batch is of step 8."""
    maker, key = block_maker(SMALL), jax.random.key(5)
    batch = batches.make_batch(maker, SMALL, 4, 23, key, 8, EVEN, 1.0, begin=4)
    block = maker(jax.random.fold_in(key, 7), EVEN, 1.0)
    jax.tree.map(np.testing.assert_array_equal, batch, batches.cut_batch(block, 1, 4, 1, 23))
    with pytest.raises(ValueError, match="`step` must be at least 4, but is 3"):
        batches.make_batch(maker, SMALL, 4, 23, key, 3, EVEN, 1.0, begin=4)


def test_window_batches_are_windows_of_the_runs() -> None:
    block = make_block(SMALL)
    batch = batches.cut_batch(block, 1, 4, 1, 23)
    assert batch.psi.shape == (32, 5, 23)
    for i in (0, 17, 31):
        run, time, centre = (int(a[1, i]) for a in (block.run, block.time, block.centre))
        expected = windows.around(block.frames[run, time : time + 5], jnp.array([centre]), 23)
        np.testing.assert_array_equal(batch.psi[i], expected[:, 0])
        np.testing.assert_array_equal(
            batch.v[i], windows.around(block.v[run], jnp.array([centre]), 23)[0]
        )
        assert batch.lesson[i] == block.lesson[run]
        # Four frames are given, from `time` on.
        assert batch.n[i] == time + 3


def test_whole_frame_batches_are_frames_of_the_runs() -> None:
    config = BatchConfig(n_batch=4, n_block=2, n_runs=4, n_frames=12, n_target=3, examples="frames")
    block = make_block(config)
    batch = batches.cut_batch(block, 0, 4, 3)
    run, time = int(block.run[0, 2]), int(block.time[0, 2])
    np.testing.assert_array_equal(batch.psi[2], block.frames[run, time : time + 7])
    assert batch.n[2] == time + 3


def test_examples_begin_anywhere_and_end_within_the_run() -> None:
    config = BatchConfig(n_batch=500, n_block=2, n_runs=3, n_frames=12, n_target=2)
    block = make_block(config)
    assert set(np.unique(block.time)) == set(range(12 - 4 - 2 + 1))
    assert set(np.unique(block.run)) == {0, 1, 2}
    assert block.centre.min() >= 0
    assert block.centre.max() < 256


def test_windows_at_the_potential_are_fifty_times_as_likely() -> None:
    """The paper's placement, counted over many draws, within four standard deviations."""
    config = BatchConfig(n_batch=4000, n_block=5, n_runs=1, n_frames=6)
    block = make_block(config, weights=jnp.array([0.0, 1.0]))
    overlaps = np.asarray(jnp.any(windows.around_all(block.v[0] != 0, 23), axis=-1))
    n_over, n_away = overlaps.sum(), (~overlaps).sum()
    expected = 50 * n_over / (50 * n_over + n_away)
    n = block.centre.size
    share = overlaps[np.asarray(block.centre)].mean()
    assert share == pytest.approx(expected, abs=4 * float(np.sqrt(expected * (1 - expected) / n)))


def test_amplitude_placement_follows_its_weights() -> None:
    """Drawn places against `window_weights` summed to shares, over eight parts of the box."""
    config = BatchConfig(n_batch=4000, n_block=5, n_runs=1, n_frames=6, placement="amplitude")
    block = make_block(config)
    weights = batches.window_weights(config, 23, block.frames[0], block.v[0])[3:5]
    expected = (weights / weights.sum(axis=1, keepdims=True)).mean(axis=0).reshape(8, -1).sum(1)
    share = np.bincount(np.asarray(block.centre).ravel() // 32, minlength=8) / block.centre.size
    np.testing.assert_allclose(share, expected, atol=4 * np.sqrt(0.25 / block.centre.size))


def test_amplitude_weights_are_amplitudes_and_a_floor() -> None:
    config = BatchConfig(placement="amplitude", floor=0.1)
    psi = jnp.zeros((1, 256), jnp.complex64).at[0, 100].set(2.0)
    weights = batches.window_weights(config, 23, psi, jnp.zeros(256))[0]
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(weights[jnp.abs(jnp.arange(256) - 100) > 11], 0.1 / 256, rtol=1e-4)
    np.testing.assert_allclose(weights[89:112], 0.9 / 23 + 0.1 / 256, rtol=1e-4)


class Kicked(System):
    """A field along x that grows with time, between two channels of which one is empty."""

    is_autonomous = False

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """x E t."""
        return v["field"] * t * self.grid.positions(dtype=v["field"].dtype)

    def sample(self, name: str, key: Any, difficulty: Any) -> Any:
        """A packet, and a random field."""
        psi = packets.gaussian(self.grid, 8.0, 1.0, 0.0)
        return psi, {"field": jax.random.uniform(key)}


def test_examples_of_any_system_know_when_they_are() -> None:
    """From each example's own time on the solver makes its frames."""
    solver = split_step(Kicked(Grid(64, 16.0, "continuum"), 0.2), 10)
    config = BatchConfig(n_batch=6, n_block=2, n_runs=3, n_frames=9, n_target=3, examples="frames")
    block = jax.jit(batches.make_block(solver, ("own",), config, 1))(
        jax.random.key(0), jnp.ones(1), 1.0
    )
    batch = batches.cut_batch(block, 1, 1, 3)
    assert batch.v["field"].shape == (6,)
    assert len(set(batch.n.tolist())) > 1

    @jax.jit
    def follow(psi: Any, v: Any, n: Any) -> Any:
        return rollout(solver, psi[:1], v, 3, n0=n)

    np.testing.assert_allclose(jax.vmap(follow)(*batch[:3]), batch.psi[:, 1:], atol=2e-5)
    late = int(jnp.argmax(batch.n))
    early = follow(batch.psi[late], jax.tree.map(lambda leaf: leaf[late], batch.v), 0)
    assert jnp.linalg.norm(early - batch.psi[late, 1:]) > 0.1


@pytest.mark.parametrize("examples", ["windows", "frames"])
def test_blocks_in_double_precision(examples: batches.Examples) -> None:
    with jax.enable_x64(True):
        config = dataclasses.replace(SMALL, examples=examples)
        maker = batches.make_block(chebyshev(SYSTEM, 1e-9), LESSONS, config, 4, 23)
        block = jax.eval_shape(maker, jax.random.key(0), EVEN.astype(float), 1.0)
        assert block.frames.dtype == jnp.complex128
        assert block.v.dtype == jnp.float64


def test_refusals() -> None:
    with pytest.raises(ValueError, match="`n_frames` must be at least 5, the length of an example"):
        make_block(BatchConfig(n_frames=4))
    with pytest.raises(ValueError, match="`n_batch` must be at least 1, but is 0"):
        BatchConfig(n_batch=0)
    with pytest.raises(ValueError, match="`examples` must be windows or frames here"):
        make_block(BatchConfig(examples="spectra"))
