"""The script that kills a training at random moments, with two kills; and what it once saw."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[1]


def test_a_run_killed_at_random_moments_ends_bit_for_bit_as_one_left_alone(
    tmp_path: pathlib.Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "experiments/reliability.py", "--smoke", "--out", str(tmp_path / "run")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert seen["n_kills"] == 2
    assert seen["same_parameters"]
    assert seen["same_losses"]
    assert seen["long_run"]["n_blocks"] == 60
