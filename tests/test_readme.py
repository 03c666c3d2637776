"""The README's numbers are those of the files under results/."""

import json
import pathlib

import pytest

from qdistill import benchmark

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def rows() -> dict[str, list[str]]:
    """The README's table rows by their first cell."""
    lines = [line for line in README.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells}


@pytest.mark.parametrize("run", ["demo", "gru", "gru-wide"])
def test_scores_are_those_of_the_runs(run: str) -> None:
    metrics = json.loads((ROOT / "results" / run / "metrics.json").read_text())
    scores = metrics["benchmark"]
    assert metrics["preset"] == run
    assert scores["n_frames"] == 400
    assert rows()[f"`{run}`"] == [
        f"{metrics['training_steps']:,}",
        f"{metrics['training_seconds'] / 60:.0f} min",
        f"{scores['mean_correlation']:.4f}",
        f"{scores['worst_correlation']:.4f}",
        f"{scores['mean_final_correlation']:.4f}",
        f"{scores['mean_mae']:.4f}",
        f"{scores['mean_nrmse']:.3f}",
    ]


@pytest.mark.parametrize(("model", "digits"), [("demo-gru", 3), ("full-gru", 4)])
def test_published_scores_are_the_papers(model: str, digits: int) -> None:
    means = benchmark.published_means(model)
    worst = min(models[model]["correlation"] for models in benchmark.published().values())
    assert rows()[f"the paper's `{model.split('-')[0]}` GRU"][2:6] == [
        f"{means['correlation']:.{digits}f}",
        f"{worst:.{digits}f}",
        f"{means['final_correlation']:.{digits}f}",
        f"{means['mae']:.4f}",
    ]


def test_solver_errors_are_those_of_the_script() -> None:
    errors = json.loads((ROOT / "results/solver_accuracy/metrics.json").read_text())["errors"]
    for name in ("split_step, 10 substeps", "chebyshev, 1e-6", "chebyshev, 1e-12"):
        assert rows()[name] == [
            f"{errors[f'{dispersion}, {name}, {dtype}']['rms_relative_error']:.1e}"
            for dispersion in ("lattice", "continuum")
            for dtype in ("complex64", "complex128")
        ]


def test_every_linked_file_is_there() -> None:
    links = [part.split(")")[0] for part in README.split("](")[1:]]
    for link in links:
        if not link.startswith("http"):
            assert (ROOT / link).exists(), link
