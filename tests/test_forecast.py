"""The command that forecasts on a potential of one's own, by a run that was never trained."""

import json
import pathlib

import jax
import numpy as np
import pytest
import scripts
import small

from qdistill.runs import folder as runs
from qdistill.runs.checkpoints import Checkpoints


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run that has only just begun: its kinetic energy is zero."""
    path = tmp_path_factory.mktemp("runs") / "small"
    runs.open_folder(path, small.UNITARY, resume=False)
    state = runs.set_up(small.UNITARY).trainers[0].init(jax.random.key(0))
    with Checkpoints(path / "checkpoints") as saved:
        saved.save(state, 1.0)
    return str(path)


def test_the_exact_packet_goes_over_and_an_untrained_one_stays(
    folder: str, tmp_path: pathlib.Path
) -> None:
    rows = np.stack([np.arange(1001) / 10, 3 * np.exp(-((np.arange(1001) / 10 - 40) ** 2))], axis=1)
    np.savetxt(tmp_path / "hill.csv", rows, delimiter=",")
    done = scripts.run(
        "forecast", folder, "--potential", str(tmp_path / "hill.csv"),
        "--out", str(tmp_path / "out"), "--centre", "49", "--momentum", "-4.5", "--width", "2",
        "--frames", "40",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    # Far above the hill all goes over, to the left: 4.5 * 4 = 18 bohr. What never moves is at 49.
    assert found["exact"]["transmission"] > 0.95
    assert found["forecast"]["transmission"] < 1e-6
    assert found["forecast"]["reflection"] > 0.99
    assert sum(found["exact"].values()) == pytest.approx(1, abs=1e-4)
    # The lattice's energy of k = 4.5, and about 1 / (8 width^2) for the width.
    dx = 100 / 1024
    energy = (1 - np.cos(4.5 * dx)) / dx**2 + 1 / 32
    assert found["energy_hartree"] == pytest.approx(energy, rel=3e-3)
    assert found["potential_hartree"]["highest"] == pytest.approx(3.0, abs=0.02)
    assert found["norm_drift"] < 1e-4
    assert found["relative_l2_error"] == pytest.approx(np.sqrt(2), rel=0.05)
    assert (tmp_path / "out" / "spacetime.png").stat().st_size > 10_000
    assert json.loads((tmp_path / "out" / "config.json").read_text())["momentum"] == -4.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--potential", "5*step(x)"], "must be of the functions abs, "),
        (["--potential", "nowhere.png"], "must be a picture that can be read"),
        (["--centre", "120"], "`centre` must be between 0 and 100"),
        (["--out", str(pathlib.Path(__file__).parent)], "is not an empty folder"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(folder: str, options: list[str], words: str) -> None:
    done = scripts.run("forecast", folder, *options)
    assert done.returncode == 1
    assert done.stderr.startswith("qdistill: ")
    assert words in done.stderr
