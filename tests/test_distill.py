"""The script, as a user meets it."""

import json
import pathlib

import pytest
import scripts


def test_smoke_run_writes_config_scores_and_figures(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "run"
    done = scripts.run("distill", "demo", "--smoke", "--out", str(out), "--seed", "3")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["preset"] == "demo"
    assert metrics["benchmark"]["n_frames"] == 12
    assert json.loads((out / "config.json").read_text())["seed"] == 3
    assert {path.stem for path in out.glob("*.png")} == {
        "correlations", "landscapes", "training", "dispersion", "spacetime-steps",
        "spacetime-half-circle", "snapshots-steps", "snapshots-half-circle",
    }  # fmt: skip
    assert "paper's full-gru" in done.stdout
    assert "The kinetic energy that it discovered" in done.stdout
    again = scripts.run("distill", "demo", "--smoke", "--out", str(out), "--seed", "3")
    assert again.returncode == 1
    assert "is not an empty folder. Choose another with --out" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--teacher.lenght", "50"], "Unrecognized options"),
        (["demo", "--teacher.length", "-50"], "`lengths` must be finite and positive"),
        (["demo", "--teacher.n-x", "1"], "`shape` must be at least 2, but is 1"),
        (
            ["demo", "--teacher.solver", "split_step", "--teacher.n-substeps", "2"],
            "`n_substeps` must be at least 4 on this grid",
        ),
        (["demo", "--student.name", "oracle"], "`name` must be one of 'linear', 'dense', 'conv'"),
        (["demo", "--curriculum.lessons", "diving"], "`lessons` must be one of 'free'"),
        (["demo", "--teacher.dispersion", "relativistic"], "invalid choice"),
        (["oracle"], "Unrecognized options: oracle"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(arguments: list[str], message: str) -> None:
    done = scripts.run("distill", *arguments)
    assert done.returncode != 0
    assert message in done.words
