"""What the tests of figures read from them."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text


def draw(figure: Figure) -> Figure:
    """Draw a figure as `save` does; every warning is an error."""
    figure.draw_without_rendering()
    return figure


def xs(line: Line2D) -> np.ndarray:
    return np.asarray(line.get_xdata())


def ys(line: Line2D) -> np.ndarray:
    return np.ma.asarray(line.get_ydata())


def texts(figure: Figure) -> str:
    found = figure.findobj(Text)
    return " | ".join(text.get_text() for text in found if isinstance(text, Text))


def assert_labels(figure: Figure, *labels: str) -> None:
    for label in labels:
        assert label in texts(figure), label


def assert_apart(figure: Figure, *labels: str) -> None:
    """Texts that begin with these labels lie in the figure, and none upon another."""
    draw(figure)
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    named = [text for text in found if text.get_text().startswith(labels)]
    assert len(named) >= len(labels)
    # Of the text alone, without its arrow.
    boxes = [Text.get_window_extent(text) for text in named]
    for i, (text, box) in enumerate(zip(named, boxes, strict=True)):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text
        for other in boxes[:i]:
            assert not box.overlaps(other), text
