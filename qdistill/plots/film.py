"""How a figure in motion is written: a GIF by pillow alone, or an MP4 by ffmpeg."""

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
from qdistill._checks import refuse, require_positive

Path: TypeAlias = str | os.PathLike[str]
# Moving things in the order in which they are drawn, and what sets them to a frame.
Motion: TypeAlias = tuple[Sequence[Artist], Callable[[int], None]]
# Draws every so-manieth frame as pixels.
Camera: TypeAlias = Callable[[int], Iterator[np.ndarray]]
# Pixels for each inch of a figure ten inches wide, and pictures a second at most, by the kind of
# file; seconds for which the first and the last picture stand longer.
DOTS, FASTEST, HELD = {".gif": 80, ".mp4": 160}, {".gif": 12, ".mp4": 25}, 0.8


def require_film(path: Path, seconds: float) -> pathlib.Path:
    """Refuse a file that cannot be written before anything is drawn."""
    require_positive(seconds=seconds)
    path = pathlib.Path(path)
    if path.suffix not in DOTS:
        refuse("path", "the name of a .gif or a .mp4", path)
    if path.suffix == ".mp4":
        find_ffmpeg()
    return path


def shoot(
    figure: Figure,
    motion: Motion,
    n_t: int,
    path: pathlib.Path,
    seconds: float,
    colours: np.ndarray | None = None,
) -> None:
    """Write a figure in motion, and make its folder where it is missing.

    Args:
      figure: What stands still; it is changed.
      motion: What moves.
      n_t: Frames; of so many that more would pass in a second than `FASTEST`, some are left out.
      path: A GIF that loops for ever, 800 pixels wide, or an MP4 of twice that.
      seconds: How long it plays, without the pauses at its first and last picture.
      colours: That a GIF must hold, red, green and blue from 0 to 1, some 150 at most. By default
        its palette is small and holds what is seen most.
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


def find_ffmpeg() -> str:
    """The path of ffmpeg.

    Raises:
      FileNotFoundError: If there is none, with the cure.
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
    """All pictures in one palette, so that only what changes between them is stored."""
    palette = _palette(np.concatenate(list(draw(10))), colours)
    first, *rest = (
        Image.fromarray(pixels).quantize(palette=palette, dither=Image.Dither.NONE)
        for pixels in draw(1)
    )
    # A GIF counts in hundredths of a second.
    times = [max(2, round(100 * pause)) * 10] * (1 + len(rest))
    times[0] += round(1000 * HELD)
    times[-1] += round(1000 * HELD)
    first.save(
        path, "GIF", save_all=True, append_images=rest, duration=times, loop=0, optimize=True
    )


def _palette(pixels: np.ndarray, colours: np.ndarray | None) -> Image.Image:
    """An image with the palette of a GIF: given colours, and those of some pictures.

    One of the 256 places stays free, for what does not change.
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
    # H.264 with colours at half the resolution wants even sides.
    height, width = (n - n % 2 for n in first.shape[:2])
    command = [
        *(find_ffmpeg(), "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"),
        *("-s", f"{width}x{height}", "-r", f"{1 / pause:.6g}", "-i", "-"),
        *("-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", "-f", "mp4", str(path)),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as ffmpeg:
        send: Any = ffmpeg.stdin
        # Should it end early, what it says is read below.
        with contextlib.suppress(BrokenPipeError):
            for i, picture in enumerate(itertools.chain([first], pictures)):
                last = picture[:height, :width].tobytes()
                send.write(last * (1 if i else 1 + round(HELD / pause)))
            send.write(last * round(HELD / pause))
        _, words = ffmpeg.communicate()
    if ffmpeg.returncode:
        raise OSError(f"ffmpeg says: {words.decode(errors='replace').strip()}")
