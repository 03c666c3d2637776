"""What a run survives: signals, damage, divergence, a full disk."""

import dataclasses
import errno
import io
import json
import logging
import os
import pathlib
import resource
import shutil
import signal
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from qdistill import plots
from qdistill.forecast import baselines
from qdistill.physics.grid import Grid
from qdistill.runs import (
    checkpoints,
    distillation,
    divergence,
    export,
    folder,
    pretrained,
    records,
    signals,
)
from qdistill.runs.checkpoints import Checkpoints, find_newest, fingerprint, steps_in
from qdistill.students import WindowedConfig
from qdistill.training import loop, stages
from qdistill.training.batches import BatchConfig

STAGE = dataclasses.replace(
    small.WINDOWS,
    n_steps=24,
    batches=BatchConfig(n_batch=4, n_block=4, n_runs=2, n_frames=6, placement="amplitude"),
)
CONFIG = dataclasses.replace(
    small.CONFIG,
    student=WindowedConfig("linear"),
    training=stages.TrainingConfig((STAGE,), checkpoint_every=8),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    out = tmp_path_factory.mktemp("faults") / "finished"
    folder.open_folder(out, CONFIG, resume=False)
    folder.train(CONFIG, out)
    return out


@pytest.fixture
def copy(finished: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(finished, tmp_path / "copy"))


@pytest.fixture(scope="module")
def like() -> loop.TrainState:
    return jax.eval_shape(folder.set_up(CONFIG).trainers[0].init, jax.random.key(0))


def final_params(out: pathlib.Path) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(folder.load(out).params)]


def assert_ends_alike(out: pathlib.Path, finished: pathlib.Path) -> None:
    assert steps_in(out / "checkpoints")[-1] == 24
    for ours, theirs in zip(final_params(out), final_params(finished), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, act) -> None:
    """Do something as soon as a run has logged a step."""
    append = folder._append_to_log

    def append_and_act(out: pathlib.Path, metrics: dict) -> None:
        append(out, metrics)
        if metrics["step"] == step:
            act()

    monkeypatch.setattr(folder, "_append_to_log", append_and_act)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_saves_and_says_how_to_go_on(
    number: signal.Signals, finished: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "run"
    folder.open_folder(out, CONFIG, resume=False)
    # A process that was started in the background may ignore them.
    inherited = signal.signal(number, signal.default_int_handler)
    before = signal.getsignal(number)
    with pytest.MonkeyPatch.context() as patch:
        at_step(patch, 12, lambda: signal.raise_signal(number))
        with pytest.raises(signals.Stopped) as caught:
            folder.train(CONFIG, out)
    assert str(caught.value) == (
        f"Stopped by {number.name}: a checkpoint of step 12 is saved in `{out}`. The same command "
        "with --resume continues from there."
    )
    assert caught.value.number == number
    assert signal.getsignal(number) == before
    signal.signal(number, inherited)
    # 12 is no multiple of 8: it is there because of the signal.
    assert steps_in(out / "checkpoints") == [8, 12]
    folder.train(CONFIG, out)
    assert_ends_alike(out, finished)


def test_a_second_signal_stops_at_once() -> None:
    # A process that was started in the background ignores Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with signals.caught() as stop:
            assert stop() == 0
            signal.raise_signal(signal.SIGINT)
            assert stop() == signal.SIGINT
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_newest_two_checkpoints_are_kept(like: loop.TrainState, tmp_path: pathlib.Path) -> None:
    state = folder.set_up(CONFIG).trainers[0].init(jax.random.key(0))
    with Checkpoints(tmp_path) as saved:
        for step, loss in [(4, 3.0), (8, 1.0), (12, 2.0), (16, 4.0), (20, 5.0)]:
            saved.save(state._replace(step=jnp.int32(step)), loss)
    assert steps_in(tmp_path) == [16, 20]


def flip(path: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    if data:
        data[len(data) // 2] ^= 4
        path.write_bytes(data)


DAMAGES = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: os.truncate(path, 0),
    "flipped": flip,
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_checkpoint_with_one_damaged_file_is_right_or_left_out(
    kind: str, copy: pathlib.Path, like: loop.TrainState
) -> None:
    """Each file of the newest in turn: found is the newest or the one before, bit for bit."""
    checkpoints = copy / "checkpoints"
    sound, n_left_out = {}, 0
    for step in (16, 24):
        loss = json.loads((checkpoints / str(step) / "metrics" / "metrics").read_text())["loss"]
        sound[step] = loss
    files = [path for path in sorted((checkpoints / "24").rglob("*")) if path.is_file()]
    # One of each kind of file is enough of those that orbax does not read.
    for path in {path.parent.name + path.name[:6]: path for path in files}.values():
        whole = path.read_bytes()
        DAMAGES[kind](path)
        state, damaged = find_newest(checkpoints, lambda step: like)
        path.write_bytes(whole)
        assert state is not None
        step = int(state.step)
        metrics = json.loads((checkpoints / str(step) / "metrics" / "metrics").read_text())
        assert fingerprint(state, sound[step]) == metrics["sha256"]
        assert step == (16 if damaged else 24)
        n_left_out += bool(damaged)
    assert n_left_out >= 2, "no damage did any harm: this tests nothing"


def test_a_silently_wrong_leaf_is_caught_by_its_fingerprint(
    copy: pathlib.Path, like: loop.TrainState
) -> None:
    """All is readable, but one bit of one parameter is another than when it was saved."""
    checkpoints = copy / "checkpoints"
    state, _ = find_newest(checkpoints, lambda step: like)
    assert state is not None
    leaves, form = jax.tree.flatten(state.params)
    wrong = np.array(leaves[0])
    wrong.view(np.uint32).flat[3] ^= 1 << 20
    altered = state._replace(params=jax.tree.unflatten(form, [wrong, *leaves[1:]]))
    metrics = (checkpoints / "24" / "metrics" / "metrics").read_text()
    shutil.rmtree(checkpoints / "24")
    with Checkpoints(checkpoints) as saved:
        saved.save(altered, json.loads(metrics)["loss"])
    (checkpoints / "24" / "metrics" / "metrics").write_text(metrics)
    found, damaged = find_newest(checkpoints, lambda step: like)
    assert [path.name for path in damaged] == ["24"]
    assert found is not None
    assert int(found.step) == 16


@pytest.mark.parametrize("damage", ["emptied", "metrics"])
def test_a_run_falls_back_to_the_checkpoint_before_and_goes_on(
    damage: str,
    copy: pathlib.Path,
    finished: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    newest = copy / "checkpoints" / "24"
    if damage == "emptied":
        shutil.rmtree(newest)
        newest.mkdir()
    else:
        (newest / "metrics" / "metrics").write_text("")
    folder.load(copy)
    assert f"Damaged, and left out: `{newest}`. The run is at step 16." in caplog.text
    assert newest.exists(), "to load a run changes nothing in its folder"
    folder.train(CONFIG, copy)
    assert_ends_alike(copy, finished)
    assert [path.name for path in (copy / "damaged").iterdir()] == ["24"]


def test_without_a_sound_checkpoint_the_run_says_so_and_stops(copy: pathlib.Path) -> None:
    for path in (copy / "checkpoints").rglob("_METADATA"):
        path.write_text("")
    for use in (lambda: folder.load(copy), lambda: folder.train(CONFIG, copy)):
        with pytest.raises(ValueError, match=r"No checkpoint in .* can be read, all are damaged"):
            use()
    assert len(steps_in(copy / "checkpoints")) >= 2


def poisoned(monkeypatch: pytest.MonkeyPatch, step: int, times: int, **wrong: float) -> None:
    """Make the metrics of a step say that it diverged, a few times."""
    fit, left = loop.fit, [times]

    def poisoned_fit(*args) -> Iterator:
        for state, metrics in fit(*args):
            if metrics["step"] == step and left[0]:
                left[0] -= 1
                metrics |= wrong
            yield state, metrics

    monkeypatch.setattr(loop, "fit", poisoned_fit)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"loss": float("nan")}, "The loss is nan at step"),
        ({"is_finite": False}, "but the parameters are not finite, at step"),
        ({"loss": 1e6}, "more than 1000 times that of its stage's first block, at step"),
    ],
)
def test_divergence_stops_with_step_lesson_rate_and_a_checkpoint_from_before(
    wrong: dict, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    poisoned(monkeypatch, 16, 9, **wrong)
    out = tmp_path / "run"
    folder.open_folder(out, CONFIG, resume=False)
    with pytest.raises(FloatingPointError) as caught:
        folder.train(CONFIG, out)
    message = str(caught.value)
    assert words in message
    log = folder.read_log(out)[-1]
    assert f"at step {log['worst_step']}, in lesson `" in message
    assert 12 < log["worst_step"] <= 16
    assert f"with learning rate {log['learning_rate']:.2g}" in message
    assert f"There is a checkpoint of step 8 in `{out}`" in message
    assert "--training.on-divergence rollback" in message
    assert steps_in(out / "checkpoints") == [8]


def test_a_rollback_goes_on_with_a_smaller_rate_and_can_be_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, finished: pathlib.Path
) -> None:
    """Diverging twice at step 16 quarters the rate from step 8 on; all later runs agree on it."""
    settings = dataclasses.replace(
        CONFIG, training=dataclasses.replace(CONFIG.training, on_divergence="rollback")
    )
    out = tmp_path / "run"
    folder.open_folder(out, settings, resume=False)
    with monkeypatch.context() as patch:
        poisoned(patch, 16, 2, loss=float("inf"))
        folder.train(settings, out)
    rollbacks = divergence.read(out)
    assert [(line["step"], line["rate_factor"]) for line in rollbacks] == [(8, 0.5)] * 2
    log, plain = folder.read_log(out), folder.read_log(finished)
    assert [line["step"] for line in log] == [4, 8, 12, 16, 20, 24]
    for ours, theirs in zip(log, plain, strict=True):
        factor = 0.25 if ours["step"] > 8 else 1.0
        assert ours["learning_rate"] == pytest.approx(factor * theirs["learning_rate"], rel=1e-5)
    # From what the folder records, the run can be repeated from before the rollback.
    again = pathlib.Path(shutil.copytree(out, tmp_path / "again"))
    shutil.rmtree(again / "checkpoints")
    folder.train(settings, again)
    for one, other in zip(final_params(again), final_params(out), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_run_that_always_diverges_stops_after_some_rollbacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    plan = dataclasses.replace(CONFIG.training, on_divergence="rollback", max_rollbacks=1)
    settings = dataclasses.replace(CONFIG, training=plan)
    poisoned(monkeypatch, 4, 9, loss=float("nan"))
    folder.open_folder(tmp_path, settings, resume=False)
    with pytest.raises(FloatingPointError, match="There is no checkpoint in"):
        folder.train(settings, tmp_path)
    assert len(divergence.read(tmp_path)) == 1


def test_not_a_finite_number_in_the_state_is_seen() -> None:
    tree = {"a": np.ones(3), "b": np.array([1, 2]), "c": np.array([1 + 0j, 2])}
    assert loop.is_finite(tree)
    for name, bad in (("a", np.nan), ("c", complex(0, np.inf))):
        assert not loop.is_finite(tree | {name: np.array([1, bad])})


def test_a_full_disk_is_named_and_leaves_the_last_checkpoint_intact(
    finished: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From step 12 on no file may grow beyond 100 bytes, which fails as a full disk does."""
    out = tmp_path / "run"
    folder.open_folder(out, CONFIG, resume=False)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with monkeypatch.context() as patch:
        save = Checkpoints.save

        def save_on_a_full_disk(self, state, loss) -> None:
            if int(state.step) > 8:
                resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
            try:
                save(self, state, loss)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

        patch.setattr(Checkpoints, "save", save_on_a_full_disk)
        with pytest.raises(OSError, match=r"of step 16 cannot be written to .*that of step 8\."):
            folder.train(CONFIG, out)
    assert steps_in(out / "checkpoints") == [8]
    folder.train(CONFIG, out)
    assert_ends_alike(out, finished)


def test_late_writes_of_a_save_that_failed_say_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage reports them to an event loop that is closed by then; other errors are shown."""
    shown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    state = folder.set_up(CONFIG).trainers[0].init(jax.random.key(0))
    with Checkpoints(tmp_path) as saved:
        monkeypatch.setattr(saved._manager, "save", lambda *args, **more: 1 / 0)
        with pytest.raises(OSError, match="there is none yet"):
            saved.save(state, 1.0)
    for words in ("Event loop is closed", "another"):
        event = types.SimpleNamespace(exc_value=RuntimeError(words), object=None)
        sys.unraisablehook(event)
    assert [str(event.exc_value) for event in shown] == ["another"]


def test_other_reports_of_the_process_are_left_as_they_were(
    like: loop.TrainState, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a checkpoint is saved, what the storage reports is not shown."""
    absl, levels = logging.getLogger("absl"), []
    monkeypatch.setattr(absl, "level", logging.INFO)
    show = sys.unraisablehook
    state = folder.set_up(CONFIG).trainers[0].init(jax.random.key(0))
    with Checkpoints(tmp_path) as saved:
        save = saved._manager.save

        def save_and_look(*args: Any, **more: Any) -> bool:
            levels.append(absl.level)
            return save(*args, **more)

        monkeypatch.setattr(saved._manager, "save", save_and_look)
        saved.save(state, 1.0)
    assert checkpoints.find_newest(tmp_path, lambda step: like).state is not None
    assert levels == [logging.CRITICAL]
    assert absl.level == logging.INFO
    assert sys.unraisablehook is show


def test_a_file_that_cannot_be_written_is_named_and_left_as_it_was(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "metrics.json"
    records.write(path, "before")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        for write in (
            lambda: records.write(path, "x" * 1000),
            lambda: records.append(tmp_path / "log.jsonl", {"step": "x" * 1000}),
        ):
            with pytest.raises(OSError, match=r"`.*` cannot be written: File too large\."):
                write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert path.read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.json", "log.jsonl"}


def test_a_hangup_that_is_ignored_stays_so() -> None:
    """As `nohup` wants it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.caught() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop() == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_is_noted_where_the_terminal_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    for gone in (None, io.StringIO()):
        monkeypatch.setattr(sys, "stderr", gone)
        with signals.caught() as stop:
            signal.raise_signal(signal.SIGTERM)
            assert stop() == signal.SIGTERM


@pytest.mark.parametrize("name", ["metrics", "files.json", "manifest.ocdbt", "default"])
def test_what_may_not_be_read_is_not_taken_for_damaged(
    name: str, copy: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the tests may be allowed to read all."""

    def deny(read: Callable) -> Callable:
        def try_to_read(path: pathlib.Path, *args: Any, **kwargs: Any) -> Any:
            if path.name == name and "24" in path.parts:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return read(path, *args, **kwargs)

        return try_to_read

    with monkeypatch.context() as patch:
        for method in ("read_bytes", "read_text"):
            patch.setattr(pathlib.Path, method, deny(getattr(pathlib.Path, method)))
        scan = deny(lambda path: os_scandir(path))
        os_scandir = os.scandir
        patch.setattr(os, "scandir", lambda place: scan(pathlib.Path(place)))
        for use in (folder.load, lambda out: folder.train(CONFIG, out)):
            with pytest.raises(OSError, match=r"/24` cannot be read: Permission denied\. It may"):
                use(copy)
    assert steps_in(copy / "checkpoints")[-1] == 24
    assert not (copy / "damaged").exists()
    folder.load(copy)


def test_a_sound_checkpoint_that_cannot_be_restored_is_not_taken_for_damaged(
    copy: pathlib.Path, like: loop.TrainState
) -> None:
    """As with a student whose code has changed."""
    other = like._replace(params={"more": like.params})
    with pytest.raises(ValueError, match=r"/24` is not damaged, but this code cannot"):
        find_newest(copy / "checkpoints", lambda step: other)


def on_a_full_disk(work: Callable[[], object]) -> str:
    """What is said where no file may grow beyond 100 bytes."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match=r"`.*` cannot be written: ") as caught:
            work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    return str(caught.value)


LINE = Grid(16, 4.0)
T, V, PSI = np.arange(3.0), np.zeros(16), np.ones((3, 16), "c8")


@pytest.mark.parametrize("name", ["demo.npz", "frames.npz", "frames.nc", "plot.png", "film.gif"])
def test_a_full_disk_leaves_the_file_that_was_there(name: str, tmp_path: pathlib.Path) -> None:
    path, x = tmp_path / name, np.ravel(LINE.positions())
    emulator = pretrained.load("demo")
    writers: dict[str, Callable[[], object]] = {
        "demo.npz": lambda: pretrained.write(path, emulator),
        "frames.npz": lambda: export.write(path, LINE, T, V, {"truth": PSI}),
        "frames.nc": lambda: export.write(path, LINE, T, V, {"truth": PSI}),
        "plot.png": lambda: plots.save(plots.Figure(figsize=(1, 1)), path),
        "film.gif": lambda: plots.animate_wavefunction(x, T, V, PSI, path, seconds=0.2),
    }
    path.write_text("before")
    assert name in on_a_full_disk(writers[name])
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    writers[name]()
    assert path.stat().st_size > 100
    assert list(tmp_path.iterdir()) == [path]


def test_scores_that_cannot_be_written_are_shown(
    copy: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"scores": dict.fromkeys(map(str, range(30)), 0.5)}
    monkeypatch.setattr(baselines, "evaluate", lambda *args, **kwargs: found)
    on_a_full_disk(lambda: distillation.evaluate(copy))
    told = json.loads(capsys.readouterr().out)
    assert told["scores"] == found["scores"]
    assert told["step"] == 24


def test_a_locked_folder_is_named(tmp_path: pathlib.Path) -> None:
    """A file stands where the folder of the checkpoints should be made: nobody can write there."""
    folder.open_folder(tmp_path, CONFIG, resume=False)
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(OSError, match="checkpoints"):
        folder.train(CONFIG, tmp_path)
