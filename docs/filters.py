"""The tables of results/edges.md; `pages.py` puts them in.

Each function without arguments is `{filters.NAME}` in a marker.
"""

import statistics
from typing import Any

from pages import RESULTS, table

# Twice the largest wave number of the lessons: the largest q of elastic scattering.
ELASTIC = 10.0
VERSIONS = ("as learned", "zero", "formula", "filter of V", "both filters")


def _found() -> Any:
    return RESULTS()["sharp_edges"].metrics


def _newton() -> Any:
    return RESULTS()["sharp_edges-newton"].metrics


def shares() -> str:
    """Tabulate the shares of the end kicks by wave number: learned, theory, and optimum."""
    found, newton = _found(), _newton()
    q = [f"q = {q:g}" for q in found.q_per_bohr]
    row, other = found.emulators.demo, newton.emulators["demo-newton"]
    rows = [
        _of_seeds("demo", row),
        ("`unitary`", [f"{one.mean:.3f}" for one in found.emulators.unitary.learned]),
        ("first-order perturbation theory", [f"{one.mean:.3f}" for one in row.theory]),
        ("least squares, no network", [f"{share:.3f}" for share in found.optimum.filters.end]),
        ("local phases zero", [f"{_mean(row, 'share'):.3f}"] * len(q)),
        _of_seeds("demo-newton", other),
        ("theory for its kinetic phases", [f"{one.mean:.3f}" for one in other.theory]),
        (
            "least squares for its kinetic phases",
            [f"{share:.3f}" for share in newton.optimum.filters.end],
        ),
    ]
    # One row for each wave number, since intervals are wide.
    head = ("q, bohr⁻¹", *(label for label, _ in rows))
    columns = zip(*(cells for _, cells in rows), strict=True)
    return table(head, [[name.removeprefix("q = "), *cells]
                        for name, cells in zip(q, columns, strict=True)])  # fmt: skip


def _of_seeds(name: str, row: Any) -> tuple[str, list[str]]:
    cells = [f"{one.mean:.3f} ({one.low:.3f} to {one.high:.3f})" for one in row.learned]
    return f"`{name}`, {row.distance.n} trainings", cells


def _mean(row: Any, key: str) -> float:
    values = [float(each[key]) for each in row.trainings]
    return sum(values) / len(values)


def errors() -> str:
    """Tabulate errors with the local network as learned, and replaced."""
    rows = []
    emulators = [*_found().emulators.items(), *_newton().emulators.items()]
    for name, row in emulators:
        n = row.distance.n
        label = f"`{name}`, {n} trainings" if n > 1 else f"`{name}`"
        cells = [f"{row[kind][version]:.1e}" for kind in ("sharp", "smooth")
                 for version in VERSIONS]  # fmt: skip
        rows.append([label, *cells])
    blank = [""] * (len(VERSIONS) - 1)
    for name, found in (("demo", _found()), ("demo-newton", _newton())):
        best = found.optimum.errors
        rows.append([f"least squares, no network, kinetic phases of `{name}`", *blank,
                     f"{best.sharp.median:.1e}", *blank, f"{best.smooth.median:.1e}"])  # fmt: skip
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


def near_theory() -> str:
    """Return the largest distance of the mean shares from theory up to q = 10 per bohr."""
    found = {"`demo-newton`": _newton().emulators["demo-newton"], "`demo`": _found().emulators.demo}
    words = []
    for name, row in found.items():
        q = list(_found().q_per_bohr)
        rows = zip(q, row.learned, row.theory, strict=True)
        largest = max(abs(one.mean - other.mean) for at, one, other in rows if at <= ELASTIC)
        words.append(f"{largest:.3f} for {name}")
    return " and ".join(words)


def gradients() -> str:
    """Return the range of the coefficients of (V')^2 of `demo-newton` up to q = 7 per bohr."""
    rows = [list(each.gradients) for each in _newton().emulators["demo-newton"].trainings]
    return _range(rows, 7.0)


def second_order() -> str:
    """Return the range of those of second-order perturbation theory."""
    return _range([list(_newton()["second order"])], 7.0)


def _range(rows: list[list[Any]], largest: float) -> str:
    n = sum(q <= largest for q in _found().q_per_bohr)
    every = [float(w) for row in rows for w in row[:n]]
    return f"{min(every):.2f} to {max(every):.2f}"


def theory_at_twelve() -> float:
    """Return that of second-order perturbation theory."""
    return float(_newton()["second order"][list(_found().q_per_bohr).index(12.0)])


def untrained_newton() -> float:
    """Return the median part of untrained networks in the place of `demo-newton` that is left."""
    return statistics.median(float(each) for each in _newton().untrained.residual)


def at_twelve() -> float:
    """Return the mean coefficient of (V')^2 of `demo-newton` at q = 12 per bohr."""
    i = list(_found().q_per_bohr).index(12.0)
    trainings = _newton().emulators["demo-newton"].trainings
    return statistics.mean(float(each.gradients[i]) for each in trainings)
