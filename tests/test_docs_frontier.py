"""The page on the frontier quotes what `coarse.py` wrote."""

import json
import pathlib

ROOT = pathlib.Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "frontier.md").read_text()
REPORT = json.loads((ROOT / "results" / "coarse" / "metrics.json").read_text())


def error_rows() -> list[str]:
    return [
        f"| {name} | {row['rms_error']:.1e} | {row['median_error']:.1e} | {row['worst_error']:.1e} "
        f"| {1e3 * row['setup_seconds']:.1f} | {1e3 * row['job_seconds']:.0f} |"
        for name, row in REPORT["contenders"].items()
    ]


def level_rows() -> list[str]:
    rows = []
    for level, row in REPORT["levels"].items():
        speed = (
            f"{row['ratio']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})"
            if "ratio" in row
            else ""
        )
        cells = [level, *(row[who] or "none" for who in ("solver", "student")), speed]
        rows.append("| " + " | ".join(cells).rstrip() + " |")
    return rows


def test_every_contender_and_level_is_quoted_as_measured() -> None:
    for line in [*error_rows(), *level_rows()]:
        assert line in PAGE


def test_the_text_says_what_was_measured() -> None:
    found, text = REPORT["contenders"], " ".join(PAGE.split())

    def times(a: str, b: str, what: str) -> str:
        return f"{found[a][what] / found[b][what]:.1f} times"

    small, large = "learned from all, 208 points", "learned from all, 224 points"
    full, few, fold = "clamped, 20 pairs", "384 points, 20 pairs", "folded, 224 points"
    assert f"is {times(full, large, 'job_seconds')} as fast at a smaller error" in text
    assert found[large]["rms_error"] < found[full]["rms_error"]
    faster, closer = times(few, small, "job_seconds"), times(few, small, "rms_error")
    assert f"is {faster} as fast as the best split step on fewer points, at {closer} less" in text
    errors = " against ".join(f"{found[name]['rms_error']:.1e}" for name in (large, fold))
    assert f"smaller ({errors} on 224 points)" in text
    assert 0.6 < found[large]["setup_seconds"] / found[fold]["setup_seconds"] < 0.7
    taught = found["learned from trajectories, 224 points"]["rms_error"]
    assert f"ends at {taught:.1e}, between the Hamiltonian that is cut off" in text
    late = json.loads((ROOT / "results" / "coarse-100" / "metrics.json").read_text())["contenders"]
    words = [f"{late[name]['rms_error']:.1e}" for name in (large, fold, "cut off, 224 points")]
    assert "student has {}, the fold {}, the Hamiltonian cut off {}".format(*words) in text
    costs = json.loads((ROOT / "results" / "work_precision-continuum" / "metrics.json").read_text())
    exact = costs["contenders"]["projected, 256 points"]
    assert f"between the same waves has {exact['rms_error']:.1e} on 256" in text
    assert f"the job takes it {1e3 * exact['job_seconds']:.0f} ms" in text
