"""The tables on splittings from scratch and by Gauss-Newton steps; `pages.py` puts them in.

Each function without arguments is `{scratch.NAME}` in a marker.
"""

from typing import Any

from pages import RESULTS, Number, table


def long() -> str:
    """Tabulate the coefficients of long trainings from scratch."""
    over = RESULTS()["from_scratch"].metrics["over seeds"]
    rows = [[_plain(name), _with_interval(row)] for name, row in over.items()]
    return table(("ten trainings of `unitary`", "mean (95%)"), rows)


def newton() -> str:
    """Tabulate the coefficients of trainings from scratch by Gauss-Newton steps."""
    whole = RESULTS()["from_scratch-newton"].metrics["over seeds"]
    parts = RESULTS()["unsmoothed"].metrics.versions
    others = [
        parts[name]["over seeds"]
        for name in ("vertical edges", "vertical edges, Adam", "first stage")
    ]
    solvers = RESULTS()["corrections"].metrics.solvers["lattice-2-dt0.1"]
    rows = []
    for name, _ in whole.items():
        cells = [_known(solvers[each], name) for each in ("strang", "fourth order")]
        cells.append(_optimal(solvers["optimum with shares"], name))
        cells += [_with_interval(of[name]) for of in (whole, *others)]
        rows.append([_plain(name), *cells])
    head = ("mean (95%)", "Strang", "fourth order (Chin)", "optimum of the form",
            "`demo-newton`, ten trainings", "without smoothed boxes, five",
            "these with Adam in place of Gauss-Newton steps, five",
            "after the first stage only, five")  # fmt: skip
    return table(head, rows)


def _known(solver: Any, name: str) -> str:
    """The number of a solver, by the names of `from_scratch.answer`."""
    if name.startswith("share"):
        return f"{solver.shares[0]:.2f}"
    if name.startswith("gradient"):
        return f"{solver.ensembles[name.split(', ')[1]].gradient:.2f}"
    of = solver.energies.invariant if name.startswith("shift") else solver.ensembles.medium[name]
    return f"{of:z.2f}"


def _optimal(best: Any, name: str) -> str:
    """The number of the optimum of the form; it has no V'', and its levels were not read."""
    of = best[name.split(", ")[1]] if name.startswith("gradient") else best.medium
    keys = {"share of the end kicks": "shares", "curvature": "", "shift of energies": ""}
    key = keys.get(name, name.split(",")[0])
    found = of[key] if key else ""
    return f"{found[0] if key == 'shares' else found:.2f}" if key else ""


def _plain(name: str) -> str:
    words = {"gradient": "(V′)²", "invariant": "β − α", "curvature": "V″, medium, per hartree",
             "alpha": "α", "beta": "β"}  # fmt: skip
    first, *rest = name.split(", ")
    return ", ".join((words.get(first, first), *rest))


def _with_interval(row: Any) -> str:
    return f"{row.mean:.2f} ({row.low:.2f} to {row.high:.2f})"


def scatter() -> str:
    """Return the least and the largest coefficient of (V')^2 of the long trainings."""
    rows = RESULTS()["from_scratch"].metrics.trainings
    values = [row.ensembles.medium.gradient for _, row in rows.items()]
    return f"{min(values):.2f} to {max(values):.2f}"


def grid() -> str:
    """Tabulate shares and corrections for every number of pairs, frame and dispersion."""
    rows = []
    found = dict(RESULTS()["newton_grid"].metrics.trainings.items())
    for name, row in found.items():
        if row.start != "nothing":
            continue
        theory = [f"{row.theory.share:.3f}", f"{row.theory.gradient:.2f}"]
        label = [f"{row.dt:g}", f"{row.n_pairs}", row.dispersion]
        cells = (
            _learned(found[name.replace("nothing", start)]) for start in ("nothing", "informed")
        )
        rows.append([*label, *theory, *(cell for each in cells for cell in each)])
    names = ("share", "(V′)²", "β − α", "error")
    head = (
        "frame, a.u.", "pairs", "dispersion", "theory: share", "theory: (V′)²",
        *(f"{start}: {name}" for start in ("from scratch", "informed") for name in names),
    )  # fmt: skip
    return table(head, sorted(rows, key=lambda row: (float(row[0]), row[1])))


def _learned(row: Any) -> list[str]:
    of = row.ensembles.medium
    error = f"{Number(row.error.smooth):.1e}"
    return [f"{row.shares[0]:.3f}", f"{of.gradient:.2f}", f"{of.invariant:z.2f}", error]


def _in_grid(number: str, start: str) -> str:
    """Return the range of a number where frames are below 0.2 a.u. and substeps above 1/60."""
    rows = RESULTS()["newton_grid"].metrics.trainings.items()
    found = []
    for _, row in rows:
        if row.start != start or row.dt > 0.15 or row.dt / row.n_pairs < 0.02:
            continue
        of = row.ensembles.medium
        found.append(
            {
                "invariant": of.invariant,
                "share": row.shares[0] / row.theory.share,
                "gradient": of.gradient / row.theory.gradient,
            }[number]
        )
    return f"{min(found):.2f} to {max(found):.2f}"


def ranges() -> dict[str, str]:
    """Return these ranges, by number and start."""
    return {
        f"{number} {start}": _in_grid(number, start)
        for number in ("invariant", "share", "gradient")
        for start in ("nothing", "informed")
    }


def kicks() -> list[str]:
    """Return the ranges over trainings of the coefficients of the end and the middle kicks."""
    found = []
    for at in (0, 1):
        trainings = RESULTS()["from_scratch-newton"].metrics.trainings
        of = [list(row.ensembles.medium.kicks)[at].gradient for _, row in trainings.items()]
        found.append(f"{Number(min(of)):.1f} and {Number(max(of)):.1f}")
    return found


def ways() -> str:
    """Tabulate trainings that go on in several ways from the first stage of `demo-newton`."""
    rows = []
    whole = RESULTS()["from_scratch-newton"].metrics["over seeds"]
    versions = dict(RESULTS()["optimisers"].metrics.versions.items())
    for name, row in whole.items():
        cells = [_with_interval(each["over seeds"][name]) for each in versions.values()]
        rows.append([_plain(name), _with_interval(row), *cells])
    for kind in ("smooth", "sharp"):
        of_newton = RESULTS()["sharp_edges-newton"].metrics.emulators["demo-newton"]
        cells = [f"{Number(each.error[kind].mean):.1e}" for each in versions.values()]
        rows.append([f"error, {kind}", f"{Number(of_newton[kind]['as learned']):.1e}", *cells])
    return table(("mean (95%)", "`demo-newton`, ten trainings", *versions), rows)
