"""The script that kills a training at random moments, with two kills; and what it once saw."""

import json
import pathlib

import scripts

ROOT = pathlib.Path(__file__).parents[1]


def test_a_run_killed_at_random_moments_ends_bit_for_bit_as_one_left_alone(
    tmp_path: pathlib.Path,
) -> None:
    done = scripts.run("reliability", "--smoke", "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    seen = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert seen["n_kills"] == 2
    assert seen["same_parameters"]
    assert seen["same_losses"]
    assert seen["long_run"]["n_blocks"] == 15
    assert min(seen["long_run"]["memory_mib_after_each_fifth"]) > 50


def test_a_thousand_blocks_left_memory_flat_and_the_disk_bounded() -> None:
    seen = json.loads((ROOT / "results" / "reliability" / "metrics.json").read_text())
    assert seen["n_kills"] == len(seen["blocks_logged_at_each_kill"]) == 20
    assert seen["same_parameters"]
    assert seen["same_losses"]
    run = seen["long_run"]
    assert run["n_blocks"] >= 1000
    # The third and last stage is compiled after two thirds; from then on nothing is to grow.
    fourth, last = run["memory_mib_after_each_fifth"][3:]
    assert last < 1.02 * fourth
    assert run["largest_checkpoints_bytes"] < 1e6
    assert run["log_bytes_per_block"] < 1000
