import json
import pathlib

import pytest
import scripts

from experiments.ladder import compare_students, ladder
from qdistill.forecast import baselines
from qdistill.plots.students import MOST
from qdistill.runs import config, presets
from qdistill.runs.config import Config
from qdistill.students import FORMS

SYSTEM = Config().system


@pytest.mark.parametrize("name", ladder.RUNGS)
def test_every_rung_has_a_whole_training(name: str) -> None:
    rung = ladder.RUNGS[name]
    assert sum(share for share, _ in rung.stages) == pytest.approx(1)
    blocks = [stage.batches.n_block for _, stage in rung.stages]
    settings = ladder.settings_of(name, 3, [2 * n for n in blocks], SYSTEM)
    assert settings.seed == 3
    assert settings.training.boundaries[-1] == 2 * sum(blocks)
    assert config.from_json(config.to_json(settings)) == settings
    known = {"local", "linear", "unitary", "kinetic energy", "unrolled"}
    assert set(rung.properties) <= known
    is_unrolled = any(stage.batches.n_target > 1 for _, stage in rung.stages)
    assert ("unrolled" in rung.properties) == is_unrolled


def test_every_student_stands_on_the_ladder() -> None:
    """Of those of one psi: Tully's models have students of two; `factors` is the factorial's."""
    ours = {
        name
        for name, form in FORMS.items()
        if form.__module__.startswith(("qdistill.", "experiments."))
        and not form.__module__.startswith("experiments.tully.")
    }
    assert {rung.student.name for rung in ladder.RUNGS.values()} == ours - {"factors"}


def test_steps_fill_the_time_in_the_stages_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock of its own: a block takes 0.5 s in the first stage and 2 s in the second."""
    small = presets.smoke_stage(presets.frames_stage(20, 2, 4, 1e-3))
    rung = ladder.RUNGS["unitary"]._replace(stages=((0.25, small), (0.75, small)))
    monkeypatch.setitem(ladder.RUNGS, "unitary", rung)

    def run(settings: Config) -> ladder.Log:
        assert [stage.n_steps for stage in settings.training.stages] == [12, 12]
        # The first block of a stage is slow, and not typical.
        return [
            {"stage": i, "teacher_seconds": 0.2 * each * late, "student_seconds": 0.8 * each * late}
            for i, each in enumerate((0.5, 2.0))
            for late in (3.0, 1.1, 1.0)
        ]

    # 5 s are 10 blocks, and 15 s are 7.5, of four steps each.
    assert ladder.steps_within("unitary", 20.0, SYSTEM, run) == [40, 32]
    assert ladder.steps_within("unitary", 1e-3, SYSTEM, run) == [4, 4]


def test_a_training_without_a_folder_has_a_log_of_every_block() -> None:
    emulator, log = ladder.train(ladder.settings_of("unitary", 3, None, SYSTEM))
    assert [line["step"] for line in log] == [4, 8]
    assert all(line["teacher_seconds"] > 0 and line["student_seconds"] > 0 for line in log)
    assert emulator.config.seed == 3


def test_smoke_comparison_writes_scores_and_figures(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "CAP_PHASES", (2.0,))
    options = ("--smoke", "--seeds", "2", "--out", str(tmp_path), "--students", "unitary")
    done = scripts.run("compare_students", *options)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert set(metrics["students"]) == {"unitary"}
    first, second = metrics["students"]["unitary"]
    assert first["n_parameters"] == second["n_parameters"] == 741
    assert first["mean_nrmse"] != second["mean_nrmse"]
    assert metrics["solvers"]["clamped, 3"]["mean_infidelity"] < 1e-4
    assert {"ladder.png", "errors.png", "config.json"} <= {p.name for p in tmp_path.iterdir()}
    assert "clamped, 1" in done.stdout
    assert "paper full-gru" in done.stdout


def test_unknown_students_are_refused(tmp_path: pathlib.Path) -> None:
    done = scripts.run("compare_students", "--students", "oracle", "--out", str(tmp_path))
    assert done.returncode == 1
    assert "`students` must be one of 'linear'" in done.stderr


def test_the_students_fit_into_the_figure(tmp_path: pathlib.Path) -> None:
    assert {"linear", "unitary, unrolled"} < set(compare_students.Args().students)
    assert len(compare_students.Args().students) <= MOST
    done = scripts.run("compare_students", "--students", *ladder.RUNGS, "--out", str(tmp_path))
    assert done.returncode == 1
    assert "`students` must be of 1 to 12 names, but is of 13" in done.stderr
    done = scripts.run("learning_curve", *13 * ["demo"], "--out", str(tmp_path / "curve"))
    assert done.returncode == 1
    assert "`presets` must be of 1 to 12 names, but is of 13" in done.stderr


def test_learning_curve_follows_a_training(tmp_path: pathlib.Path) -> None:
    options = ("demo", "--smoke", "--every", "0.01", "--out", str(tmp_path))
    done = scripts.run("learning_curve", *options)
    assert done.returncode == 0, done.stderr
    curve = json.loads((tmp_path / "metrics.json").read_text())["demo"]
    seconds, errors = curve["training_seconds"], curve["mean_infidelity"]
    assert seconds == sorted(seconds)
    assert len(seconds) == len(errors) > 2
    assert 0 < errors[-1] < 1
    assert (tmp_path / "learning.png").exists()
    assert "passes paper's full-gru" in done.stdout


@pytest.mark.parametrize("script", ["compare_students", "learning_curve"])
def test_a_folder_with_something_in_it_is_refused_before_training(
    script: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    done = scripts.run(script, "--out", str(tmp_path))
    assert done.returncode == 1
    assert "is not an empty folder. Choose another with --out." in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
