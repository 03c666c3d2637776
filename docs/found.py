"""The tables of docs/discovery.md; `pages.py` puts them in.

Each function without arguments is `{found.NAME}` in a marker.
"""

import math
import statistics
from typing import Any

from pages import RESULTS, Number, table

# Systems that are quadratic in x and p: closed sets of all polynomials of degree 2.
QUADRATIC = ("free", "uniform field", "harmonic")


def _heads(of: Any, first: str) -> list[str]:
    """The names of the members, with the number of their trainings."""
    heads = []
    for name, rows in of.systems.free[0].items():
        n = len(list(rows))
        is_null = name in list(of.roles) and of.roles[name] == "null"
        mark = " (null model)" if is_null else ""
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
        names = list(next(iter(draws)))
        cells = [_cell([row for draw in draws for row in draw[name]]) for name in names]
        rows.append([system.replace("Poeschl", "Pöschl"), *cells])
    return table(_heads(of, "static charges; drift; closed set"), rows)


def _cell(rows: list[Any]) -> str:
    """The numbers of charges, the median drift of the best one, and the dimensions of closed sets.

    Where trainings or draws differ, all numbers are listed.
    """
    finite = [row for row in rows if list(row.drifts)]
    if not finite:
        return "diverges"
    counts = ", ".join(map(str, sorted({row.n_static for row in rows})))
    drift = Number(statistics.median(row.drifts[0] for row in finite))
    cell = f"{counts}; {drift:.0e}"
    # A null of JSON is read as a number.
    sets = [row.closure for row in finite if not isinstance(row.closure, Number)]
    closed = sorted({int(each.dimension) for each in sets})
    return cell + f"; {', '.join(map(str, closed))}" * bool(closed)


def evidence() -> str:
    """Tabulate whether the best charge is kept better than by null models."""
    rows = []
    for run in ("discovery", "discovery-gru"):
        for name, each in RESULTS()[run].metrics.evidence.items():
            p = f"{each.p:.1g}" if math.isfinite(each.p) else "—"
            rows.append([f"`{name}`", ", ".join(each.nulls) or "none", each.verdict, p])
    return table(("student", "matched null models", "energy in anharmonic systems", "p"), rows)


def placebos() -> str:
    """Tabulate the share of each process in skill and symmetries, in decades."""
    of = RESULTS()["placebos"].metrics
    rows = []
    for budget, tests in of.budgets.items():
        for name, row in tests.items():
            if name == "in-run":
                continue
            cells = [_share(row.share[process]) for process in of.processes]
            ends = [f"{row[end].mean:.2f}" for end in ("all placebos", "all processes")]
            rows.append([budget, name.removeprefix("test of "), *ends, *cells])
    heads = ("training", "test", "placebos only", "all processes", *of.processes)
    return table(heads, rows)


def in_run() -> str:
    """Tabulate the in-run attribution next to the exact shares."""
    of = RESULTS()["placebos"].metrics
    rows = []
    for budget, tests in of.budgets.items():
        if "in-run" not in tests:
            continue
        for name, row in tests["in-run"].items():
            exact = tests[name].share
            cells = [f"{row.share[p].mean:.2f} / {exact[p].mean:.2f}" for p in of.processes]
            agree = row["correlation by seed"]
            ratio = f"{row['sum over exact sum']:.1f}"
            rows.append([budget, name, *cells, f"{agree.mean:.2f}", ratio])
    heads = (
        "training",
        "test",
        *of.processes,
        "correlation, mean over seeds",
        "sum over exact sum",
    )
    return table(heads, rows)


def _share(row: Any) -> str:
    interval = f" ({row.low:.2f} to {row.high:.2f})" if "low" in list(row) else ""
    return f"{row.mean:.2f}{interval}"


def floor() -> str:
    """Return the decades of violation of translations: of the exact solver, and of the students."""
    of = RESULTS()["placebos"].metrics
    name = "translation, fractions"
    exact = -math.log10(of["violations by the exact solver"][name])
    own = of.budgets.short[f"symmetry: {name}"]["all processes"].mean
    return f"{exact:.2f} decades, the students {own:.2f},"
