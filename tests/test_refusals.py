"""Tables of valid calls, a wrong argument of each, and the words of its refusal.

The valid calls are those of `experiments.fuzz.calls`; those of files are made here, since they need
no training.
"""

import functools
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.fuzz.calls import Calls, Samples, calls_of
from qdistill.insight import symmetries
from qdistill.physics.grid import Grid
from qdistill.runs import (
    distillation,
    divergence,
    export,
    lock,
    options,
    pretrained,
    records,
    report,
    story,
)
from qdistill.runs.config import Config
from qdistill.system import LESSONS, System
from qdistill.teacher import split_step
from qdistill.training import TrainingConfig

NAN, INF = float("nan"), float("inf")


class But(NamedTuple):
    """A bad value that is made from the good one."""

    make: Callable[[Any], Any]


def without(key: str) -> But:
    """A dictionary that lacks a key."""
    return But(lambda good: {k: v for k, v in good.items() if k != key})


def having(**changed: Any) -> But:
    """A dictionary with other values."""
    return But(lambda good: good | changed)


def part(name: str, inner: But) -> But:
    """A record or dictionary with one part made bad."""

    def make(good: Any) -> Any:
        if isinstance(good, dict):
            return good | {name: inner.make(good[name])}
        return good._replace(**{name: inner.make(getattr(good, name))})

    return But(make)


SHORTER, LONGER = But(lambda good: good[:-1]), But(lambda good: [*good, good[0]])
SPOILT = But(lambda good: jnp.asarray(good).at[0].set(NAN))
NOT_OF_CASES = r"must be one entry for each of 2 cases, but is of shape"

# The function, what is wrong of a valid call, and the words of the refusal.
PHYSICS: list[tuple[str, dict[str, Any], str]] = [
    ("physics.band.differentiate", {"unit": np.array(-1.0)}, "`unit` must be finite and positive"),
    ("physics.grid.norm", {"grid": 3}, "`grid` must be Grid, but is 3"),
    ("physics.files.checks.require_periodic", {"v": But(lambda v: v + np.arange(64))}, "both ends"),
    ("system.System.as_potential", {"user": object()}, "`v`|`user` must be"),
    ("system.rollout", {"n0": 2**40}, "`n0` must be an index of 32 bits"),
    ("teacher.split_steps.phase", {"h": INF}, "`h` must be finite"),
    (
        "teacher.split_steps.phase",
        {"system": System(Grid(64, 32.0), n_channel=2)},
        r"`local` must be of shape \(2, 2, \*n_x\), between channels",
    ),
    ("teacher.split_steps.kick", {"v": None}, "`v` must be"),
    ("teacher.split_steps.kick", {"t": -INF}, "`t` must be finite"),
]
WORK: list[tuple[str, dict[str, Any], str]] = [
    ("curriculum.schedules.staged", {"boundaries": [4, 2]}, "`boundaries` must be"),
    ("students.unitary.Splitting.dispersion", {"params": {}}, "`params.*missing"),
    ("students.unitary.Splitting.phases", {"v": SHORTER}, r"`v` must be of shape \(64,\)"),
    ("students.effective.BandStudent", {"form": 3}, "`form` must be the config of a student"),
    ("training.stages.Stage", {"power": 11.0}, "`power` must be between 0 and 10"),
    ("training.loop.train_step", {"power": 1e6}, "`power` must be between 0 and 10"),
    ("training.loop.train_step", {"optimiser": "adam"}, "`optimiser.init` must be a function of 1"),
    (
        "training.loop.train_step",
        {"optimiser": But(lambda good: good._replace(update=lambda g, s, p: g))},
        r"`optimiser.update` must be a function that returns \(updates, state\)",
    ),
    (
        "training.loop.train_step",
        {"state": But(lambda good: good._replace(opt_state=()))},
        r"`state.opt_state.*missing",
    ),
    ("training.loop.is_finite", {"tree": {"a": "b"}}, r"`tree\['a'\]` must be an array of numbers"),
    ("training.loop.is_finite", {"tree": {}}, "`tree` must be made of arrays"),
    ("training.loop.fit", {"trainers": [(abs,) * 3]}, "`trainers` must be made of functions by"),
    ("training.loop.fit", {"boundaries": [-1]}, "`boundaries` must be at least 0"),
    ("training.loop.fit", {"boundaries": [2, 4]}, "`boundaries` must be 1 steps, one for each"),
    ("training.boxes.make_block", {"shape": (-1, 2)}, "`n_block` must be at least 1, but is -1"),
    (
        "training.batches.cut_batch",
        {"block": part("v", But(lambda v: v.tolist()))},
        r"`block.v\[0\]\[0\]` must be an array of numbers",
    ),
    ("training.losses.spectral_loss", {"start": {}}, "`params.*missing"),
    ("forecast.cases.simulate", {"psi0": But(lambda psi: psi.at[0, 0].set(NAN))}, "`psi0` must be"),
    ("forecast.cases.simulate", {"v": But(lambda v: v[:1])}, f"`v` {NOT_OF_CASES}"),
    ("forecast.cases.measure", {"frames": SHORTER}, "`frames` must be of shape"),
    (
        "forecast.cases.summarise",
        {"per_frame": without("mae")},
        "`per_frame` must be a dict.*'mae'",
    ),
    (
        "forecast.cases.summarise",
        {"per_frame": having(mae=np.ones(3))},
        rf"`per_frame\['mae'\]` {NOT_OF_CASES}",
    ),
    ("forecast.baselines.best_clamped", {"n_substeps": 0}, "`n_substeps` must be at least 1"),
    ("forecast.baselines.evaluate", {"seed": -1}, "`seed` must be at least 0"),
    ("forecast.baselines.evaluate", {"seed": 2**32}, r"`seed` must be at most 2\^32 - 1"),
    ("forecast.baselines.case_errors", {"per_frame": {}}, "`per_frame` must be a dictionary with"),
    ("forecast.baselines.summarise", {"families": ("a",) * 3}, "one entry for each of 3 cases"),
    ("forecast.baselines.table", {"evaluation": having(scores=3)}, r"\['scores'\]` must be a dict"),
]
INSIGHT: list[tuple[str, dict[str, Any], str]] = [
    ("insight.design.search.descend", {"n_knot": 0}, "`n_knot` must be at least 1"),
    ("insight.design.search.rollout_objective", {"shares": (0.5, 2.0)}, "`shares` must be between"),
    (
        "insight.design.search.rollout_objective",
        {"shares": (0.5,)},
        "`shares` must be of the shape",
    ),
    ("insight.design.search.rollout_objective", {"passing": abs}, "`shares` must be of the shape"),
    (
        "insight.design.search.rollout_objective",
        {"passing": lambda: 0},
        "`passing` must be a function of 1 argument",
    ),
    ("insight.design.trials.prepare", {"dwell": -1.0}, "`dwell` must be between 0 and inf"),
    (
        "insight.design.trials.prepare",
        {"extent": 1e6},
        "`width, extent, dwell` must be of a flight",
    ),
    ("insight.flight.evaluate", {"v": "high"}, "`v` must be an array of numbers"),
    ("insight.flight.count_sides", {"psi": SHORTER}, r"`psi` must be of shape \(64,\)"),
    ("insight.flight.make_table", {"numbers": without("exact")}, "a dictionary with 'exact'"),
    (
        "insight.flight.make_table",
        {"numbers": having(wraps_around=1)},
        r"`numbers\['wraps_around'\]` must be True or False",
    ),
    ("insight.harness.frames.forecast", {"v": SHORTER}, f"`v` {NOT_OF_CASES}"),
    (
        "insight.harness.nulls.randomise",
        {"propagator": object()},
        "`propagator` must be Propagator",
    ),
    ("insight.harness.nulls.Disturbed.__call__", {"v": [0.0] * 64}, "`v` must be an array of real"),
    ("insight.design.trials.averages", {"v": SPOILT}, "`v` must be finite"),
    ("insight.harness.intervals.resample", {"seed": -1}, "`seed` must be at least 0"),
    ("insight.harness.intervals.rounding", {"dtype": int}, "`dtype` must be a type of real"),
    ("insight.harness.intervals.rounding", {"n_frames": 0}, "`n_frames` must be at least 1"),
    (
        "insight.harness.reports.make_table",
        {"sections": {"one": {"row": ["1"]}}},
        "rows of 2 cells",
    ),
    ("insight.importance.study.examine", {"params": {}}, "`params` must be made of arrays"),
    ("insight.importance.trainings.initial_params", {"seeds": [-1]}, "`seeds` must be at least 0"),
    (
        "insight.importance.trainings.initial_params",
        {"seeds": [2**32]},
        r"`seeds` must be at most 2\^32 - 1",
    ),
    ("insight.importance.study.sample_potentials", {"seed": 2**70}, r"must be at most 2\^32 - 1"),
    ("insight.interventions.survey.evaluate", {"seed": 2**70}, r"must be at most 2\^32 - 1"),
    ("insight.symmetries.audit.evaluate", {"seed": 2**32}, r"`seed` must be at most 2\^32 - 1"),
    ("insight.probes.learning.sample_lessons", {"seed": -1}, "`seed` must be at least 0"),
    ("insight.interventions.effects.intervene", {"moments": part("v", SHORTER)}, NOT_OF_CASES),
    ("insight.interventions.maps.measure_sizes", {"v": SHORTER}, "`v` must be of shape"),
    ("insight.interventions.maps.measure_sizes", {"psi": SPOILT}, "`psi` must be finite"),
    ("insight.interventions.maps.draw_maps", {"sizes": part("psi", SPOILT)}, "`sizes.psi` must be"),
    ("insight.interventions.maps.draw_maps", {"sizes": part("psi", SHORTER)}, NOT_OF_CASES),
    (
        "insight.interventions.maps.draw_maps",
        {"sizes": part("v", But(lambda v: 1j))},
        "`sizes.v` must be",
    ),
    (
        "insight.interventions.scenes.sample_moments",
        {"intervention": But(lambda good: good._replace(scene="nowhere"))},
        "`scene` must be one of",
    ),
    ("insight.interventions.sensitivity.choose_places", {"seed": -1}, "`seed` must be at least 0"),
    (
        "insight.interventions.sensitivity.measure_derivatives",
        {"places": np.array([[24]])},
        f"`places` {NOT_OF_CASES}",
    ),
    (
        "insight.interventions.survey.make_controls",
        {"system": System(Grid(64, 32.0), n_channel=2)},
        "`system` must be one with a real potential",
    ),
    ("insight.probes.learning.describe_learning", {"error": SHORTER}, "`error` must be of shape"),
    (
        "insight.probes.learning.steps_until",
        {"step": But(lambda step: step + INF)},
        "`step` must be finite",
    ),
    ("insight.probes.scattering.find_peaks", {"y": SPOILT}, "`y` must be finite"),
    ("insight.probes.scattering.find_peaks", {"prominence": 2.0}, "`prominence` must be between"),
    ("insight.symmetries.cases.solve_pairs", {"starts": part("v", SHORTER)}, NOT_OF_CASES),
    (
        "insight.symmetries.cases.solve_pairs",
        {"starts": part("v", But(lambda v: 1e6 * (v + 1)))},
        "`starts.v` must be between",
    ),
    ("insight.symmetries.trajectories.run", {"truth": SHORTER}, r"`truth` must be of shape \(2, 2"),
    (
        "insight.symmetries.audit.make_table",
        {"numbers": having(roles={})},
        "`findings` must be one of",
    ),
]
PLOTS: list[tuple[str, dict[str, Any], str]] = [
    ("plots.phases.plot_phases", {"taught": -1.0}, "`taught` must be finite and positive"),
    ("plots.phases.plot_phases", {"k": SPOILT}, "`k` must be finite"),
    ("plots.movies.animate_wavefunction", {"seconds": 1e6}, "`seconds` must be between 0 and 600"),
    ("plots.probes.plot_waves", {"known": {"it": np.ones(3)}}, r"`known\['it'\]` must be of shape"),
    ("plots.interventions.plot_interventions", {"interventions": {}}, "`interventions` must be"),
    (
        "plots.interventions.plot_interventions",
        {"interventions": part("no potential", having(findings={}))},
        "`interventions` must be of 1 to",
    ),
    ("plots.interventions.plot_sensitivity", {"kind": "waves"}, "a dictionary with 'waves'"),
    (
        "plots.interventions.plot_sensitivity",
        {"sensitivity": having(offset_points=[])},
        r"`sensitivity\['offset_points'\]` must be not empty",
    ),
    (
        "plots.interventions.plot_sensitivity",
        {"sensitivity": having(offset_points=[INF, -1, 0, 1, 2])},
        r"`sensitivity\['offset_points'\]` must be finite",
    ),
]
ROWS = {
    f"{name}({', '.join(wrong)}) {i}": (name, wrong, words)
    for i, (name, wrong, words) in enumerate([*PHYSICS, *WORK, *INSIGHT, *PLOTS])
}


@functools.cache
def calls_in(part: str) -> Calls:
    """The valid calls of a subpackage."""
    return calls_of(part, samples())


@functools.cache
def samples() -> Samples:
    """The small arrays of these calls."""
    return Samples()


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize("row", ROWS)
def test_a_wrong_argument_is_refused_by_its_name(row: str) -> None:
    name, wrong, words = ROWS[row]
    call = calls_in(name.split(".")[0])[name]
    made = {k: v.make(call.arguments[k]) if isinstance(v, But) else v for k, v in wrong.items()}
    with pytest.raises(ValueError, match=f"Arguments? .*{words}"):
        call(**made)


HERE = pathlib.Path("here")
SCORES: dict[str, Any] = dict.fromkeys(
    (*report.SCORES, "mean_infidelity", "mean_nrmse", "max_norm_drift"), 0.5
)
METRICS: dict[str, Any] = {
    "preset": "it", "training_steps": 2, "training_seconds": 1.0, "teacher_share": 0.5,
    "benchmark": SCORES | {"n_frames": 2, "cases": {}},
}  # fmt: skip
ROW = dict.fromkeys(story.ROW, None) | {"run": "it", "student": "it", "step": 1}
BLOCK = {"loss": 1.0, "learning_rate": 0.1, "worst_step": 1, "worst_lesson": 0, "is_finite": True}
OF_FILES: dict[str, tuple[Callable[[], Any], str]] = {
    "arrays in JSON": (
        lambda: records.plain({"a": [np.ones(2)]}),
        r"`value\['a'\]\[0\]` must be a",
    ),
    "keys in JSON": (lambda: records.plain({(1,): 2}), "`value` must be with text as keys"),
    "a line of a log": (lambda: records.append(HERE, {"a": 1j}), r"`line\['a'\]` must be a number"),
    "words alone": (lambda: records.fingerprint("words"), "`tree` must be an array of numbers"),
    "metadata": (lambda: pretrained.pack(HERE, {"a": 1j}, {}), r"`about\['a'\]` must be a number"),
    "parameters": (
        lambda: pretrained.pack(HERE, {}, {"a": "b"}),
        r"`arrays\['a'\]` must be an arr",
    ),
    "no parameters": (lambda: pretrained.pack(HERE, {}, {}), "`arrays` must be made of arrays"),
    "no name of a file": (
        lambda: records.write(pathlib.Path(""), ""),
        "`path` must be the path of a",
    ),
    "a null character": (lambda: lock.locked(pathlib.Path("\0")).__enter__(), "without null char"),
    "a null character inside": (
        lambda: story.tell(story.Story(pathlib.Path("\0"), Config(), [], None, [])),
        "`story` must be without null characters",
    ),
    "no program": (lambda: options.plain("Error", " ", ["--n"]), "`prog` must be the name of a"),
    "no run": (lambda: story.tell_all([], HERE), "`outs` must be not empty"),
    "a row of runs": (
        lambda: story.table([ROW | {"step": None}]),
        r"`rows\[0\]\['step'\]` must be an",
    ),
    "scores": (
        lambda: report.summary(METRICS | {"benchmark": {}}),
        r"`metrics\['benchmark'\]` must be a dictionary with 'n_frames'",
    ),
    "a dispersion": (
        lambda: report.summary(METRICS | {"dispersion": {key: [] for key in report.DISPERSION}}),
        r"`metrics\['dispersion'\]` must be made of lists of one length, not empty",
    ),
    "costs": (lambda: distillation.means({"benchmark": {}}), "`metrics` must be a dictionary with"),
    "a table of means": (
        lambda: distillation.means(dict.fromkeys(("benchmark", *distillation.COSTS), 3)),
        r"`metrics\['benchmark'\]` must be dict, but is 3",
    ),
    "a mean": (
        lambda: distillation.means(
            dict.fromkeys(distillation.COSTS, 3) | {"benchmark": {"mean_mae": np.ones(())}}
        ),
        r"`metrics\['benchmark'\]\['mean_mae'\]` must be a number or None",
    ),
    "switches": (
        lambda: distillation.distill("demo", HERE, draw=1),  # type: ignore[arg-type]
        "`draw` must be True or False, but is 1",
    ),
    "a block": (
        lambda: divergence.check(BLOCK | {"loss": "1"}, 1.0, 1e3, ("free",)),
        r"`metrics\['loss'\]` must be a number, but is '1'",
    ),
    "a rollback": (
        lambda: divergence.record(HERE, TrainingConfig(), 0, BLOCK),
        "`metrics` must be a dictionary with 'stage'",
    ),
}


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize("what", OF_FILES)
def test_what_no_file_can_hold_is_refused_by_its_name(
    what: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call, words = OF_FILES[what]
    with pytest.raises(ValueError, match=f"Argument .*{words}"):
        call()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error", [RuntimeError("my own bug"), IndexError("mine"), ValueError("my empty list")]
)
def test_an_error_of_the_users_function_is_passed_on_as_it_is(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(key: Any, grid: Grid, difficulty: Any) -> Any:
        raise error

    monkeypatch.setitem(LESSONS, "faulty", faulty)
    solver = split_step(System(Grid(64, 32.0)), 4)
    with pytest.raises(type(error)) as raised:
        symmetries.evaluate({"it": solver}, 0, 2, 2, nulls={}, lessons=("faulty",))
    assert raised.value is error


def test_a_file_that_is_no_netcdf_is_named(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("h5netcdf")
    path = tmp_path / "frames.nc"
    path.write_text("words")
    with pytest.raises(OSError, match=f"`{path}` cannot be read as NetCDF"):
        export.read_netcdf(path)
