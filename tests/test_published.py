"""The paper's own training: its fixed windows, resumed trainings, and the rows of changes."""

import dataclasses
import itertools
import json
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts

from experiments.published import changes, fixed_windows, published
from experiments.published.fixed_windows import FixedWindows, Parameters
from qdistill.curriculum import sampling
from qdistill.physics import potentials
from qdistill.runs import folder, presets
from qdistill.runs.config import Config
from qdistill.training.batches import cut_batch

N_T, N_X, N_WINDOW, N_HISTORY = 41, 128, 23, 4


@pytest.fixture(scope="module")
def data() -> FixedWindows:
    """Windows of two runs with random frames."""
    rng = np.random.default_rng(3)
    frames = rng.normal(size=(2, N_T, N_X)) + 1j * rng.normal(size=(2, N_T, N_X))
    positions = jnp.arange(N_X) * 100 / N_X
    v = jnp.stack([potentials.barrier(positions, h, 7.0, 50.0) for h in (2.0, 5.0)])
    codes = fixed_windows.choose(np.asarray(v), N_T, N_HISTORY, N_WINDOW, rng)
    return FixedWindows(jnp.asarray(frames, jnp.complex64), v, codes)


def test_windows_are_drawn_without_replacement(data: FixedWindows) -> None:
    # 90% of the 37 times at which five frames begin, and 10% of the positions.
    assert data.codes.shape == (2 * 33 * 13,)
    assert len(np.unique(data.codes)) == len(data.codes)
    time = data.codes // N_X % N_T
    assert time.min() >= 0
    assert time.max() <= N_T - N_HISTORY - 1


def test_windows_near_the_barrier_are_preferred(data: FixedWindows) -> None:
    # The first of the draws overlaps with a probability of 50 n / (50 n + N_X - n); the following
    # ones hardly less often, since 13 are drawn of some 31.
    near = np.sum(np.asarray(data.v[0]) != 0) + N_WINDOW - 1
    centre = data.codes % N_X
    share = np.mean(np.abs(centre - N_X // 2 + 1) <= near / 2)
    first = 50 * near / (50 * near + N_X - near)
    later = 50 * (near - 13) / (50 * (near - 13) + N_X - near)
    n = len(data.codes)
    assert later - 3 / np.sqrt(n) < share < first + 3 / np.sqrt(n)


def test_an_epoch_has_every_window_once(data: FixedWindows) -> None:
    blocks = data.blocks(seed=5, n_batch=4, n_block=3)
    n_blocks = len(data.codes) // 12
    seen = []
    for _ in range(n_blocks):
        block = next(blocks)
        codes = (np.asarray(block.run) * N_T + np.asarray(block.time)) * N_X
        seen.append((codes + np.asarray(block.centre)).ravel())
    joined = np.concatenate(seen)
    assert len(np.unique(joined)) == len(joined)
    assert set(joined) <= set(data.codes)
    assert len(data.codes) - len(joined) < 12


def test_blocks_go_on_where_a_training_stopped(data: FixedWindows) -> None:
    per_epoch = len(data.codes) // 12
    blocks = data.blocks(seed=5, n_batch=4, n_block=3)
    for n in range(per_epoch + 2):
        expected = next(blocks)
        if n in (0, 1, per_epoch - 1, per_epoch, per_epoch + 1):
            again = next(data.blocks(seed=5, n_batch=4, n_block=3, step=3 * n))
            np.testing.assert_array_equal(again.centre, expected.centre)
            np.testing.assert_array_equal(again.time, expected.time)


def test_a_window_is_cut_where_its_code_says(data: FixedWindows) -> None:
    code = data.codes[17]
    run, time, centre = code // N_X // N_T, code // N_X % N_T, code % N_X
    batch = cut_batch(data.block(np.array([[code]])), 0, N_HISTORY, 1, N_WINDOW)
    points = (centre + np.arange(-11, 12)) % N_X
    expected = np.asarray(data.frames)[run, time : time + 5][:, points]
    np.testing.assert_array_equal(batch.psi[0], expected)
    np.testing.assert_array_equal(batch.v[0], np.asarray(data.v)[run, points])


def test_too_few_windows_for_a_block_are_refused(data: FixedWindows) -> None:
    with pytest.raises(ValueError, match=re.escape("n_block")):
        next(data.blocks(seed=0, n_batch=100, n_block=100))


def test_runs_are_those_of_the_lesson() -> None:
    # The lesson draws one of the 567 runs, so each of its samples is among them.
    system = Config().system
    frames, v = fixed_windows.simulate(system, Parameters(), 2, n_runs=2)
    _, (psi, u) = jax.vmap(
        lambda key: sampling.sample(key, system, ("paper-demo",), jnp.ones(1), 1.0)
    )(jax.random.split(jax.random.key(1), 4000))
    distances = np.max(np.abs(np.asarray(psi) - np.asarray(frames[1, 0])), axis=1)
    distances += np.max(np.abs(np.asarray(u) - np.asarray(v[1])), axis=1)
    # That run is missed by 4,000 draws with a probability of (566/567)^4000 < 1e-3.
    assert distances.min() < 1e-6
    np.testing.assert_allclose(
        np.sum(np.abs(np.asarray(frames)) ** 2, axis=-1) * system.grid.dx[0], 1, atol=2e-5
    )


def test_a_stopped_training_goes_on(tmp_path: pathlib.Path) -> None:
    whole = published.smoke(dataclasses.replace(published.Args(), out=tmp_path / "whole"))
    config = published.config_of(whole)
    setup = folder.set_up(config)
    runs = fixed_windows.simulate(config.system, Parameters(), 501, n_runs=1)
    args = (setup.student, setup.trainers[0], *runs, 7)
    state, losses = published.train(whole, *args)
    parts = dataclasses.replace(whole, trainings=tmp_path / "parts")
    published.train(dataclasses.replace(parts, n_steps=4), *args)
    again, joined = published.train(parts, *args)
    assert joined == losses
    assert int(again.step) == 8
    for one, other in zip(
        jax.tree.leaves(state.params), jax.tree.leaves(again.params), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_rows_lead_from_the_paper_to_gru_wide() -> None:
    args = changes.Args()
    first, last = changes.config_of("published", args), changes.config_of("batch", args)
    paper, wide = (presets.PRESETS[name][1] for name in ("paper-demo", "gru-wide"))
    assert first.student == paper.student
    assert last.student == wide.student
    assert last.curriculum == wide.curriculum
    (of_paper,), (of_wide,) = paper.training.stages, wide.training.stages
    begin, end = first.training.stages[0], last.training.stages[0]
    assert dataclasses.replace(of_wide, n_steps=args.n_steps) == end
    batches = dataclasses.replace(of_paper.batches, n_block=args.n_block)
    assert dataclasses.replace(of_paper, n_steps=args.n_steps, batches=batches) == begin


def test_rows_differ_each_from_the_one_before() -> None:
    made = [changes.config_of(name, changes.Args()) for name in changes.CHANGES]
    # The first two differ in their windows, not in their settings.
    assert made[0] == made[1]
    assert all(one != other for one, other in itertools.pairwise(made[1:]))


def test_gains_are_paired_decades() -> None:
    rows = {
        "published": {"0": {"mean_infidelity": 0.1}, "1": {"mean_infidelity": 1.0}},
        "fresh": {"0": {"mean_infidelity": 0.01}, "1": {"mean_infidelity": 0.1}},
    }
    ((name, gain),) = changes.gains(rows)
    assert name == "fresh"
    assert gain["mean"] == pytest.approx(1)


def test_smoke_run_scores_next_to_the_paper(tmp_path: pathlib.Path) -> None:
    done = scripts.run("published", "--smoke", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert found["published"]["correlation"] == pytest.approx(0.929, abs=5e-4)
    assert len(found["published"]["cases"]) == 25
    assert set(found["trainings"]["1"]["cases"]) == set(found["published"]["cases"])
