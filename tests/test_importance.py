"""Importance of lessons: games with known shares, and students trained next to each other."""

import dataclasses
import itertools
import json
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts
import small

from qdistill import teacher
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.insight import importance
from qdistill.insight.importance import games, trainings
from qdistill.physics import families
from qdistill.physics.grid import Grid
from qdistill.system import System
from qdistill.training import loop
from qdistill.training.batches import BatchConfig

MEMBERS = games.coalitions(5)
# A coarse grid, and two stages of one small block.
SYSTEM = System(Grid(160), bounds=(-16.0, 16.0))
STAGE = dataclasses.replace(
    small.FRAMES,
    noise=0.0,
    batches=BatchConfig(2, 2, 2, n_frames=4, n_target=2, examples="frames"),
)
TINY = importance.Study(
    system=SYSTEM,
    curriculum=CurriculumConfig(lessons=("free", "trapping")),
    training=dataclasses.replace(small.UNITARY.training, stages=(STAGE, STAGE)),
)
SOLVER = teacher.make(TINY.teacher, SYSTEM)
STUDENT = TINY.student.build(SYSTEM)


def by_orders(values: np.ndarray, n: int) -> np.ndarray:
    """The definition: what a player adds, mean over all orders of joining."""
    shares = np.zeros(n)
    for order in itertools.permutations(range(n)):
        coalition = 0
        for player in order:
            shares[player] += values[coalition | 1 << player] - values[coalition]
            coalition |= 1 << player
    return shares / math.factorial(n)


def test_shares_sum_to_what_all_earn_and_are_the_mean_over_orders() -> None:
    values = np.random.default_rng(0).normal(size=(3, 32))
    shares = games.shapley(values)
    np.testing.assert_allclose(shares.sum(axis=1), values[:, -1] - values[:, 0], atol=1e-14)
    np.testing.assert_allclose(shares[0], by_orders(values[0], 5), atol=1e-14)


def test_an_additive_game_gives_everyone_their_own() -> None:
    own = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    values = 7.0 + MEMBERS @ own
    for shares in (games.shapley, games.leave_one_out, games.only_one):
        np.testing.assert_allclose(shares(values), own, atol=1e-14)
    np.testing.assert_allclose(games.interactions(values), 0, atol=1e-14)


def test_a_unanimity_game_is_shared_by_those_who_are_needed() -> None:
    needed = np.array([True, False, True, True, False])
    values = np.all(MEMBERS[:, needed], axis=1).astype(float)
    np.testing.assert_allclose(games.shapley(values), needed / 3, atol=1e-14)
    np.testing.assert_allclose(games.leave_one_out(values), needed)
    np.testing.assert_allclose(games.only_one(values), 0)
    # 1 / (|T| - 1) for two of the needed, and nothing for others: Grabisch and Roubens (1999).
    pairs = np.outer(needed, needed) / 2 * (1 - np.eye(5))
    np.testing.assert_allclose(games.interactions(values), pairs, atol=1e-14)


def test_the_glove_game() -> None:
    """One left glove, two right ones; a pair is worth 1."""
    members = games.coalitions(3)
    values = (members[:, 0] & (members[:, 1] | members[:, 2])).astype(float)
    np.testing.assert_allclose(games.shapley(values), [2 / 3, 1 / 6, 1 / 6])
    # Left and right complement each other; two right ones replace each other.
    pairs = [[0, 1 / 2, 1 / 2], [1 / 2, 0, -1 / 2], [1 / 2, -1 / 2, 0]]
    np.testing.assert_allclose(games.interactions(values), pairs)


def made_up(noise: float) -> importance.Errors:
    """Lessons 0 and 1 are copies: either takes a decade off; lesson 2 takes off half of one."""
    members, rng = games.coalitions(3), np.random.default_rng(1)
    decades = np.where(members[:, 0] | members[:, 1], 1.0, 0) + 0.5 * members[:, 2]
    shape = (6, 8, 3, 4)
    spread = 10 ** rng.normal(size=(2, *shape), scale=noise)
    errors = 0.9 * 10 ** -decades[:, None, None] * spread
    return importance.Errors(("a", "b", "c"), ("x", "y", "z"), *errors)


def test_made_up_errors_have_their_importance() -> None:
    found = importance.analyse(made_up(0.0))
    assert found.columns == (
        "lesson: a", "lesson: b", "lesson: c", "x", "y", "z", "all potentials",
    )  # fmt: skip
    for ends in found.shares:
        np.testing.assert_allclose(ends, np.tile([0.5, 0.5, 0.5], (7, 1)), atol=1e-12)
    np.testing.assert_allclose(found.pairs.mean[-1, 0, 1], -1)
    np.testing.assert_allclose(found.leave_one_out.mean[-1], [0, 0, 0.5], atol=1e-12)
    np.testing.assert_allclose(found.only_one.mean[-1], [1, 1, 0.5])
    words = str(found).splitlines()[2].split()
    assert words[:7] == ["a", "0.50", "(0.50", "to", "0.50)", "0.00", "1.00"]
    row = found.numbers["decades_of_error"]["all potentials"]
    assert row["value_by_coalition"]["a+c"] == pytest.approx(1.5 - math.log10(0.9))
    assert row["interaction"]["a+b"]["mean"] == pytest.approx(-1)


def test_copies_of_a_lesson_get_equal_shares_within_their_intervals() -> None:
    found = importance.analyse(made_up(0.05))
    first, second, _ = found.shares.mean[-1]
    assert first != second
    assert found.shares.low[-1, 0] < second < found.shares.high[-1, 0]
    assert found.shares.low[-1, 1] < first < found.shares.high[-1, 1]
    assert np.all(found.shares.low <= found.shares.mean)
    assert np.all(found.shares.mean <= found.shares.high)


def test_no_forecast_is_worth_less_than_none() -> None:
    errors = np.array([[[0.1, 0.1], [5.0, np.inf]]])
    np.testing.assert_allclose(importance.skill(errors), [[1.0, 0.0]])


def test_trainings_together_are_those_of_fit_and_copies_are_equal() -> None:
    copies = CurriculumConfig(lessons=("trapping", "trapping"))
    weights = trainings.coalition_weights(games.coalitions(2))
    *_, last = trainings.train(STUDENT, SOLVER, copies, TINY.training, weights, [3] * 3)
    assert last.step == 8
    taught = dataclasses.replace(copies, weights=(1.0, 0.0))
    trainers = loop.make_trainers(STUDENT, SOLVER, taught, TINY.training)
    state = trainers[0].init(jax.random.key(3))
    first = trainings.initial_params(STUDENT, [3])
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[0], b), first, state.params)
    for new, _ in loop.fit(trainers, TINY.training.boundaries, state):
        state = new
    for many, one in zip(jax.tree.leaves(last.params), jax.tree.leaves(state.params), strict=True):
        np.testing.assert_allclose(many[0], one, rtol=1e-4, atol=1e-6)
        # Either copy alone, or both: the same experiments, so the same student.
        np.testing.assert_allclose(many[1:], jnp.stack([many[0]] * 2), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("grid", [Grid(256), Grid(512, 40.0, "continuum", mass=4.0)])
def test_packets_are_about_to_meet_a_potential_of_each_family(grid: Grid) -> None:
    system = System(grid)
    truth = importance.sample_potentials(system, 0, n_case=1, n_frames=2)
    assert truth.family == tuple(families.FAMILIES)
    assert truth.given.shape == (len(truth), 4, *grid.shape)
    x = np.asarray(grid.positions())
    for psi, v in zip(truth.given[:, -1], truth.v, strict=True):
        density = np.abs(psi) ** 2
        centre = np.sum(x * density) / density.sum()
        # It has come nearer than where it was made, a fifth of the box at most.
        assert 0.2 * grid.lengths[0] < centre < grid.middle[0] + 0.1 * grid.lengths[0]
        assert np.any(v)


def test_errors_of_many_trainings_are_those_of_each() -> None:
    system = System(Grid(128, 40.0))
    student = TINY.student.build(system)
    truth = importance.sample_potentials(system, 0, n_case=2, n_frames=2)
    params = trainings.initial_params(student, [0, 1])
    errors = importance.examine(student, params, truth)
    assert errors.shape == (2, len(families.FAMILIES), 2)
    for i, each in enumerate(errors):
        one = student.bind(jax.tree.map(lambda leaf, i=i: leaf[i], params))
        frames = one.forecast(truth.given[3], truth.v[3], 2)
        wrong = np.linalg.norm(frames - truth.frames[3], axis=-1)
        error = wrong / np.linalg.norm(truth.frames[3], axis=-1)
        assert each[1, 1] == pytest.approx(np.mean(error), rel=1e-4)


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_in_a_sentence() -> None:
    staged = dataclasses.replace(TINY.curriculum, plan="ramped")
    one = CurriculumConfig(lessons=("barrier",))
    two = np.eye(2)

    def train(weights: np.ndarray, seeds: list[int], n_at_once: int = 1) -> None:
        next(trainings.train(STUDENT, SOLVER, TINY.curriculum, TINY.training, weights, seeds,
                             n_at_once))  # fmt: skip

    for call, message in (
        (lambda: games.coalitions(0), "`n_player` must be at least 1"),
        (lambda: games.coalitions(13), "`n_player` must be between 1 and 12"),
        (lambda: games.shapley(np.zeros(6)), "`values` must be one for each of 2^n coalitions"),
        (lambda: games.shapley(np.array([0, np.nan])), "`values` must be finite"),
        (
            lambda: importance.skill(np.full((1, 1, 1), np.nan)),
            "`errors` must be between 0 and inf",
        ),
        (lambda: importance.Study(n_seed=0), "`n_seed` must be at least 1"),
        (lambda: importance.Study(curriculum=staged), "`plan` must be 'constant'"),
        (lambda: importance.Study(curriculum=one), "`lessons` must be 2 to 8 different ones"),
        (lambda: train(0 * two, [0, 0]), "`weights` must be not negative"),
        (lambda: train(two, [0]), "`seeds` must be one for each of 2"),
        (lambda: train(two, [0, 0], 0), "`n_at_once` must be at least 1"),
    ):
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert message in str(refusal.value)


def test_smoke_run_writes_numbers_and_figures(tmp_path: pathlib.Path) -> None:
    out, two = tmp_path / "out", ("--curriculum.lessons", "free", "trapping")
    done = scripts.run("importance", "quick", "--smoke", "--out", str(out), *two)
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "metrics.json").read_text())["decades_of_error"]
    overall = report[importance.OVERALL]
    earned = overall["value_by_coalition"]["free+trapping"] - overall["value_by_coalition"]["none"]
    shares = [share["mean"] for share in overall["shapley"].values()]
    assert sum(shares) == pytest.approx(earned)
    settings = json.loads((out / "config.json").read_text())
    assert settings["study"]["curriculum"]["lessons"] == ["free", "trapping"]
    for name in ("shares.png", "family_shares.png"):
        assert (out / name).stat().st_size > 10_000
    assert "Shapley (95%)" in done.stdout
    again = scripts.run("importance", "quick", "--smoke", "--out", str(out))
    assert again.returncode == 1
    assert "is not an empty folder" in again.stderr


def test_backwards_in_time_packets_meet_the_potentials_too() -> None:
    ahead, back = (
        importance.sample_potentials(System(Grid(256, 50.0), dt), 3, 1, 2) for dt in (0.2, -0.2)
    )
    np.testing.assert_allclose(back.given, jnp.conj(ahead.given), atol=1e-4)
    np.testing.assert_array_equal(back.v, ahead.v)
