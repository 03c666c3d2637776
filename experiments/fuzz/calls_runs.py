"""Calls of `qdistill.runs`: configs, folders, files."""

import functools
import json
import pathlib
from typing import Any

import numpy as np

from experiments.fuzz.calls import Calls, Copy, New, Samples, scratch
from experiments.fuzz.calls_work import FRAMES, PLAN
from qdistill.forecast import BenchmarkConfig
from qdistill.insight.harness import Report
from qdistill.runs import (
    checkpoints,
    config,
    distillation,
    divergence,
    export,
    extensions,
    folder,
    lock,
    options,
    presets,
    pretrained,
    process,
    provenance,
    records,
    report,
    results,
    signals,
    story,
    tensorboard,
)
from qdistill.runs.config import Config
from qdistill.students import UnitaryConfig
from qdistill.system import System
from qdistill.teacher import TeacherConfig
from qdistill.training import TrainingConfig


def settings_of(s: Samples) -> Config:
    """Return the config of a run of two steps."""
    return Config(
        "small",
        system=System(s.line, bounds=(-16.0, 31.0)),
        teacher=TeacherConfig(),
        curriculum=PLAN,
        student=UnitaryConfig(1, n_units=2, reach=2),
        training=TrainingConfig((FRAMES,), 2),
        benchmark=BenchmarkConfig(n_frames=2),
    )


@functools.cache
def _run(precision: str) -> pathlib.Path:
    """The folder of a finished run, in a precision."""
    out = scratch() / precision / "run"
    distillation.distill(settings_of(Samples()), out, draw=False)
    return out


def runs(calls: Calls, s: Samples) -> None:
    """Add the calls of configs, presets, runs, checkpoints, emulators in files and stories."""
    settings = settings_of(s)
    out = _run(str(s.v.dtype))
    _configs(calls, settings)
    _folders(calls, s, settings, out)
    _divergence(calls, settings, out)
    _records(calls, out)
    _emulators(calls, settings, out)
    _files(calls, s)
    _stories(calls, settings, out)


def _configs(calls: Calls, settings: Config) -> None:
    add = calls.add
    add(Config, **vars(settings))
    add(config.to_tree, node=settings)
    add(config.to_json, config=settings)
    add(config.from_json, text=config.to_json(settings))
    add(config.differences, first=settings, second=Config())
    add(config.leaves, config=settings)
    add(config.checksum, config=settings)
    add(config.from_tree, tree=json.loads(json.dumps(config.to_tree(settings))))
    add(options.parse, options=TeacherConfig, prog="it", words=["--n-substeps", "3"])
    add(options.plain, text="Error: Argument `n` must be 2.", prog="it", words=["--n", "1"])
    add(presets.gauged_stage, n_steps=200)
    add(
        presets.frames_stage, n_steps=20, n_target=2, n_batch=4, peak_rate=1e-3, power=1.0, n_runs=4
    )
    add(presets.spectra_stage, n_steps=40, peak_rate=1e-3)
    add(presets.newton_stage, n_steps=2, power=0.4)
    add(presets.fine, stage=FRAMES)
    add(presets.smoke, config=settings)
    own = scratch() / "own.py"
    own.write_text("ANSWER = 42\n")
    add(extensions.Extension, path="own.py", sha256="0")
    add(extensions.load, path=own)
    add(extensions.require_loaded, wanted=[])


def _folders(calls: Calls, s: Samples, settings: Config, out: pathlib.Path) -> None:
    add = calls.add
    state = folder.set_up(settings).trainers[0].init(s.key)
    add(folder.set_up, read=lambda setup: None, settings=settings)
    add(folder.make_folder, out=New("new"), cure="")
    add(folder.open_folder, out=New("new"), settings=settings, resume=False)
    add(folder.load, out=out)
    add(folder.read_log, out=out)
    add(folder.read_config, path=out / "config.json")
    add(folder.train, read=lambda state: state.params, settings=settings, out=Copy(out))
    saved = out / "checkpoints"
    add(checkpoints.Checkpoints, read=lambda saved: saved.newest_step(), directory=New("saved"))
    add(
        checkpoints.find_newest,
        read=lambda found: found.state and found.state.params,
        directory=saved, like=lambda step: state,
    )  # fmt: skip
    add(checkpoints.set_aside, read=lambda path: None, folder=Copy(saved))
    add(checkpoints.steps_in, directory=saved)
    add(checkpoints.sums, folder=saved / "2")
    add(lock.locked, read=_entered, out=New("new"))
    add(folder.restore, out=out)
    add(provenance.check, notes=provenance.read(out))
    add(checkpoints.fingerprint, state=state, loss=1.0)
    add(provenance.environment)
    add(provenance.now)
    add(provenance.record, out=Copy(out))
    add(provenance.read, out=out)


def _divergence(calls: Calls, settings: Config, out: pathlib.Path) -> None:
    add, plan = calls.add, settings.training
    block = {
        "loss": 1.0, "worst_step": 7, "worst_lesson": 0, "is_finite": True, "learning_rate": 0.1,
        "stage": 0, "step": 2,
    }  # fmt: skip
    add(divergence.check, metrics=block, first_loss=1.0, limit=1e3, lessons=("free",))
    add(divergence.record, out=Copy(out), plan=plan, to_step=0, metrics=block)
    add(divergence.plan_from, plan=plan, out=out, step=0)
    add(divergence.may_roll_back, plan=plan, out=out)
    add(divergence.read, out=out)
    add(divergence.keep_until, out=Copy(out), step=0)


def _records(calls: Calls, out: pathlib.Path) -> None:
    add, log = calls.add, out / "metrics.jsonl"
    add(records.write, path=New("text"), text="words")
    add(records.append, path=New("lines"), line={"step": 1})
    add(records.read, path=log)
    add(records.keep_until, path=Copy(log), step=2)
    add(records.read_json, path=out / "metrics.json")
    add(records.fingerprint, tree={"a": np.zeros(2)}, words="words")
    add(process.keep_programs)
    add(records.plain, read=lambda plain: None, value={"a": [1.0, float("nan")]})
    done = results.Results({"a": 1.0}, "a 1")
    add(results.of_report, report=calls_report())
    add(results.record, out=New("new"), settings={"a": 1}, work=lambda: done)
    add(results.origin)
    add(records.write_json, path=New("json"), value={"a": 1.0})
    add(process.running, read=_entered, name="command")
    add(signals.caught, read=_entered)


def calls_report() -> Report:
    """Return a report that has figures."""
    from qdistill.insight.flight import FlightReport

    x = np.linspace(1, 2, 4)
    return FlightReport({"a": 1.0}, "a 1", x, x, x, np.ones((4, 4)) + 0j, np.ones((4, 4)) + 0j)


def _entered(context: Any) -> Any:
    with context as value:
        return value


def _emulators(calls: Calls, settings: Config, out: pathlib.Path) -> None:
    add = calls.add
    emulator = pretrained.from_run(out)
    file = scratch() / f"{out.parent.name}.npz"
    pretrained.write(file, emulator)
    add(pretrained.names)
    add(pretrained.load, read=lambda emulator: None, name="propagator")
    add(pretrained.find, place=str(out))
    add(pretrained.from_run, out=out, commit=None)
    add(pretrained.write, path=New("it.npz"), emulator=emulator)
    add(pretrained.read, path=file)
    add(pretrained.pack, path=New("it.npz"), about={"a": 1}, arrays={"b": np.zeros(2)})
    add(pretrained.check_score, score=emulator.score)
    scored = distillation.score(emulator)
    metrics = distillation.read_metrics(out)
    add(distillation.score, emulator=emulator)
    add(distillation.means, metrics=metrics)
    add(
        distillation.write_metrics,
        read=lambda metrics: None, out=Copy(out), emulator=emulator, scored=scored,
    )  # fmt: skip
    add(distillation.read_metrics, out=out)
    calls.add_slow(
        distillation.distill,
        read=lambda emulator: emulator.params,
        config=settings, out=New("run"), resume=False, draw=False,
    )  # fmt: skip
    calls.add_slow(distillation.evaluate, out=Copy(out), seed=0, n_potentials=1)
    calls.add_slow(
        report.draw, read=lambda paths: None, out=Copy(out), emulator=emulator, scored=scored
    )
    add(report.summary, metrics=metrics)


def _files(calls: Calls, s: Samples) -> None:
    add = calls.add
    frames = {"truth": np.asarray(s.frames)}
    what: dict[str, Any] = {
        "grid": s.line, "t": 0.1 * np.arange(3), "v": np.asarray(s.v), "psi": frames,
        "runs": None, "about": {"title": "it"},
    }  # fmt: skip
    add(export.to_dataset, read=lambda data: data["truth"].values, **what)
    add(export.write, path=New("frames.npz"), **what)
    add(export.require_writable, path=pathlib.Path("frames.npz"))
    kept = scratch() / "frames.nc"
    export.write(kept, **what)
    add(export.read_netcdf, read=lambda data: None, path=kept)


def _stories(calls: Calls, settings: Config, out: pathlib.Path) -> None:
    add = calls.add
    emulator, found = pretrained.from_run(out), story.read(out)
    add(
        export.write_forecasts,
        read=lambda words: None,
        path=New("it.npz"), emulator=emulator, names=["steps"], every=1, n_frames=2,
    )  # fmt: skip
    add(story.read, read=lambda found: None, out=out)
    add(story.tell, story=found)
    add(story.begin, settings=settings, out=out)
    add(story.labels, outs=[out])
    add(story.compare, stories={"it": found})
    add(story.table, rows=story.compare({"it": found}))
    add(story.plot, stories={"it": found})
    add(story.tell_all, outs=[out], into=New("told"))
    add(tensorboard.to_tensorboard, outs={"it": out}, folder=New("events"), follow=False, pause=0.1)
    json.dumps(found.metrics)
