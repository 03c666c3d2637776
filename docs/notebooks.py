"""Execute notebooks into notebooks/executed, for reading: `python docs/notebooks.py [NAME ...]`.

Figures are made as small as they are read: at most 1000 pixels wide, in 256 colours.
"""

import base64
import io
import os
import pathlib
import sys
import tempfile

import jupytext
import nbclient
from nbformat import NotebookNode
from PIL import Image

FOLDER = pathlib.Path(__file__).parents[1] / "notebooks"
WIDTH = 1000


def execute(path: pathlib.Path) -> NotebookNode:
    """The notebook of a script, with what it printed and drew."""
    notebook = jupytext.read(path)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        # Times would differ at every run.
        nbclient.NotebookClient(
            notebook, timeout=3600, resources=resources, record_timing=False
        ).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = shrink(data["image/png"])
    return notebook


def shrink(picture: str) -> str:
    """A smaller PNG of the same, both in base64."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    if image.width > WIDTH:
        size = WIDTH, round(image.height * WIDTH / image.width)
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    # By octree, which keeps the hues of a phase.
    image.quantize(256, Image.Quantize.FASTOCTREE).save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


if __name__ == "__main__":
    # XLA's alarms, of a compilation that takes long on a busy machine, are no part of a notebook.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Progress bars are no part of a copy for reading.
    os.environ["TQDM_DISABLE"] = "1"
    (FOLDER / "executed").mkdir(exist_ok=True)
    for script in sorted(FOLDER.glob("*.py")):
        if not sys.argv[1:] or script.stem in sys.argv[1:]:
            made = execute(script)
            jupytext.write(made, FOLDER / "executed" / f"{script.stem}.ipynb")
            print(script.stem, flush=True)
