"""Recorded Shapley values next to those of another package, shapiq: `independent.py`.

It needs `pip install shapiq`, which nothing else here does.
"""

import dataclasses
import importlib
import importlib.metadata
import json
import pathlib
from typing import Any

import numpy as np

from experiments import runner
from qdistill._checks import refuse
from qdistill.insight.importance import games


@dataclasses.dataclass(frozen=True)
class Args:
    """Compare the Shapley values of recorded studies with those of shapiq."""

    results: tuple[pathlib.Path, ...] = (
        pathlib.Path("results/placebos/metrics.json"),
        pathlib.Path("results/placebos-gru/metrics.json"),
    )
    """Files of `placebos.py`, which hold the value of every coalition."""
    out: pathlib.Path = pathlib.Path("runs/independent")
    """Folder of the results."""


def by_shapiq(package: Any, values: np.ndarray) -> list[float]:
    """Return the Shapley values of a game by another package."""
    n = int(values.size).bit_length() - 1
    numbers = 1 << np.arange(n)
    computer = package.ExactComputer(lambda members: values[np.atleast_2d(members) @ numbers], n)
    return list(computer("SV", 1).get_n_order_values(1))


def compare(args: Args) -> runner.Results:
    """Compare all games of all files."""
    try:
        package = importlib.import_module("shapiq")
    except ModuleNotFoundError:
        refuse("shapiq", "installed, by `pip install shapiq`", "not found")
    found: dict[str, Any] = {"shapiq": importlib.metadata.version("shapiq"), "games": {}}
    for path in args.results:
        budgets = json.loads(path.read_text())["budgets"].values()
        rows = [row["values"] for of in budgets for row in of.values() if "values" in row]
        every = np.concatenate([np.array(values) for values in rows])
        differences = games.shapley(every) - [by_shapiq(package, values) for values in every]
        found["games"][path.parent.name] = {
            "number": len(every),
            "largest difference": float(np.abs(differences).max()),
        }
    lines = (
        f"{name}: {of['number']} games, largest difference {of['largest difference']:.1e}"
        for name, of in found["games"].items()
    )
    return runner.Results(found, "\n".join(lines))


if __name__ == "__main__":
    runner.main(compare, Args)
