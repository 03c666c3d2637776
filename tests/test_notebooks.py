"""Every notebook runs from top to bottom, and its copy for reading is of the same code."""

import json
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import jupytext
import nbclient
import nbformat
import pytest
from jupyter_client import manager

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
EXECUTED = ROOT / "notebooks" / "executed"
NAMES = [path.stem for path in NOTEBOOKS]
# What takes the place of the cell of settings: the same path with small numbers.
QUICK = {
    "1_first_steps": "n_frames, seconds = 40, 1.0",
    "2_distil": """
n_steps, n_frames = 8, 10
presets.PRESETS |= {"demo": ("In small.", presets.smoke(presets.PRESETS["demo"][1]))}
""",
    "3_what_it_learned": "n_frames, k_max = 4, 8.5",
    "4_your_own": "n_steps, n_runs, n_frames, n_scored, n_cases = 20, 4, 12, 4, 2",
    "5_design": """
import dataclasses
task = dataclasses.replace(
    design.TASKS["splitter"], n_energy=5, n_packet=2, packet_width=2.0, dwell=0.0
)
search = design.SearchConfig(n_starts=2, n_steps=5)
packet_width = 2.0
""",
    "6_two_states": """
n_frames, momenta = 6, np.array([20.0, 30.0])
n_points, n_waves = 64, 11
stages = tuple(map(presets.smoke_stage, presets.PRESETS["tully"][1].training.stages[:1]))
""",
    "7_discovery": """
n_packet, n_frames, every = 6, 16, 4
step, gap, n_runs = 2.0, 1.0, 4
""",
}


# What earlier notebooks compiled is kept by all that follow; a kernel of all would take 2.5 GB.
GIVE_BACK = """
import ctypes, gc, jax
jax.clear_caches()
gc.collect()
libc = ctypes.CDLL(None)
if hasattr(libc, "malloc_trim"):
    _ = libc.malloc_trim(0)
del ctypes, gc, jax, libc
"""


def test_there_are_notebooks() -> None:
    assert [name[:2] for name in NAMES] == ["1_", "2_", "3_", "4_", "5_", "6_", "7_"]


@pytest.fixture(scope="module")
def kernel() -> Iterator[tuple[Any, Any]]:
    """A kernel for all of them, which share what is imported and compiled."""
    of_kernel, to_kernel = manager.start_new_kernel()
    yield of_kernel, to_kernel
    to_kernel.stop_channels()
    of_kernel.shutdown_kernel(now=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client")
def test_notebook_runs(path: pathlib.Path, kernel: tuple[Any, Any], tmp_path: pathlib.Path) -> None:
    notebook = jupytext.read(path)
    (settings,) = [c for c in notebook.cells if "settings" in c.metadata.get("tags", ())]
    settings.source = QUICK[path.stem]
    fresh = f"%reset -f\nimport os\nos.chdir({str(tmp_path)!r})\ndel os"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(fresh + GIVE_BACK))
    client = nbclient.NotebookClient(notebook, km=kernel[0], timeout=900)
    client.kc = kernel[1]
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)


def cells(name: str) -> list[Any]:
    return json.loads((EXECUTED / f"{name}.ipynb").read_text())["cells"]


def printed(name: str) -> str:
    """All that a notebook printed when it was executed in full."""
    outputs = [output for cell in cells(name) for output in cell.get("outputs", ())]
    return "".join("".join(output.get("text", ())) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_the_executed_copy_is_of_this_notebook(path: pathlib.Path) -> None:
    ours = [(cell.cell_type, cell.source) for cell in jupytext.read(path).cells]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in cells(path.stem)] == ours
    outputs = [output for cell in cells(path.stem) for output in cell.get("outputs", ())]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert sum(path.stat().st_size for path in EXECUTED.iterdir()) < 4e6


def numbers(pattern: str, name: str) -> list[float]:
    found = re.search(pattern, printed(name))
    assert found, pattern
    return [float(number) for number in found.groups()]


def test_the_copies_show_what_their_text_says() -> None:
    number = r"([\d.e+-]+)"
    (of_demo,) = numbers(rf"staircase: after 30 a\.u\. 1 - correlation {number}", "2_distil")
    (of_paper,) = numbers(rf"mean of its test: 1 - correlation {number}", "2_distil")
    assert of_demo < of_paper
    three, blind = (
        numbers(rf"{name}: relative L2 error {number}", "4_your_own")[0]
        for name in ("three numbers", "free only")
    )
    assert three < blind / 10
    lowest, highest = numbers(rf"hartree pass by {number} to {number}", "5_design")
    assert 0.48 < lowest < highest < 0.52
    exact, forecast = (
        numbers(rf"{name}: {number} of the packet passes", "5_design")[0]
        for name in ("exact solver", "unitary")
    )
    assert abs(exact - 0.5) < 0.02
    assert abs(forecast - exact) < 0.01
