"""The tables of results/learned.md on curricula and on few runs; see `pages.py`.

Each function without arguments is `{plans.NAME}` in a marker.
"""

from typing import Any

from pages import RESULTS, Number, table

SETS = {"smooth": "smooth", "sharp": "sharp edges", "paper": "the paper's 25 cases"}


def _found() -> Any:
    return RESULTS()["curriculum"].metrics


def hardness() -> str:
    """Tabulate the error of the fixed model on each lesson by difficulty."""
    levels, *lessons = dict(_found().hardness.items()).items()
    rows = [[name, *(f"{error:.3f}" for error in errors)] for name, errors in lessons]
    return table(("lesson", *(f"difficulty {level:g}" for level in levels[1])), rows)


def plans() -> str:
    """Tabulate the error of each plan and control over that of `mixed`, for all budgets."""
    budgets = dict(_found().budgets.items())
    rows = []
    for name in dict.fromkeys(name for of in budgets.values() for name in of.error):
        cells = []
        for of in budgets.values():
            for each in SETS:
                if name == "mixed":
                    cells.append(f"{Number(10 ** of.error.mixed[each].mean):.1e}")
                else:
                    is_there = name in dict(of["over mixed"].items())
                    cells.append(_ratio(of["over mixed"][name][each]) if is_there else "—")
        rows.append([f"{name}, error" if name == "mixed" else name, *cells])
    words = (f"{int(budget):,} steps, {label}" for budget in budgets for label in SETS.values())
    return table(("error over `mixed`", *words), rows)


def controls() -> str:
    """Tabulate the error of each plan over that of its control, for all budgets."""
    rows = []
    for budget, of in _found().budgets.items():
        for name, row in of["over yoked"].items():
            rows.append([f"{int(budget):,}", name, *(_ratio(row[each]) for each in SETS)])
    return table(("steps", "plan over its control", *SETS.values()), rows)


def few() -> str:
    """Tabulate the error against the number of distinct runs, and its ratio to new runs."""
    of, rows = _found().few, []
    for name, row in of.error.items():
        is_fresh = name == "fresh"
        label = f"{_found().n_fresh}, each new" if is_fresh else name
        errors = [f"{Number(10 ** row[each].mean):.1e}" for each in SETS]
        ratios = ["" if is_fresh else _ratio(of["over fresh"][name][each]) for each in SETS]
        rows.append([label, *(cell for pair in zip(errors, ratios, strict=True) for cell in pair)])
    words = (word for label in SETS.values() for word in (label, "over new runs"))
    return table(("distinct runs", *words), rows)


def _ratio(row: Any) -> str:
    """A ratio with its interval, in bold where a difference is shown."""
    mean, low, high = (10 ** row[key] for key in ("mean", "low", "high"))
    text = f"{mean:.2f} ({low:.2f} to {high:.2f})"
    return f"**{text}**" if row.verdict != "not shown" else text
