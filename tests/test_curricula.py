"""The study of curricula: orders of examples, controls, schedules, and comparisons."""

import collections
import dataclasses
import json
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts

from experiments.curriculum import (
    curricula,
    hardness,
    recurrent,
    syllabus,
    taught,
    taught_scores,
)
from experiments.curriculum.curricula import Keeper
from experiments.curriculum.syllabus import PLANS, Shape, Syllabus
from experiments.curriculum.taught import Classroom
from qdistill.curriculum import CurriculumConfig
from qdistill.forecast import cases
from qdistill.physics.grid import Grid
from qdistill.students import UnitaryConfig
from qdistill.system import System
from qdistill.teacher import chebyshev
from qdistill.training import loop
from qdistill.training.batches import BatchConfig
from qdistill.training.stages import Stage, TrainingConfig

SYSTEM = System(Grid(64, 40.0), bounds=(-16.0, 16.0))
STAGE = Stage(
    n_steps=10,
    batches=BatchConfig(n_batch=2, n_block=2, n_runs=3, n_frames=4, n_target=2, examples="frames"),
)
ROOM = Classroom(
    UnitaryConfig(n_units=2, reach=2).build(SYSTEM),
    chebyshev(SYSTEM, 1e-5),
    TrainingConfig((STAGE,)),
    CurriculumConfig().lessons,
)
SHAPE = Shape(5, 2, 3)


def shown(of: Syllabus, seed: int = 0) -> list[tuple[int, bytes]]:
    """Lesson, potential and first frame of all runs in the order in which they are shown."""
    state = taught.first_state(ROOM, seed)
    found = []
    for block in range(SHAPE.n_blocks):
        at = state._replace(step=jnp.asarray(block * SHAPE.n_block, jnp.int32))
        made = make_block(of, at)
        for i in range(SHAPE.n_runs):
            example = np.asarray(made.v[i]).tobytes() + np.asarray(made.frames[i, 0]).tobytes()
            found.append((int(made.lesson[i]), example))
    return found


make_block = jax.jit(lambda of, state: taught.make_block(ROOM, 0, of, state))


def test_the_classroom_has_the_shape_of_its_stages() -> None:
    assert ROOM.shape == SHAPE
    assert curricula.frames_of(ROOM) == 5 * 3 * 3


def test_sorted_plans_show_the_examples_of_mixed_in_another_order() -> None:
    mixed = syllabus.of_plan("mixed", SHAPE)
    as_drawn = shown(mixed)
    assert max(collections.Counter(as_drawn).values()) == 1
    for plan, back, order in (
        ("easy to hard", "hard to easy", "by hardness"),
        ("staged", "staged, reversed", "by lesson"),
    ):
        (rank,) = taught.ranks_of(ROOM, mixed, [0], order)
        first, last = (syllabus.of_plan(name, SHAPE, rank) for name in (plan, back))
        assert np.all(np.diff(rank[np.asarray(first.runs).ravel()]) >= 0)
        np.testing.assert_array_equal(last.runs, first.runs[::-1])
        seen = shown(first)
        assert seen != as_drawn
        assert collections.Counter(seen) == collections.Counter(as_drawn)
        if order == "by lesson":
            lessons = [lesson for lesson, _ in seen]
            assert lessons == sorted(lessons)
            assert [lesson for lesson, _ in as_drawn] == rank.tolist()


def test_sorted_in_each_stage_every_run_is_shown_in_its_stage() -> None:
    shape = SHAPE._replace(n_blocks=4, n_stages=2)
    rank = np.random.default_rng(0).permutation(4 * 3)
    first, last = (
        np.asarray(syllabus.of_plan(f"{name}, each stage", shape, rank.tolist()).runs)
        for name in ("easy to hard", "hard to easy")
    )
    for stage in (slice(0, 2), slice(2, 4)):
        assert np.all(np.diff(rank[first[stage].ravel()]) > 0)
        np.testing.assert_array_equal(last[stage], first[stage][::-1])
        assert sorted(first[stage].ravel()) == list(range(3 * stage.start, 3 * stage.stop))


def test_few_runs_are_shown_again_and_again() -> None:
    few = syllabus.of_few(4, SHAPE, 0)
    counts = np.bincount(np.asarray(few.runs).ravel())
    assert counts.tolist() == [4, 4, 4, 3] or sorted(counts.tolist()) == [3, 4, 4, 4]
    mixed = syllabus.of_plan("mixed", SHAPE)
    assert set(shown(few)) == set(shown(mixed)[:4])
    # As many as are shown: those of `mixed`, each once.
    assert collections.Counter(shown(syllabus.of_few(15, SHAPE, 0))) == collections.Counter(
        shown(mixed)
    )


def test_adaptive_trainings_and_their_yoked_controls_have_the_same_schedule(
    tmp_path: pathlib.Path,
) -> None:
    names = ("adaptive", "adaptive, yoked", "mixed")
    keeper = Keeper(ROOM, 2, tmp_path)
    done = {name: keeper.trainings(name) for name in names}
    own, yoked = done["adaptive"], done["adaptive, yoked"]
    for of in ("weights", "difficulty"):
        first, other = getattr(own, of), getattr(yoked, of)
        np.testing.assert_allclose(other[0], first[1], atol=1e-6)
        np.testing.assert_allclose(other[1], first[0], atol=1e-6)
        assert not np.allclose(first[0], first[1], atol=1e-6)
    np.testing.assert_allclose(done["mixed"].weights, 0.2, rtol=1e-6)
    # Nothing is known before the first block: equal weights, and the easiest examples.
    np.testing.assert_allclose(own.weights[:, 0], 0.2, rtol=1e-5)
    np.testing.assert_array_equal(own.difficulty[:, 0], 0)
    again = {name: Keeper(ROOM, 2, tmp_path).trainings(name) for name in names}
    jax.tree.map(np.testing.assert_array_equal, done, again)
    assert len(list(tmp_path.glob("*.npz"))) == 3


def test_schedules_are_those_of_the_library() -> None:
    """A block's weights and difficulty, of every mode, next to those that the trainer logs."""
    state = taught.first_state(ROOM, 0)._replace(
        step=jnp.asarray(4, jnp.int32),
        lesson_losses=jnp.array([[1e-2, 1.0, 0.3, jnp.nan, 1e-5], [1e-1, 1.0, 0.1, jnp.nan, 1e-3]]),
    )
    for name in ("ramped", "loss-driven", "adaptive"):
        of = syllabus.of_plan(name, SHAPE)
        weights, difficulty = taught.schedule(ROOM, of, state)
        losses = state.lesson_losses if name == "adaptive" else state.lesson_losses[-1]
        (trainer,) = loop.make_trainers(ROOM.student, ROOM.teacher, PLANS[name][0], ROOM.training)
        at = state._replace(lesson_losses=losses)
        _, metrics = trainer.train_block(at, make_block(of, state))
        for row, own in zip(weights, difficulty, strict=True):
            np.testing.assert_allclose(row, metrics["lesson_weights"], rtol=2e-5, atol=1e-7)
            assert float(row @ own) == pytest.approx(float(metrics["difficulty"]), rel=2e-5)


def test_the_fixed_model_finds_fast_packets_hard() -> None:
    """Its dispersion is wrong for fast waves, and difficulty makes free packets faster."""
    errors = hardness.of_lessons(System(Grid(256, 50.0)), ("free",), 4, 3, 0)
    assert errors.shape == (1, 5, 4)
    assert np.all(np.diff(np.log(errors).mean(axis=-1)) > 0)


def test_comparisons_are_paired_and_corrected() -> None:
    scatter = np.linspace(-0.5, 0.5, 10)
    small = 0.01 * np.cos(np.arange(10.0))

    def skill(shift: float) -> dict:
        return dict.fromkeys(taught_scores.SETS, scatter + shift + small * (shift != 0))

    found = taught_scores.compare(
        {
            "mixed": skill(0),
            "adaptive": skill(0.3),
            "adaptive, yoked": skill(0.3),
            "ramped": skill(-1),
        }
    )
    assert found["over mixed"]["adaptive"]["smooth"]["verdict"] == "worse"
    assert found["over mixed"]["ramped"]["paper"]["verdict"] == "better"
    assert found["over mixed"]["ramped"]["paper"]["mean"] == pytest.approx(-1, abs=0.01)
    assert found["over yoked"]["adaptive"]["sharp"]["mean"] == pytest.approx(0)
    assert found["over yoked"]["adaptive"]["sharp"]["verdict"] == "not shown"
    assert set(found["over yoked"]) == {"adaptive"}


def test_scores_separate_smooth_from_sharp() -> None:
    families = ("barrier", "triangle")
    errors = {"families": np.array([[[0.1, 0.1], [1e-3, 1e-1]]]), "paper": np.full((1, 25, 1), 0.5)}
    found = taught_scores.skills(errors, families)
    assert float(found["sharp"][0]) == pytest.approx(-1)
    assert float(found["smooth"][0]) == pytest.approx(-2)
    assert float(found["paper"][0]) == pytest.approx(math.log10(0.5))


def test_every_seed_is_scored_by_its_own_parameters() -> None:
    params = jax.tree.map(
        lambda *leaves: jnp.stack(leaves),
        *(taught.first_state(ROOM, seed).params for seed in (0, 1)),
    )
    psi, v = jax.vmap(lambda key: SYSTEM.sample("trapping", key, 1.0))(
        jax.random.split(jax.random.key(0), 2)
    )
    truth = cases.simulate(ROOM.teacher, psi, v, 1, 2, ("a", "b"))
    both = taught_scores.measure(ROOM.student, params, {"any": truth})["any"]
    assert both.shape == (2, 2, 1)
    for i in range(2):
        one = jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], params)
        alone = taught_scores.measure(ROOM.student, one, {"any": truth})["any"]
        np.testing.assert_allclose(alone[0], both[i], rtol=1e-5)


def test_the_script_runs(tmp_path: pathlib.Path) -> None:
    done = scripts.run("curricula", "--smoke", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    names = {file.name for file in tmp_path.iterdir()}
    assert {"metrics.json", "errors-few.json", "curriculum.png", "few_runs.png"} <= names


def test_long_trainings_are_compared_without_those_on_few_runs(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = curricula.smoke(curricula.Args(out=tmp_path, smoke=True))
    tiny = dataclasses.replace(args.sizes, plans=(("mixed", "easy only"),), few=())
    monkeypatch.setattr(curricula, "LONG", tiny)
    tmp_path.mkdir(exist_ok=True)
    found = curricula.measure(dataclasses.replace(args, long=True))
    assert list(found.figures) == ["curriculum"]
    assert list(found.metrics["budgets"]["4"]["error"]) == ["mixed", "easy only"]
    assert "few" not in found.metrics


def test_plans_of_ones_own_are_compared_with_mixed_lessons(tmp_path: pathlib.Path) -> None:
    args = curricula.smoke(curricula.Args(out=tmp_path, smoke=True))
    # A control whose plan is not compared needs its schedule all the same.
    own = dataclasses.replace(args, plans=("loss-driven, yoked",))
    tiny = dataclasses.replace(own.sizes, few=())
    (of,) = curricula.measure(dataclasses.replace(own, sizes=tiny)).metrics["budgets"].values()
    assert list(of["error"]) == ["mixed", "loss-driven, yoked"]
    assert of["over yoked"] == {}
    with pytest.raises(ValueError, match="`plans`"):
        curricula.measure(dataclasses.replace(args, plans=("hardest first",)))


def test_networks_on_few_runs_and_in_other_orders_are_compared_with_new_ones(
    tmp_path: pathlib.Path,
) -> None:
    args = recurrent.smoke(recurrent.Args(out=tmp_path, few=(1,), smoke=True))
    found = recurrent.measure(args)
    assert list(found.metrics["error"]) == ["1", "fresh"]
    assert list(found.metrics["over fresh"]) == ["1"]
    assert found.metrics["n_fresh"] == 4
    assert list(found.figures) == ["few_runs"]
    # What diverges counts as a forecast of zero.
    for seed in args.seeds:
        kept = recurrent.file_of(f"{recurrent.FEW}1", seed, args)
        errors = json.loads(kept.read_text())
        lost = {of: np.full(np.shape(each), None).tolist() for of, each in errors.items()}
        kept.write_text(json.dumps(lost))
    worst = recurrent.measure(args).metrics
    assert [each["mean"] for each in worst["error"]["1"].values()] == [0.0] * 3
    assert list(worst["trainings that count as 1"]["few 1"].values()) == [2] * 3
    assert np.array(worst["shares of errors above 1"][f"{recurrent.FEW}1"]["paper"]).mean() == 1
    room = recurrent.classroom(args)
    by_lesson = recurrent.syllabus_of("staged", room, 0).runs
    np.testing.assert_array_equal(np.sort(by_lesson, axis=None), np.arange(4))
    for wrong, name in ({"few": (0,)}, "few"), ({"orders": ("mixed",)}, "orders"):
        with pytest.raises(ValueError, match=f"`{name}`"):
            recurrent.measure(dataclasses.replace(args, **wrong))


def test_networks_trained_together_are_those_trained_alone(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out"
    done = scripts.run("recurrent", "--smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "metrics.json").read_text())
    assert set(found["over mixed"]) == {"easy only"}
    assert (out / "curriculum.png").exists()
    shares = found["shares of errors above 1"]["mixed"]["paper"]
    assert all(0 <= share <= 1 for share in shares)
    alone = recurrent.smoke(recurrent.Args(out=out, smoke=True))
    together = dataclasses.replace(alone, trained=tmp_path / "together")
    tests = taught_scores.make_tests(
        recurrent.config_of("mixed", alone).system, curricula.TEST_SEED, 1, 2, 2
    )
    recurrent.train("mixed", together.seeds, together, tests)
    for of, errors in recurrent.errors_of("mixed", together, tests).items():
        np.testing.assert_allclose(
            errors, recurrent.errors_of("mixed", alone, tests)[of], rtol=1e-3
        )
