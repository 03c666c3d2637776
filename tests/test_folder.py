"""A run and its folder: resumed to the bit, damaged, refused."""

import dataclasses
import errno
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from qdistill.__main__ import main
from qdistill.runs import config, folder, lock, report
from qdistill.runs.checkpoints import steps_in
from qdistill.system import System


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    out = tmp_path_factory.mktemp("runs") / "finished"
    folder.open_folder(out, small.CONFIG, resume=False)
    folder.train(small.CONFIG, out)
    return out


def params_of(out: pathlib.Path) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(folder.load(out).params)]


def test_the_log_holds_every_block_once(finished: pathlib.Path) -> None:
    assert [line["step"] for line in folder.read_log(finished)] == [4, 8, 12, 16, 18, 20]


def test_an_interrupted_run_resumes_to_the_same_bits(
    finished: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Interrupted in the second stage, after a checkpoint and one more block."""
    out = tmp_path / "interrupted"
    folder.open_folder(out, small.CONFIG, resume=False)
    append = folder._append_to_log

    def stop_at_18(out: pathlib.Path, metrics: dict) -> None:
        append(out, metrics)
        if metrics["step"] == 18:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "_append_to_log", stop_at_18)
        with pytest.raises(KeyboardInterrupt):
            folder.train(small.CONFIG, out)
    # A line that was being written when the power failed.
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 20, "los')
    folder.open_folder(out, small.CONFIG, resume=True)
    folder.train(small.CONFIG, out)
    for ours, theirs in zip(params_of(out), params_of(finished), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    first, second = (
        [(line["step"], line["loss"]) for line in folder.read_log(f)] for f in (out, finished)
    )
    assert first == second


VICTIM = """
import os, signal, sys
from qdistill.__main__ import main
from qdistill.runs import folder
append = folder._append_to_log
def append_or_die(out, metrics):
    append(out, metrics)
    if metrics["step"] == 28:
        os.kill(os.getpid(), signal.SIGKILL)
folder._append_to_log = append_or_die
main(sys.argv[1:])
"""


def test_a_killed_process_resumes_to_the_same_bits(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command itself, killed with SIGKILL in the middle and resumed, against one left alone."""
    out = tmp_path / "killed"
    command = [
        "distill", "gru-demo", "--out", str(out),
        "--student.name", "linear",
        "--training.stages.0.n-steps", "48",
        "--training.stages.0.batches.n-batch", "8",
        "--training.stages.0.batches.n-block", "4",
        "--training.stages.0.batches.n-runs", "2",
        "--training.stages.0.batches.n-frames", "8",
        "--training.checkpoint-every", "16",
        "--benchmark.n-frames", "2",
    ]  # fmt: skip
    victim = subprocess.run([sys.executable, "-c", VICTIM, *command], stderr=subprocess.DEVNULL)
    assert victim.returncode == -signal.SIGKILL
    assert steps_in(out / "checkpoints") == [16]
    monkeypatch.setattr(report, "draw", lambda *args: None)
    main([*command, "--resume"])
    assert [line["step"] for line in folder.read_log(out)] == list(range(4, 49, 4))
    settings = config.from_json((out / "config.json").read_text())
    alone = folder.train(settings, tmp_path)
    for ours, theirs in zip(params_of(out), jax.tree.leaves(alone.params), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_one_process_at_a_time_works_in_a_folder(
    finished: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """The lock is the kernel's, which frees it however a process ends."""
    out = copy_of(finished, tmp_path)
    hold = (
        "import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_EX);"
        "file.truncate(0); file.write('process 7 on a node'); file.flush();"
        "print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", hold, str(out / ".lock")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        before = (out / "metrics.jsonl").read_bytes()
        for use in (
            lambda: folder.train(small.CONFIG, out),
            lambda: folder.open_folder(out, small.CONFIG, resume=True),
        ):
            with pytest.raises(BlockingIOError, match="is being trained by process 7 on a node"):
                use()
        assert (out / "metrics.jsonl").read_bytes() == before
        # To read is nobody's harm.
        folder.load(out)
        other.send_signal(signal.SIGKILL)
    folder.train(small.CONFIG, out)


def test_a_folder_that_was_never_begun_is_taken(tmp_path: pathlib.Path) -> None:
    """Of a process that was killed before it had written its config."""
    (tmp_path / ".lock").write_text("process 7 on a node")
    (tmp_path / "config.json.0123abcd.new").write_text('{"pre')
    folder.open_folder(tmp_path, small.CONFIG, resume=False)
    assert folder.read_config(tmp_path / "config.json") == small.CONFIG


def test_a_file_system_without_locks_is_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(*args: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", no_locks)
    with lock.locked(tmp_path):
        assert "cannot be locked (No locks available)" in caplog.text


def test_a_folder_with_something_in_it_is_not_touched(tmp_path: pathlib.Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(FileExistsError, match=r"is not an empty folder\. Choose another"):
        folder.open_folder(tmp_path, small.CONFIG, resume=False)
    with pytest.raises(FileExistsError, match="is not an empty folder"):
        folder.open_folder(tmp_path / "thesis.tex", small.CONFIG, resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_with_other_settings_is_not_resumed(finished: pathlib.Path) -> None:
    other = dataclasses.replace(small.CONFIG, seed=7)
    with pytest.raises(ValueError, match="has other settings: seed: 0 is not 7"):
        folder.open_folder(finished, other, resume=True)


def test_there_must_be_a_run_to_resume_or_load(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no run to resume in"):
        folder.open_folder(tmp_path, small.CONFIG, resume=True)
    with pytest.raises(FileNotFoundError, match="There is no run in"):
        folder.load(tmp_path)
    folder.open_folder(tmp_path, small.CONFIG, resume=False)
    with pytest.raises(FileNotFoundError, match="has no checkpoint"):
        folder.load(tmp_path)


def test_a_diverging_loss_stops_the_run_with_a_sentence(tmp_path: pathlib.Path) -> None:
    wild = dataclasses.replace(small.WINDOWS, peak_rate=1e30, warm_up=0.0)
    settings = dataclasses.replace(
        small.CONFIG, training=dataclasses.replace(small.CONFIG.training, stages=(wild,))
    )
    folder.open_folder(tmp_path, settings, resume=False)
    with pytest.raises(
        FloatingPointError,
        match=r"The loss is (nan|inf) at step .* no checkpoint .* smaller `peak_rate`",
    ):
        folder.train(settings, tmp_path)


def test_a_potential_outside_the_systems_bounds_is_named(tmp_path: pathlib.Path) -> None:
    settings = dataclasses.replace(small.CONFIG, system=System(bounds=(-0.001, 0.001)))
    with pytest.raises(FloatingPointError, match=r"examples after step 0 .* `system\.bounds`"):
        folder.train(settings, tmp_path)


def copy_of(finished: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(finished, tmp_path / "copy"))


def test_lines_that_the_log_has_lost_are_reported(
    finished: pathlib.Path, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = copy_of(finished, tmp_path)
    lines = (out / "metrics.jsonl").read_text().splitlines(keepends=True)
    (out / "metrics.jsonl").write_text("".join(lines[:-1]) + lines[-1][:30])
    folder.train(small.CONFIG, out)
    words = "metrics.jsonl` ends at step 18, before the checkpoint of step 20"
    assert words in caplog.text
    folder.train(small.CONFIG, copy_of(finished, tmp_path / "sound"))
    assert caplog.text.count("metrics.jsonl`") == 1


def test_a_damaged_checkpoint_is_named_and_the_older_one_goes_on(
    finished: pathlib.Path, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The newest is of the last stage, the one before of the first, with another optimiser."""
    out = copy_of(finished, tmp_path)
    for path in (out / "checkpoints" / "20" / "default").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:10])
    folder.train(small.CONFIG, out)
    assert "checkpoints/20`. The run is at step 16." in caplog.text
    for ours, theirs in zip(params_of(out), params_of(finished), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_is_not_resumed_in_another_precision(finished: pathlib.Path) -> None:
    with jax.enable_x64(True), pytest.raises(ValueError, match=r"float32 .* JAX_ENABLE_X64"):
        folder.load(finished)


@pytest.mark.parametrize("damage", ["garbage", "{}", "[]", "7"])
def test_a_damaged_line_of_the_log_is_named(
    damage: str, finished: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = copy_of(finished, tmp_path)
    lines = (out / "metrics.jsonl").read_text().splitlines()
    lines[2] = damage
    (out / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    for read in (lambda: folder.read_log(out), lambda: folder.train(small.CONFIG, out)):
        with pytest.raises(ValueError, match=r"Line 3 of `.*metrics.jsonl` is not the metrics"):
            read()
    assert (out / "metrics.jsonl").read_text().splitlines() == lines


def test_a_damaged_config_is_named(finished: pathlib.Path, tmp_path: pathlib.Path) -> None:
    out = copy_of(finished, tmp_path)
    (out / "config.json").write_text('{"preset": "small", ')
    with pytest.raises(ValueError, match=r"`.*/config\.json`: "):
        folder.load(out)


def test_config_of_a_run_is_the_resolved_one(finished: pathlib.Path) -> None:
    assert config.from_json((finished / "config.json").read_text()) == small.CONFIG
    assert jnp.isfinite(jnp.array(folder.read_log(finished)[-1]["loss"]))
    assert os.listdir(finished / "checkpoints")
