"""The tables that compare students and solvers case by case or factor by factor.

Each function without arguments is `{compared.NAME}` in a marker.
"""

import statistics
from typing import Any

from pages import RESULTS, Number, table
from tables import BARRIERS

from qdistill.forecast import paper

ONE_TRAINING = ("unitary", "gru", "gru-wide")
PUBLISHED = ("demo-gru", "full-gru")
# Solvers with two FFT pairs a frame, by their names in results/shelf.
SOLVERS = ("strang, 2 pairs", "takahashi-imada, smoothed 0.1, 2 pairs")


def barriers() -> str:
    """Tabulate 1 - correlation on each of the 11 barriers with the paper's parameters."""
    seeds = [RESULTS()[name] for name in sorted(RESULTS()) if name.startswith("demo-seed-")]
    rows: list[list[str]] = []
    columns: list[list[Number]] = []
    for name in BARRIERS:
        case = paper.CASES[name]
        height, width = name.split("-")[-2:]
        of_demo = [_infidelity(run.metrics.benchmark, name) for run in seeds]
        others = [
            *(_infidelity(RESULTS()["shelf"].metrics.lattice[solver].paper, name)
              for solver in SOLVERS),
            *(_infidelity(RESULTS()[run].metrics.benchmark, name) for run in ONE_TRAINING),
            *(Number(1 - paper.published()[name][model]["correlation"]) for model in PUBLISHED),
        ]  # fmt: skip
        columns.append([Number(statistics.mean(of_demo)), *others])
        rows.append([f"{case.energy:g}, {height}, {width}", *_cells(of_demo, others)])
    means = [Number(statistics.mean(each)) for each in zip(*columns, strict=True)]
    rows.append(
        ["mean of the 11", *(f"{each:.1e}" for each in (*means[1:3], means[0], *means[3:]))]
    )
    head = ("E, height in hartree, width in bohr", "clamped split step, 2 pairs",
            "Takahashi-Imada, 2 pairs", "`demo`, ten seeds: mean (range)", "`unitary`", "`gru`",
            "`gru-wide`", "the paper's `demo`", "the paper's `full`")  # fmt: skip
    return table(head, rows)


def _cells(of_demo: list[Number], others: list[Number]) -> list[str]:
    mean, low, high = (Number(f(of_demo)) for f in (statistics.mean, min, max))
    cells = [f"{each:.1e}" for each in others]
    return [*cells[:2], f"{mean:.1e} ({low:.1e} to {high:.1e})", *cells[2:]]


def _infidelity(scores: Any, name: str) -> Number:
    return Number(1 - scores.cases[name].correlation)
