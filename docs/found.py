"""The tables of docs/discovery.md; `pages.py` puts them in.

Each function without arguments is `{found.NAME}` in a marker.
"""

import collections
import math
import re
import statistics
from typing import Any

import scipy.special
from pages import RESULTS, Number, table

# Of the solvers for another mass the tables show one.
SHOWN_MASS = "mass x 1.001"


def _shown(names: Any) -> list[str]:
    return [name for name in names if "mass x" not in name or name.endswith(SHOWN_MASS)]


def _heads(of: Any, first: str) -> list[str]:
    """The names of the members, with the number of their trainings."""
    heads = []
    for name in _shown(of.systems.free[0]):
        n = len(list(of.systems.free[0][name]))
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
        names = _shown(next(iter(draws)))
        cells = [_cell([row for draw in draws for row in draw[name]]) for name in names]
        rows.append([_named(system), *cells])
    return table(_heads(of, "static charges; drift; closed set"), rows)


def _cell(rows: list[Any], nth: int = 1) -> str:
    """The numbers of charges, the median drift of the n-th best, and the sizes of closed sets.

    Where trainings or draws differ, all numbers are listed.
    """
    finite = [row for row in rows if list(row.drifts)]
    if not finite:
        return "diverges"
    counts = ", ".join(map(str, sorted({row.n_static for row in rows})))
    drift = Number(statistics.median(row.drifts[nth - 1] for row in finite))
    cell = f"{counts}; {drift:.0e}"
    # A null of JSON is read as a number.
    sets = [row.closure for row in finite if not isinstance(row.closure, Number)]
    closed = sorted({int(each.dimension) for each in sets})
    return cell + f"; {', '.join(map(str, closed))}" * bool(closed)


def energies() -> str:
    """Tabulate the energy T + a V of splittings where the form does not decide: a, drift, error."""
    of, newton = (RESULTS()[name].metrics for name in ("discovery", "discovery-newton"))
    names = _shown(name for name, role in of.roles.items() if role != "exact")
    names.insert(1, "demo-newton")
    rows = []
    for system, draws in of.systems.items():
        if max(row.closure.dimension for row in draws[0]["exact solver"]) > 2:
            continue
        cells = []
        for name in names:
            of_name = newton.systems[system] if name == "demo-newton" else draws
            trainings = list(zip(*(draw[name] for draw in of_name), strict=True))
            shares = [
                statistics.mean(_share_of_v(next(iter(row.charges))) for row in of_one)
                for of_one in trainings
            ]
            every = [row for of_one in trainings for row in of_one]
            drift, error = (
                Number(statistics.median(each))
                for each in ([row.drifts[0] for row in every], [row.error for row in every])
            )
            cells.append(f"{_with_interval(shares)}; {drift:.0e}; {error:.0e}")
        rows.append([_named(system), *cells])
    nulls = {name for name, role in of.roles.items() if role == "null"}
    heads = [f"{name}{' (null model)' * (name in nulls)}" for name in names]
    return table(["a in T + a V; its drift; error of the forecast", *heads], rows)


def at_the_barrier() -> str:
    """Return drifts of the energy at the barrier: `demo-newton` and a solver of the same error."""
    cells = []
    for name in ("demo-newton", "takahashi-imada-2"):
        draws = RESULTS()["discovery-newton"].metrics.systems.barrier
        drift = statistics.median(row.drifts[0] for draw in draws for row in draw[name])
        cells.append(f"{Number(drift):.0e}")
    return " and ".join(cells)


def _share_of_v(charge: str) -> float:
    """The coefficient of V over that of T.

    >>> _share_of_v("T + 0.5 V"), _share_of_v("2 T + V"), _share_of_v("T + V")
    (0.5, 0.5, 1.0)
    """
    found = re.fullmatch(r"([\d.]*) ?T \+ ([\d.]*) ?V", charge)
    if not found:
        raise ValueError(f"not an energy: {charge}")
    of_t, of_v = (float(each or 1) for each in found.groups())
    return of_v / of_t


def _with_interval(values: list[float]) -> str:
    """The mean, with its 95% t interval if there are several values."""
    mean, n = statistics.mean(values), len(values)
    if n == 1:
        return f"{mean:.4f}"
    half = scipy.special.stdtrit(n - 1, 0.975) * statistics.stdev(values) / math.sqrt(n)
    return f"{mean:.4f} ({mean - half:.4f} to {mean + half:.4f})"


def spurious() -> str:
    """Return how many draws of the exact solver have a charge too many, and a bound of the rate."""
    return _rate(RESULTS()["spurious"].metrics["all"].spurious)


def missing() -> str:
    """Return how many draws of the exact solver lack a charge, and a bound of the rate."""
    return _rate(RESULTS()["spurious"].metrics["all"].missing)


def shuffled() -> str:
    """Return how many shuffled dictionaries have a charge that is none, of how many."""
    row = RESULTS()["spurious"].metrics["all"].shuffles
    return f"{row.n:,} of {row.of:,}"


def _rate(row: Any) -> str:
    return f"{row.n} of {row.of} (a rate of at most {row['rate at most']:.1%}, 95%)"


def wide() -> str:
    """Tabulate the charges in a plane and across channels, next to theory."""
    rows, heads = [], []
    for run in ("discovery-plane", "discovery-tully"):
        of = RESULTS()[run].metrics
        names = [
            name for name, role in of.roles.items() if role != "fault" and "mass x" not in name
        ]
        student = next(name for name in names if of.roles[name] == "emulator")
        heads = [
            {"emulator": "student"}.get(of.roles[name], name)
            + " (null model)" * (of.roles[name] == "null")
            for name in names
        ]
        for system, draws in of.systems.items():
            theory, cells, errors = of.theory[system], [], []
            for name in (*names, f"{student}, random phases"):
                each = [row for draw in draws for row in draw[name]]
                cells.append(_cell(each, theory.n_static))
                errors.append(f"{Number(statistics.median(row.error for row in each)):.0e}")
            rows.append([_named(system), f"{theory.n_static}; {theory.closure}", *cells])
            if theory.is_anharmonic:
                rows.append([f"{_named(system)}: error", "", *errors])
    first = "static charges; largest drift; closed set"
    return table([first, "theory", *heads, "student, random phases"], rows)


def algebras() -> str:
    """Tabulate the algebras of the charges found in a plane, and in how many cases."""
    of = RESULTS()["discovery-plane"].metrics
    student = next(name for name, role in of.roles.items() if role == "emulator")
    rows = []
    for system, draws in of.systems.items():
        cells = []
        for name in ("exact solver", student):
            every = [row.algebra.name for draw in draws for row in draw[name]]
            counts = collections.Counter(
                each if isinstance(each, str) else "not closed" for each in every
            )
            cells.append("; ".join(f"{each}: {n} of {len(every)}" for each, n in counts.items()))
        rows.append([_named(system), *cells])
    n = len(list(next(iter(next(iter(of.systems.items()))[1]))[student]))
    return table(("algebra of the static charges", "exact solver", f"{n} students"), rows)


def brackets() -> str:
    """Return the brackets of the charges of the isotropic oscillator, with the charges."""
    (first, *_) = RESULTS()["discovery-plane"].metrics.systems["isotropic oscillator"]
    row = first["exact solver"][0]
    charges = ", ".join(f"Q{i + 1} = {each}" for i, each in enumerate(row.charges))
    return f"{', '.join(row.algebra.brackets)} for {charges}"


def faults() -> str:
    """Tabulate charges and closed sets that planted faults leave, next to theory."""
    of = RESULTS()["discovery-plane"].metrics
    names = [name for name, role in of.roles.items() if role == "fault"]
    rows = []
    for system, draws in of.systems.items():
        theory = of.theory[system]
        cells = [f"{theory.n_static}; {theory.closure}"]
        for name in names:
            every = [row for draw in draws for row in draw[name]]
            static = sorted({row.n_static for row in every})
            closed = sorted({row.closure.dimension for row in every})
            found = "; ".join(", ".join(map(str, each)) for each in (static, closed))
            of_fault = theory.faults[name]
            cells.append(f"{found} ({of_fault.n_static}; {of_fault.closure})")
        rows.append([_named(system), *cells])
    return table(["static charges; closed set (theory)", "no fault, theory", *names], rows)


def tully_gru() -> str:
    """Return the number of charges of the GRU on Tully's model, its drifts, and its errors."""
    draws = RESULTS()["discovery-tully-gru"].metrics.systems["Tully 2"]
    rows = [
        row
        for draw in draws
        for who, each in draw.items()
        if who.startswith("gru-crossing") and "," not in who
        for row in each
    ]
    counts = sum(row.n_static for row in rows)
    drifts, errors = [row.drifts[0] for row in rows], [row.error for row in rows]
    (low, high), (least, most) = ((Number(min(e)), Number(max(e))) for e in (drifts, errors))
    return (
        f"{counts} charges in {len(rows)} cases; the best combination changes by {low:.1f} to "
        f"{high:.1f} of its spread, at errors of {least:.1f} to {most:.1f}"
    )


def faults_seen() -> str:
    """Return how many counts of static charges and closed sets with planted faults are right."""
    of = RESULTS()["discovery-plane"].metrics
    right = total = 0
    for system, draws in of.systems.items():
        for name, theory in of.theory[system].faults.items():
            for draw in draws:
                row = draw[name][0]
                total += 2
                right += row.n_static == theory.n_static
                right += row.closure.dimension == theory.closure
    return f"{right} of {total} counts"


def _named(system: str) -> str:
    return (
        system.replace("Poeschl", "Pöschl").replace("Henon", "Hénon").replace("sqrt(2)", "√2")
    ).replace("-Heiles", "–Heiles")


def evidence() -> str:
    """Tabulate whether the best charge is kept better than by null models."""
    rows = []
    for run in (
        "discovery", "discovery-newton", "discovery-gru", "discovery-plane", "discovery-tully",
        "discovery-tully-gru",
    ):  # fmt: skip
        for name, each in RESULTS()[run].metrics.evidence.items():
            p = f"{each.p:.1g}" if math.isfinite(each.p) else "—"
            rows.append([f"`{name}`", "; ".join(each.nulls) or "none", each.verdict, p])
    return table(("student", "matched null models", "energy in anharmonic systems", "p"), rows)


def searched() -> str:
    """Tabulate the symmetries that were searched for with splittings."""
    return _searched("symmetry_search")


def searched_gru() -> str:
    """Tabulate the symmetries that were searched for with the paper's network."""
    return _searched("symmetry_search-gru")


def _searched(run: str) -> str:
    of = RESULTS()[run].metrics
    names = list(next(iter(of.systems.items()))[1])
    rows = [["error of the forecast", "", *_median_errors(of, names)]]
    for system, counts in of.counts.items():
        for family, n in counts.items():
            cells = []
            for name in names:
                at = [row.families[family] for row in of.systems[system][name]
                      if list(row.families)]  # fmt: skip
                cells.append(_found(at) if at else "diverges")
            rows.append([f"{system}: {family}", f"{n}", *cells])
    heads = [_head(of, name, len(list(of.systems.well[name]))) for name in names]
    return table(["number found; smallest violation", "truth", *heads], rows)


def _head(of: Any, name: str, n: int) -> str:
    return name + " (null model)" * (of.roles[name] == "null") + f", {n} trainings" * (n > 1)


def _median_errors(of: Any, names: list[str]) -> list[str]:
    cells = []
    for name in names:
        errors = [row.error for system in of.systems for row in of.systems[system][name]]
        middle = Number(statistics.median(errors))
        cells.append(f"{middle:.0e}" if math.isfinite(middle) else "diverges")
    return cells


def _found(at: list[Any]) -> str:
    """All numbers found in several trainings, and the median of the smallest violation."""
    counts = ", ".join(map(str, sorted({int(each.n_found) for each in at})))
    least = [next(iter(each.violations)) for each in at if list(each.violations)]
    return counts + (f"; {Number(statistics.median(least)):.0e}" if least else "")


def partners() -> str:
    """Tabulate the ranks of true partners of potentials among decoys."""
    of = RESULTS()["intertwiners"].metrics
    rows = []
    for name, trainings in of.members.items():
        each = {
            key: [value for row in trainings for value in row[key]]
            for key in ("rank", "residual", "decoy", "w", "error")
        }
        first = sum(rank == 1 for rank in each["rank"])
        middles = [
            f"{Number(statistics.median(each[key])):.1e}"
            for key in ("residual", "decoy", "w", "error")
        ]
        head = _head(of, name, len(list(trainings)))
        rows.append([head, f"{first} of {len(each['rank'])}", *middles])
    heads = (
        "",
        "true partner first",
        "residual",
        "best decoy",
        "error of W",
        "error of these states",
    )
    return table(heads, rows)


def searched_evidence() -> str:
    """Tabulate whether symmetries and intertwiners are kept better than by null models."""
    rows = []
    for run, what in (
        ("symmetry_search", "symmetries"),
        ("symmetry_search-gru", "symmetries"),
        ("intertwiners", "intertwiners"),
    ):
        for name, each in RESULTS()[run].metrics.evidence.items():
            p = f"{each.p:.1g}" if math.isfinite(each.p) else "—"
            nulls = ", ".join(each.nulls) or "none"
            rows.append([f"`{name}`", what, nulls, each.verdict, p])
    return table(("student", "what", "matched null models", "verdict", "p"), rows)
