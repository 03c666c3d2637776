"""Distil: what is scored, what is written, what comes back."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import small

import qdistill as qd
from qdistill.forecast import paper
from qdistill.runs import distillation, folder, pretrained, records, report, story
from qdistill.runs.tensorboard import to_tensorboard
from qdistill.training.stages import TrainingConfig

KEYS = {
    "student", "preset", "n_parameters", "training_seconds", "training_steps", "teacher_share",
    "benchmark",
}  # fmt: skip
MEANS = {
    "n_frames", "mean_correlation", "worst_correlation", "mean_final_correlation",
    "mean_infidelity", "mean_mae", "mean_nrmse", "max_norm_drift", "cases",
}  # fmt: skip
OF_CASE = {
    "correlation", "final_correlation", "mae", "nrmse", "norm_drift", "energy_drift",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A run that is trained, and not scored."""
    out = tmp_path_factory.mktemp("distillation") / "finished"
    folder.open_folder(out, small.CONFIG, resume=False)
    folder.train(small.CONFIG, out)
    return out


def test_a_run_is_evaluated_from_its_folder_alone(finished: pathlib.Path) -> None:
    emulator = folder.load(finished)
    assert emulator.config == small.CONFIG
    assert emulator.score is None
    scored = distillation.score(emulator)
    assert scored.frames.shape == scored.truth.frames.shape == (25, 3, 1024)
    metrics = distillation.write_metrics(finished, emulator, scored)
    written = distillation.read_metrics(finished)
    assert written["benchmark"]["cases"] == metrics["benchmark"]["cases"]
    assert set(written) >= KEYS
    assert set(written["benchmark"]) >= MEANS
    assert set(written["benchmark"]["cases"]) == set(paper.CASES)
    assert set(written["benchmark"]["cases"]["steps"]) == OF_CASE
    assert written["training_steps"] == 20
    assert 0 < written["teacher_share"] < 1
    assert "of which the teacher" in report.summary(metrics)
    assert "and compilation 7 s more" in report.summary(metrics | {"compile_seconds": 7.2})
    metrics.pop("compile_seconds")
    assert "compilation" not in report.summary(metrics)
    assert "Training took" not in report.summary(metrics | {"training_seconds": None})
    assert pretrained.from_run(finished).score == distillation.means(written)


def test_the_story_is_read_from_what_a_training_writes(
    finished: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    read = story.read(finished)
    assert read.step == 20
    times = distillation._times(read.log, small.CONFIG.training.block_ends)
    assert read.seconds[-1] == pytest.approx(times["training_seconds"])
    assert "saved at  16, 20" in story.tell(read)
    to_tensorboard({"finished": finished}, tmp_path)
    assert list((tmp_path / "finished").iterdir())


@pytest.mark.parametrize("keep", [0, 1, 5])
def test_an_incomplete_log_gives_no_times(keep: int, finished: pathlib.Path) -> None:
    block_ends = small.CONFIG.training.block_ends
    log = folder.read_log(finished)
    assert set(distillation._times(log[-keep:] if keep else [], block_ends).values()) == {None}
    assert None not in distillation._times(log, block_ends).values()


def test_metrics_hold_null_where_json_has_no_number() -> None:
    plain = records.plain({"a": [1.0, float("nan")], "b": {"c": float("inf")}, "d": (3, np.nan)})
    assert plain == {"a": [1.0, None], "b": {"c": None}, "d": [3, None]}


def test_held_out_potentials_are_scored_into_the_folder(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "run"
    emulator = distillation.distill(small.UNITARY, out, draw=False)
    assert not list(out.glob("*.png"))
    scores = distillation.evaluate(out, seed=3, n_potentials=2)
    written = json.loads((out / "evaluation-3.json").read_text())
    assert written == records.plain(scores)
    assert set(scores["scores"]) == {"small-unitary", "clamped-1", "clamped-2", "clamped-3"}
    assert len(written["cases"]["small-unitary"]["nrmse"]) == 2
    assert emulator.commit == pretrained.from_run(out).commit


def test_settings_that_do_not_fit_together_leave_no_folder(tmp_path: pathlib.Path) -> None:
    short = dataclasses.replace(small.FRAMES.batches, n_frames=2)
    stage = dataclasses.replace(small.FRAMES, batches=short)
    config = dataclasses.replace(small.UNITARY, training=TrainingConfig((stage,)))
    with pytest.raises(ValueError, match="`n_frames` must be at least 3, the length of an example"):
        distillation.distill(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_preset_is_distilled_by_its_name_alone(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"`config` must be one of 'demo', .* but is 'oracle'"):
        qd.distill("oracle", tmp_path / "run")
    assert not (tmp_path / "run").exists()
