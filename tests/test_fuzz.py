"""Hostile calls at a small size: each is refused in words, right, or legitimate."""

import pathlib

import numpy as np
import pytest

from experiments.fuzz import hostile, trials
from qdistill.physics import grid
from qdistill.physics.grid import Grid

ROOT = pathlib.Path(__file__).parents[1]
# Those that are quick to set up; `experiments/fuzz/fuzz.py` tries all.
SUBPACKAGES, N_CALLS, SEED = ("physics", "system", "teacher"), 300, 3


@pytest.mark.usefixtures("without_checker")
def test_hostile_calls_are_refused_in_words_right_or_legitimate(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    calls = trials.valid_calls(SUBPACKAGES, slow=False)
    tried = list(trials.trials(N_CALLS, SEED, calls))
    counted = trials.count(tried)["all"]
    with capsys.disabled():
        print(f"\n{len(tried)} hostile calls of {len(calls)} functions: {counted}")
    failed = [trial for trial in tried if trial.outcome in trials.BAD]
    assert not failed, "\n".join(map(str, failed))
    assert counted["refused"] > N_CALLS / 3


def test_what_is_silently_wrong_is_caught() -> None:
    """The judge of the trials, asked about results that are wrong."""
    before = [np.ones(3)]
    for kind, after in (
        ("same", np.array([1.0, 1.0, 2.0])),
        ("bad", np.array([1.0, np.nan, 1.0])),
        ("nan", np.array([1.0, 2.0, 1.0])),
    ):
        assert trials.judge("physics.x", {kind}, before, [after])[0] == "silently wrong"
        assert trials.judge("physics.x", {kind}, before, before)[0] == "right"
    assert trials.judge("physics.x", {"bad"}, before, [np.zeros(4)])[0] == "legitimate"
    assert not trials.is_in_words(TypeError("unsupported operand"))
    assert not trials.is_in_words(ValueError("not broadcastable"))


@pytest.mark.usefixtures("without_checker")
def test_an_obscure_error_is_told_as_the_refusal_of_its_argument() -> None:
    with pytest.raises(ValueError, match="`grid` must be Grid, but is None"):
        grid.norm(None, np.ones(4))  # type: ignore[arg-type]


def test_a_seed_gives_the_same_hostile_values() -> None:
    first, second = (
        [hostile.hostile(np.random.default_rng(7), Grid(8, 2.0)) for _ in range(3)]
        for _ in range(2)
    )
    assert first == second
