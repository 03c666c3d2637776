"""Moving pictures: what moves in them, how long they play, and what they say."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from figures import texts
from matplotlib.figure import Figure
from PIL import Image, ImageSequence
from test_plots_wavefunctions import PSI, WALL, T, X, Y

from qdistill import plots
from qdistill.plots import colours, film

LINE, V = PSI[:, :, 15], WALL[:, 15]


def wrong() -> np.ndarray:
    """A forecast that leaves the truth after two given frames, and is not finite in the end."""
    forecast = LINE * np.exp(0.1j * np.arange(6)).reshape(6, 1)
    forecast[:2] = LINE[:2]
    forecast[5] = np.nan
    return forecast


def load(path: pathlib.Path) -> tuple[list[np.ndarray], list[int]]:
    """Pictures of a GIF that loops for ever, and the milliseconds of each."""
    with Image.open(path) as film:
        assert film.info["loop"] == 0
        shown = [
            (np.asarray(picture.convert("RGB")), picture.info["duration"])
            for picture in ImageSequence.Iterator(film)
        ]
    return [pixels for pixels, _ in shown], [time for _, time in shown]


@pytest.fixture
def moved(monkeypatch) -> list[tuple[Figure, film.Motion]]:
    """What would be written; nothing is."""
    calls: list[tuple[Figure, film.Motion]] = []
    monkeypatch.setattr(film, "shoot", lambda figure, motion, *_: calls.append((figure, motion)))
    return calls


# What moves ---------------------------------------------------------------------------------------


def test_forecast_says_what_was_given_and_what_was_forecast(moved) -> None:
    plots.animate_forecast(X, T, V, LINE, wrong(), "run.gif", 2, "A wall")
    figure, (_, update) = moved[0]
    update(1)
    assert "given to the student" in texts(figure)
    assert "relative error" not in texts(figure)
    update(2)
    assert "forecast from its own forecasts, frame 1 of 4" in texts(figure)
    update(3)
    assert "forecast from its own forecasts, frame 2 of 4" in texts(figure)
    assert f"t = {T[3]:.1f} a.u." in texts(figure)
    assert f"relative error {abs(np.exp(0.3j) - 1):.1e}" in texts(figure)
    for label in ("A wall", "x (bohr)", "V (hartree)", "(bohr$^{-1/2}$)", "phase of $\\psi$"):
        assert label in texts(figure)
    update(5)
    assert "frame 4 of 4: not finite" in texts(figure)


def test_forecast_draws_both_over_one_potential_and_the_error_on_its_own_scale(moved) -> None:
    plots.animate_forecast(X, T, V, LINE, wrong(), "run.gif", 2)
    figure, (artists, update) = moved[0]
    upper, lower, bottom = figure.axes[:3]
    assert upper.get_ylim() == lower.get_ylim()
    update(4)
    modulus, error = np.abs(LINE[4]), np.abs(wrong()[4] - LINE[4])
    for ax in (upper, lower):
        np.testing.assert_allclose(ax.lines[0].get_ydata(), modulus)
    assert lower.lines[1].get_linestyle() != "-"
    (area,) = bottom.collections
    corners = np.asarray(area.get_paths()[0].vertices)
    for point in zip(X, error, strict=True):
        assert np.isclose(corners, point, atol=1e-9).all(axis=1).any()
    assert error.max() < bottom.get_ylim()[1] < upper.get_ylim()[1]
    # The colours of the forecast are those of its phase, and they are cut along |psi|.
    fill = lower.images[0]
    phase = np.exp(1j * np.angle(wrong()[4]))[None]
    np.testing.assert_allclose(fill.get_array(), plots.colour_phase(phase, 1.0))
    edge = fill.get_clip_path()
    assert edge is not None
    assert edge.get_fully_transformed_path().get_extents().height > 10
    behind = [ax for ax in figure.axes if ax.get_ylabel() == "V (hartree)"]
    assert len(behind) == 2
    assert all(ax.get_ylim()[0] == 0 for ax in behind)
    assert all(artist in figure.findobj() for artist in artists)


def test_channels_stand_on_one_scale_each_in_its_panel(moved) -> None:
    energies, weights = np.stack([-V - 1, V + 1]), np.array([1.0, 0.5j])[:, None]
    truth, forecast = (frames[:, None] * weights for frames in (LINE, wrong()))
    plots.animate_forecast(X, T, energies, truth, forecast, "run.gif", 2)
    figure, (artists, update) = moved[0]
    *panels, bottom = figure.axes[:5]
    update(4)
    for i, ax in enumerate(panels):
        # The first channel is the lowest of two.
        channel = 1 - i % 2
        np.testing.assert_allclose(ax.lines[0].get_ydata(), np.abs(truth[4, channel]))
        assert len(ax.lines) == (2 if i > 1 else 1)
        assert f"channel {channel}" in [text.get_text() for text in ax.texts]
        shown = np.concatenate([c.get_paths()[0].vertices[:, 1] for c in behind(figure, i)])
        assert np.ptp(shown) >= np.ptp(np.append(energies[channel], 0)) - 1e-9
    scales = {ax.get_ylim() for ax in figure.axes if ax.get_ylabel() == "V (hartree)"}
    assert len(scales) == len({ax.get_ylim() for ax in panels}) == 1
    corners = np.asarray(bottom.collections[0].get_paths()[0].vertices)
    error = np.linalg.norm(forecast[4] - truth[4], axis=0)
    assert corners[:, 1].max() == pytest.approx(error.max())
    assert f"relative error {abs(np.exp(0.4j) - 1):.1e}" in texts(figure)
    update(5)
    assert "frame 4 of 4: not finite" in texts(figure)
    assert all(artist in figure.findobj() for artist in artists)


def behind(figure: Figure, i: int) -> list:
    """The filled potential behind a panel."""
    axes = [ax for ax in figure.axes if ax.get_ylabel() == "V (hartree)"]
    where = figure.axes[i].get_position().bounds
    return [c for ax in axes if ax.get_position().bounds == where for c in ax.collections]


def test_words_stand_above_the_potential(moved) -> None:
    for potential in (V, -V):
        plots.animate_wavefunction(X, T, potential, LINE, "run.gif")
        behind = moved[-1][0].axes[1]
        assert behind.get_ylabel() == "V (hartree)"
        low, high = behind.get_ylim()
        places = (np.append(potential, 0) - low) / (high - low)
        assert places.min() >= 0
        assert places.max() < 0.82


def test_plane_keeps_its_potential_above_psi(moved) -> None:
    plots.animate_wavefunction_2d(X, Y, T, PSI, WALL, "run.gif", "Two slits")
    figure, (artists, update) = moved[0]
    update(3)
    psi, haze = artists[:2]
    scale = np.median([np.percentile(np.abs(frame), 99.5) for frame in PSI])
    np.testing.assert_allclose(psi.get_array(), plots.colour_phase(PSI[3].T, scale))
    np.testing.assert_array_equal(haze.get_array()[..., 3] > 0, WALL.T > 0)
    assert f"Two slits   t = {T[3]:.1f} a.u." in texts(figure)


# How it is written --------------------------------------------------------------------------------


def test_gif_has_every_frame_loops_and_is_800_pixels_wide(tmp_path) -> None:
    path = tmp_path / "new" / "run.gif"
    plots.animate_wavefunction(X, T, V, LINE, path, "a packet", seconds=1.2)
    pictures, times = load(path)
    assert len(pictures) == T.size
    assert times == [1000, 200, 200, 200, 200, 1000]
    assert pictures[0].shape[1] == 800
    # What moves is the packet; the axis below it stands still.
    assert (pictures[0] != pictures[3]).any()
    np.testing.assert_array_equal(pictures[0][-30:], pictures[3][-30:])


def test_gif_shows_what_was_drawn_in_its_colours(tmp_path) -> None:
    plots.animate_wavefunction(X, T, V, LINE, tmp_path / "run.gif", seconds=0.5)
    pictures, _ = load(tmp_path / "run.gif")
    shown = pictures[0].astype(float) / 255
    for colour in plots.colour_phase(np.exp(1j * np.array([0.5, 2.0, -2.0])), 1.0):
        assert np.linalg.norm(shown - colour, axis=-1).min() < 0.12


def test_gif_of_a_plane_keeps_faint_colours(tmp_path) -> None:
    plots.animate_wavefunction_2d(X, Y, T[:2], PSI[:2], WALL, tmp_path / "run.gif", seconds=0.2)
    pictures, _ = load(tmp_path / "run.gif")
    for modulus, tolerance in ((0.3, 0.06), (0.6, 0.08), (1.0, 0.1)):
        for turn in np.exp(1j * np.linspace(0, 2 * np.pi, 7)):
            colour = plots.colour_phase(np.array([modulus * turn]), 1.0)
            gap = np.linalg.norm(colours.colour_disc() - colour, axis=-1)
            assert gap.min() < tolerance
    held = {tuple(pixel) for pixel in pictures[1][::2, ::2].reshape(-1, 3)}
    rings = np.round(255 * colours.colour_disc()).astype(int)
    assert len(held & set(map(tuple, rings))) > 60


def test_long_films_leave_frames_out_and_end_with_the_last(monkeypatch, tmp_path) -> None:
    seen: list[int] = []
    write = lambda draw, path, *_: path.write_bytes(bytes(len(list(draw(1)))))  # noqa: E731
    monkeypatch.setattr(film, "_write_gif", write)
    film.shoot(Figure(), ([], seen.append), 400, tmp_path / "run.gif", 10.0)
    assert (len(seen), seen[0], seen[-1]) == (120, 0, 399)
    assert set(np.diff(seen)) == {3, 4}


def test_mp4_where_ffmpeg_is(tmp_path) -> None:
    path = tmp_path / "run.mp4"
    plots.animate_wavefunction(X, T[:2], V, LINE[:2], path, seconds=0.5)
    found = subprocess.run([film.find_ffmpeg(), "-i", path], capture_output=True, text=True)
    assert "Video: h264" in found.stderr
    assert "1600x" in found.stderr


def test_mp4_without_ffmpeg_names_the_cure_before_anything_is_drawn(monkeypatch) -> None:
    monkeypatch.setattr(film.shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(FileNotFoundError, match=r"qdistill\[video\].*\.gif"):
        plots.animate_wavefunction(X, T, V, LINE, "run.mp4")


def test_what_ffmpeg_says_is_passed_on(tmp_path, monkeypatch) -> None:
    (tmp_path / "run.mp4").write_text("before")
    monkeypatch.setattr(film, "find_ffmpeg", lambda: sys.executable)
    with pytest.raises(OSError, match=r"run\.mp4` cannot be written: ffmpeg says: .*option"):
        plots.animate_wavefunction(X, T, V, LINE, tmp_path / "run.mp4", seconds=0.2)
    assert (tmp_path / "run.mp4").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_by_words(tmp_path) -> None:
    path = tmp_path / "run.gif"
    refused = {
        "`path` must be the name of a .gif or a .mp4": lambda: plots.animate_wavefunction(
            X, T, V, LINE, "run.avi"
        ),
        "`seconds` must be finite and positive": lambda: plots.animate_wavefunction(
            X, T, V, LINE, path, seconds=0
        ),
        "`psi` must be finite": lambda: plots.animate_wavefunction(X, T, V, LINE * np.nan, path),
        "`forecast` must be of shape (6, 48)": lambda: plots.animate_forecast(
            X, T, V, LINE, LINE[1:], path
        ),
        "`truth` must be finite": lambda: plots.animate_forecast(X, T, V, wrong(), LINE, path),
        "`truth` must be of shape (6, 2, 48)": lambda: plots.animate_forecast(
            X, T, np.stack([V, V]), LINE, LINE, path
        ),
        "`v` must be of shape (n_x,), or (n_channel, n_x)": lambda: plots.animate_forecast(
            X, T, np.ones((2, 2, 48)), LINE, LINE, path
        ),
        "`n_given` must be between 0 and 6": lambda: plots.animate_forecast(
            X, T, V, LINE, LINE, path, 7
        ),
        "`psi` must be of shape (6, 48, 30)": lambda: plots.animate_wavefunction_2d(
            X, Y, T, PSI[1:], WALL, path
        ),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)
    assert not path.exists()
