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
