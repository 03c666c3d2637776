"""Writing of animated figures: a GIF by Pillow, or an MP4 by ffmpeg."""

import contextlib
import importlib
import itertools
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from qdistill import _files
from qdistill._checks import refuse, require_between, require_positive
from qdistill._refusals import explained

Path: TypeAlias = str | os.PathLike[str]
# Moving artists in drawing order, and the function that sets them to a frame.
Motion: TypeAlias = tuple[Sequence[Artist], Callable[[int], None]]
# Draws every n-th frame as pixels.
Camera: TypeAlias = Callable[[int], Iterator[np.ndarray]]
# Dots per inch of a figure ten inches wide, and the largest number of pictures per second, by kind
# of file; extra seconds for the first and the last picture.
DOTS, FASTEST, HELD = {".gif": 80, ".mp4": 160}, {".gif": 12, ".mp4": 25}, 0.8
# Longest duration in seconds: a GIF cannot show a picture for longer than 655 seconds.
LONGEST = 600.0


@explained
def require_film(path: Path, seconds: float) -> pathlib.Path:
    """Refuse a path or duration with which no animation can be written, before drawing."""
    require_positive(seconds=seconds)
    require_between(0, LONGEST, seconds=seconds)
    path = pathlib.Path(path)
    if path.suffix not in DOTS:
        refuse("path", "the name of a .gif or a .mp4", path)
    if path.suffix == ".mp4":
        find_ffmpeg()
    return path


@explained
def shoot(
    figure: Figure,
    motion: Motion,
    n_t: int,
    path: pathlib.Path,
    seconds: float,
    colours: np.ndarray | None = None,
) -> None:
    """Write an animated figure, and make its folder if it is missing.

    Args:
      figure: The static part of the figure; it is changed.
      motion: The moving artists.
      n_t: Number of frames; frames are left out if more than `FASTEST` per second would be shown.
      path: Path of a GIF, 800 pixels wide and looping, or of an MP4 of twice that width.
      seconds: Duration without the pauses at the first and the last picture.
      colours: Colours that the palette of a GIF must contain, (red, green, blue) from 0 to 1, about
        150 at most. By default the palette is small and holds the most frequent colours.
    """
    n_shown = min(n_t, max(1, round(FASTEST[path.suffix] * seconds)))
    frames = np.linspace(0, n_t - 1, n_shown).round().astype(int).tolist()
    figure.set_dpi(DOTS[path.suffix])
    draw = _camera(figure, motion, frames)
    pause = seconds / n_shown
    with _files.whole(path) as new:
        if path.suffix == ".gif":
            _write_gif(draw, new, pause, colours)
        else:
            _write_mp4(draw(1), new, pause)


@explained
def find_ffmpeg() -> str:
    """Return the path of ffmpeg.

    Raises:
      FileNotFoundError: If ffmpeg is not installed, with the cure.
    """
    if found := shutil.which("ffmpeg"):
        return found
    try:
        return importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise FileNotFoundError(
            "MP4 is written by ffmpeg, which is not here. Install it, or "
            "`pip install 'qdistill[video]'`, or ask for a .gif, which needs neither."
        ) from error


def _camera(figure: Figure, motion: Motion, frames: Sequence[int]) -> Camera:
    artists, update = motion
    canvas = FigureCanvasAgg(figure)
    for artist in artists:
        artist.set_animated(True)
    canvas.draw()
    figure.set_layout_engine("none")
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)

    def draw(every: int) -> Iterator[np.ndarray]:
        for frame in frames[::every]:
            canvas.restore_region(still)
            update(frame)
            for artist in artists:
                figure.draw_artist(artist)
            yield np.asarray(canvas.buffer_rgba())[..., :3].copy()

    return draw


def _write_gif(draw: Camera, path: pathlib.Path, pause: float, colours: np.ndarray | None) -> None:
    """Write all pictures with one palette, so that only changes between them are stored."""
    palette = _palette(np.concatenate(list(draw(10))), colours)
    first, *rest = (
        Image.fromarray(pixels).quantize(palette=palette, dither=Image.Dither.NONE)
        for pixels in draw(1)
    )
    # GIF durations are in hundredths of a second.
    times = [max(2, round(100 * pause)) * 10] * (1 + len(rest))
    times[0] += round(1000 * HELD)
    times[-1] += round(1000 * HELD)
    first.save(
        path, "GIF", save_all=True, append_images=rest, duration=times, loop=0, optimize=True
    )


def _palette(pixels: np.ndarray, colours: np.ndarray | None) -> Image.Image:
    """An image with the palette of a GIF: given colours, and those of some pictures.

    One of the 256 entries stays free for transparent pixels, which do not change.
    """
    n_seen = 64 if colours is None else 255 - len(colours)
    seen = Image.fromarray(pixels).quantize(n_seen, Image.Quantize.FASTOCTREE)
    if colours is None:
        return seen
    given = np.round(255 * colours).astype(int).ravel().tolist()
    holder = Image.new("P", (1, 1))
    holder.putpalette(given + (seen.getpalette() or [])[: 3 * n_seen])
    return holder


def _write_mp4(pictures: Iterator[np.ndarray], path: pathlib.Path, pause: float) -> None:
    first = next(pictures)
    # H.264 with colours at half the resolution needs even sides.
    height, width = (n - n % 2 for n in first.shape[:2])
    command = [
        *(find_ffmpeg(), "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"),
        *("-s", f"{width}x{height}", "-r", f"{1 / pause:.6g}", "-i", "-"),
        *("-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-f", "mp4", str(path)),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as ffmpeg:
        send: Any = ffmpeg.stdin
        # If ffmpeg ends early, its message is read below.
        with contextlib.suppress(BrokenPipeError):
            for i, picture in enumerate(itertools.chain([first], pictures)):
                last = picture[:height, :width].tobytes()
                send.write(last * (1 if i else 1 + round(HELD / pause)))
            send.write(last * round(HELD / pause))
        _, words = ffmpeg.communicate()
    if ffmpeg.returncode:
        raise OSError(f"ffmpeg says: {words.decode(errors='replace').strip()}")
