"""The script that films a run."""

import json
import pathlib

import jax
import numpy as np
import pytest
import scripts
import small
from PIL import Image, ImageSequence

from qdistill.runs import folder as run_folder
from qdistill.runs.checkpoints import Checkpoints


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A run that has not been trained."""
    out = tmp_path_factory.mktemp("runs") / "untrained"
    run_folder.open_folder(out, small.UNITARY, resume=False)
    state = run_folder.set_up(small.UNITARY).trainers[0].init(jax.random.key(0))
    with Checkpoints(out / "checkpoints") as saved:
        saved.save(state, 1.0)
    return out


def test_smoke_run_films_given_and_forecast_frames(folder: pathlib.Path, tmp_path) -> None:
    out = tmp_path / "movie"
    options = (str(folder), "--smoke", "--case", "well-1", "--out", str(out))
    done = scripts.run("movie", *options)
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "metrics.json").read_text())
    assert found["benchmark"]["n_frames"] == 8
    assert list(found["benchmark"]["cases"]) == ["well-1"]
    # As a student that knows nothing; its norm is kept whatever its parameters are.
    assert found["benchmark"]["mean_nrmse"] > 0.01
    assert found["benchmark"]["max_norm_drift"] < 1e-5
    with Image.open(out / "forecast.gif") as film:
        pictures = [np.asarray(each.convert("RGB")) for each in ImageSequence.Iterator(film)]
    assert len(pictures) == found["n_given"] + 8
    last = pictures[-1]
    assert np.unique(last.reshape(-1, 3), axis=0).shape[0] > 20
    assert (out / "wavefunction.png").stat().st_size > 10_000
    assert json.loads((out / "config.json").read_text())["case"] == "well-1"
    assert "8 frames, mean relative L2 error" in done.stdout
    assert "is not an empty folder" in scripts.run("movie", *options).stderr


def test_smoke_run_films_two_channels(tmp_path) -> None:
    out = tmp_path / "movie"
    done = scripts.run("movie", "tully", "--case", "tully-2", "--smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "metrics.json").read_text())
    assert list(found["benchmark"]["cases"]) == ["tully-2"]
    # 8 frames before the first crossing, of a mass that is right to a few parts in 10^4.
    assert found["benchmark"]["mean_nrmse"] < 1e-3
    with Image.open(out / "forecast.gif") as film:
        assert len(list(ImageSequence.Iterator(film))) == 9
        assert film.size[0] == 800
    assert (out / "populations.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("nowhere",), "There is no run in `nowhere`"),
        (("demo", "--case", "cliff"), "Argument `case` must be one of 'barrier-15.0"),
        (("tully", "--case", "steps"), "Argument `case` must be one of 'tully-1', 'tully-2'"),
        (("tully", "--case", "tully-1", "--momentum", "0"), "`momentum` must be finite and pos"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options, words, tmp_path) -> None:
    done = scripts.run("movie", *options, "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert done.stderr.startswith("experiments/movie.py: ")
    assert words in done.words
    assert not (tmp_path / "out").exists()
