"""The tables on what each process teaches; `pages.py` puts them in.

Each function without arguments is `{shares.NAME}` in a marker.
"""

import math
from typing import Any

from pages import RESULTS, table


def placebos() -> str:
    """Tabulate the share of each process in skill and symmetries, in decades."""
    return _placebos("placebos", "placebos-long")


def placebos_gru() -> str:
    """Tabulate the share of each process in the skill of the paper's network, in decades."""
    return _placebos("placebos-gru")


def _placebos(*runs: str) -> str:
    rows, processes = [], list(RESULTS()[runs[0]].metrics.processes)
    budgets = [each for run in runs for each in RESULTS()[run].metrics.budgets.items()]
    for budget, tests in budgets:
        for name, row in tests.items():
            if name == "in-run":
                continue
            cells = [_share(row.share[process]) for process in processes]
            ends = [f"{row[end].mean:.2f}" for end in ("all placebos", "all processes")]
            rows.append([budget, name.removeprefix("test of "), *ends, *cells])
    heads = ("training", "test", "placebos only", "all processes", *processes)
    return table(heads, rows)


def over_scattering() -> str:
    """Return how far shares are above those of both twins on smooth potentials, long trainings."""
    row = RESULTS()["placebos-long"].metrics.budgets.long["smooth potentials"]["over scattering"]
    return ", ".join(f"{_share(row[name])} ({name})" for name in ("trapping", "tunnelling"))


def twins_long() -> str:
    """Return the difference of the twins after long trainings, on smooth and sharp potentials."""
    of = RESULTS()["placebos-long"].metrics.budgets.long
    kinds = ("smooth", "sharp")
    return ", ".join(
        f"{_share(of[f'{kind} potentials']['twins differ'])} ({kind})" for kind in kinds
    )


def shifted() -> str:
    """Tabulate errors of the paper's network with constants added to V, and their range."""
    of = RESULTS()["shifted"].metrics
    rows = []
    for test, taught in of.errors["relative L2 error"].items():
        for i, (name, steps) in enumerate(taught.items()):
            cells = [f"{x.median:.2g} ({x.low:.2g} to {x.high:.2g})" for x in steps]
            rows.append(["" if i else test, name, *cells])
    head = ("test", "taught", "no constant", "half of it", "floor or top at zero")
    return table(head, rows)


def shifted_ratios() -> dict[str, str]:
    """Return errors on wells over those of networks taught all, floors at zero and as they are."""
    of = RESULTS()["shifted"].metrics.ratios["relative L2 error"].trapping
    rows = {"floor": of["without trapping"][2], "lessons": of["without trapping, V shifted"][0]}
    return {
        name: f"{10**row.mean:.2f} ({10**row.low:.2f} to {10**row.high:.2f})"
        for name, row in rows.items()
    }


def alone() -> str:
    """Tabulate the error of the paper's network with one process alone, and with all but it."""
    of, rows = RESULTS()["placebos-gru"].metrics, []
    # The last process is the twin of the first, and takes no part. Bit i of the index of a
    # coalition is that of process i.
    processes = list(of.processes)[:-1]
    every = 2 ** len(processes) - 1
    for test in processes:
        error = [float(each) for each in of.budgets.gru[f"test of {test}"]["median error"]]
        pairs = [(error[1 << i], error[every ^ 1 << i]) for i in range(len(processes))]
        cells = [f"{alone:.2g} / {without:.2g}" for alone, without in pairs]
        rows.append([test, f"{error[0]:.2g}", f"{error[every]:.2g}", *cells])
    return table(("test", "placebos only", "four processes", *processes), rows)


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
