"""The tables of results/learned.md on sharp edges; `pages.py` puts them in.

Each function without arguments is `{filters.NAME}` in a marker.
"""

import statistics
from typing import Any

from pages import RESULTS, table

VERSIONS = ("as learned", "zero", "formula", "filter of V", "both filters")


def _found() -> Any:
    return RESULTS()["sharp_edges"].metrics


def shares() -> str:
    """Tabulate the shares of the end kicks by wave number: learned, theory, and optimum."""
    found, q = _found(), [f"q = {q:g}" for q in _found().q_per_bohr]
    row = found.emulators.demo
    of_seeds = [f"{one.mean:.3f} ({one.low:.3f} to {one.high:.3f})" for one in row.learned]
    rows = [
        (f"`demo`, {row.distance.n} trainings", of_seeds),
        ("`unitary`", [f"{one.mean:.3f}" for one in found.emulators.unitary.learned]),
        ("first-order perturbation theory", [f"{one.mean:.3f}" for one in row.theory]),
        ("least squares, no network", [f"{share:.3f}" for share in found.optimum.filters.end]),
        ("local phases zero", [f"{_mean(row, 'share'):.3f}"] * len(q)),
    ]
    # One row for each wave number, since intervals are wide.
    head = ("q, bohr⁻¹", *(label for label, _ in rows))
    columns = zip(*(cells for _, cells in rows), strict=True)
    return table(head, [[name.removeprefix("q = "), *cells]
                        for name, cells in zip(q, columns, strict=True)])  # fmt: skip


def _mean(row: Any, key: str) -> float:
    values = [float(each[key]) for each in row.trainings]
    return sum(values) / len(values)


def errors() -> str:
    """Tabulate errors with the local network as learned, and replaced."""
    rows = []
    for name, row in _found().emulators.items():
        n = row.distance.n
        label = f"`{name}`, {n} trainings" if n > 1 else f"`{name}`"
        cells = [f"{row[kind][version]:.1e}" for kind in ("sharp", "smooth")
                 for version in VERSIONS]  # fmt: skip
        rows.append([label, *cells])
    best = _found().optimum.errors
    blank = [""] * (len(VERSIONS) - 1)
    rows.append(["least squares, no network", *blank, f"{best.sharp.median:.1e}",
                 *blank, f"{best.smooth.median:.1e}"])  # fmt: skip
    words = ("as learned", "zero", "one coefficient", "filter of V", "both filters")
    head = ("", *(f"{kind}: {word}" for kind in ("sharp", "smooth") for word in words))
    return table(head, rows)


def untrained() -> float:
    """Return the median distance of untrained networks from theory."""
    return _median("distance")


def untrained_residual() -> float:
    """Return the median part of untrained networks that their filters leave."""
    return _median("residual")


def _median(key: str) -> float:
    return statistics.median(float(each) for each in _found().untrained[key])


def slow() -> str:
    """Return the range of the coefficients of slow components over all trainings of `demo`."""
    q = list(_found().q_per_bohr)
    of = _found().emulators.demo.trainings
    every = [float(w) for each in of for at, w in zip(q, each.gradients, strict=True) if at <= 8]
    return f"{min(every):.1f} and {max(every):.1f}"
