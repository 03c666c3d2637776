"""The tables of docs/discovery.md; `pages.py` puts them in.

Each function without arguments is `{found.NAME}` in a marker.
"""

import statistics
from typing import Any

from pages import RESULTS, table

# Systems that are quadratic in x and p: closed sets of all polynomials of degree 2.
QUADRATIC = ("free", "uniform field", "harmonic")


def _heads(of: Any, first: str) -> list[str]:
    """The names of the members, with the number of their trainings."""
    heads = []
    for name, rows in of.systems.free[0].items():
        n = len(rows)
        mark = " (null model)" if of.roles.get(name) == "null" else ""
        heads.append(f"{name}{mark}" + f", {n} trainings" * (n > 1))
    return [first, *heads]


def charges() -> str:
    """Tabulate the static charges and closed sets of splittings."""
    return _charges("discovery")


def charges_gru() -> str:
    """Tabulate the static charges of the paper's network."""
    return _charges("discovery-gru")


def _charges(run: str) -> str:
    of = RESULTS()[run].metrics
    rows = []
    for system, draws in of.systems.items():
        cells = [_cell([row for draw in draws for row in draw[name]]) for name in draws[0]]
        rows.append([system.replace("Poeschl", "Pöschl"), *cells])
    return table(_heads(of, "static charges; drift; closed set"), rows)


def _cell(rows: list[Any]) -> str:
    """The numbers of charges, the median drift of the best one, and the dimensions of closed sets.

    Where trainings or draws differ, all numbers are listed.
    """
    finite = [row for row in rows if row.drifts]
    if not finite:
        return "diverges"
    counts = ", ".join(map(str, sorted({row.n_static for row in rows})))
    drift = statistics.median(row.drifts[0] for row in finite)
    cell = f"{counts}; {drift:.0e}"
    closed = sorted({row.closure.dimension for row in finite if row.closure})
    return cell + f"; {', '.join(map(str, closed))}" * bool(closed)


def evidence() -> str:
    """Tabulate whether the best charge is kept better than by null models."""
    rows = []
    for run in ("discovery", "discovery-gru"):
        for name, each in RESULTS()[run].metrics.evidence.items():
            p = f"{each.p:.1g}" if each.p is not None else "—"
            rows.append([f"`{name}`", ", ".join(each.nulls) or "none", each.verdict, p])
    return table(("student", "matched null models", "energy in anharmonic systems", "p"), rows)
