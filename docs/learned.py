"""The tables of results/learned.md on the correction of split steps; `pages.py` puts them in.

Each function without arguments is `{learned.NAME}` in a marker.
"""

import statistics
from typing import Any

from pages import RESULTS, Number, table

ENSEMBLES = ("gentle", "medium", "steep")
SOLVERS = (
    ("strang", "Strang"),
    ("takahashi-imada", "Takahashi-Imada"),
    ("fourth order", "fourth order"),
)
STARTS = {"informed": "from the split step", "nothing": "from scratch"}
EDGES = ("demo", "unitary", "informed-2")
# The local phases in the interventions, and the solvers for comparison.
VERSIONS, REFERENCES = (
    ("as learned", "local phases zero", "formula"),
    ("takahashi-imada", "fourth order"),
)


def _found() -> Any:
    return RESULTS()["corrections"].metrics


def corrections() -> str:
    """Tabulate coefficients and double commutators of solvers and of packaged emulators."""
    of_two = _found().solvers["lattice-2-dt0.1"]
    rows = [_row(f"{label} (baseline)", of_two[name]) for name, label in SOLVERS]
    rows += [_row(f"`{name}`", row) for name, row in _found().packaged.items()]
    head = ("", "pairs", "share of the end kicks", "(V′)²: gentle", "medium", "steep", "α", "β",
            "β − α", "shift of energies")  # fmt: skip
    return table(head, rows)


def _row(label: str, row: Any) -> list[str]:
    of = row.ensembles.medium
    coefficients = [f"{row.ensembles[name].gradient:.2f}" for name in ENSEMBLES]
    numbers = [f"{of[key] + 0.0:.2f}" for key in ("alpha", "beta", "invariant")]
    share, shift = f"{row.shares[0]:.3f}", f"{row.energies.invariant:.2f}"
    return [label, f"{row.n_pairs}", share, *coefficients, *map(_signed, numbers), shift]


def _signed(number: str) -> str:
    """A number without the sign of zero."""
    return number.removeprefix("-") if not number.strip("-0.") else number


def largest() -> str:
    """Return the largest coefficient of the repeated trainings from the split step."""
    names = [name for name in _found().trainings if name.startswith("informed-lattice-2-dt0.1")]
    rows = [_found().trainings[name].ensembles.medium for name in names]
    return f"{max(row.gradient for row in rows):.2f}"


def seeds() -> str:
    """Tabulate the trainings that were repeated: mean over seeds, 95% interval, deviation."""
    groups = dict(_found()["over seeds"].items())
    rows = []
    for key, label in (
        ("end share", "share of the end kicks"),
        ("gradient, gentle", "(V′)², gentle"),
        ("gradient, medium", "(V′)², medium"),
        ("gradient, steep", "(V′)², steep"),
        ("curvature, medium", "V″, medium, per hartree"),
        ("alpha, medium", "α"),
        ("beta, medium", "β"),
        ("invariant, medium", "β − α"),
        ("invariant of energies", "shift of energies"),
    ):
        digits = 3 if key == "end share" else 2
        cells = []
        for summary in groups.values():
            of = [summary[key][name] for name in ("mean", "low", "high", "deviation")]
            mean, low, high, deviation = (_signed(f"{number:.{digits}f}") for number in of)
            cells.append(f"{mean} ({low} to {high}); {deviation}")
        rows.append([label, *cells])
    kinds = [f"{_kind(name)}, {of['end share'].n} trainings" for name, of in groups.items()]
    return table(("mean (95% interval); standard deviation", *kinds), rows)


def _kind(name: str) -> str:
    """The start and the number of pairs in the name of a training."""
    start, _, pairs = name.split("-")[:3]
    return f"{STARTS[start]}, {pairs} pair{'s' * (pairs != '1')}"


def grid() -> str:
    """Tabulate one training of each kind: share of the end kicks, (V')^2, shift of energies."""
    cells: dict[tuple[str, str, str], dict[float, str]] = {}
    frames = set()
    for _, row in _found().trainings.items():
        if row.seed == 0:
            frames.add(float(row.dt))
            key = (STARTS[row.start], row.dispersion, f"{row.n_pairs}")
            numbers = (row.ensembles.medium.gradient, row.energies.invariant)
            words = ", ".join(f"{number:.2f}" for number in numbers)
            cells.setdefault(key, {})[float(row.dt)] = f"{row.shares[0]:.3f}, {words}"
    order = sorted(frames)
    rows = [[*key, *(of.get(dt, "") for dt in order)] for key, of in sorted(cells.items())]
    return table(("start", "dispersion", "pairs", *(f"dt = {dt:g}" for dt in order)), rows)


def optima() -> str:
    """Tabulate the least-squares optima of the form, with fixed and with free shares."""
    rows = []
    for place, of in _found().solvers.items():
        dispersion, pairs, dt = place.split("-")
        if dt != "dt0.1" or "optimum with shares" not in of:
            continue
        for kind, best in of["optimum with shares"].items():
            fixed = of.optimum[kind]
            rows.append([
                dispersion, pairs, kind, f"{fixed.gradient:.2f}",
                f"{fixed.error_without:.1e} → {fixed.error:.1e}", f"{best.shares[0]:.3f}",
                f"{best.gradient:.2f}", f"{best.error:.1e}",
            ])  # fmt: skip
    head = ("dispersion", "pairs", "potentials", "(V′)² at Strang's shares", "error",
            "share, free", "(V′)²", "error")  # fmt: skip
    return table(head, rows)


def interventions() -> str:
    """Tabulate the errors with the local phases zero, and replaced by the formula."""
    groups = {f"`{name}`": [row] for name, row in _found().packaged.items()}
    for name, row in _found().trainings.items():
        if "interventions" in row:
            groups.setdefault(f"short trainings: {_kind(name)}, median", []).append(row)
    rows = []
    for label, group in groups.items():
        errors = [
            Number(statistics.median(row.interventions[version][kind].median for row in group))
            for kind in ("smooth", "sharp")
            for version in VERSIONS
        ]
        of = group[0].interventions
        best = [of[solver].smooth.median for solver in REFERENCES if solver in of]
        rows.append([label, *(f"{error:.1e}" for error in (*errors, *best))])
        rows[-1] += [""] * (9 - len(rows[-1]))
    words = ("as learned", "zero", "formula")
    head = ("", *(f"{kind}: {word}" for kind in ("smooth", "sharp") for word in words),
            "Takahashi-Imada, smooth", "fourth order, smooth")  # fmt: skip
    return table(head, rows)


def edges() -> str:
    """Tabulate learned coefficients by the width of edges, and the optimum."""
    rows = []
    for i, of in enumerate(_found().packaged.demo.edges):
        each = [_found().packaged[name].edges[i] for name in EDGES]
        learned = [f"{row.learned.gradient:.2f}" for row in each]
        best = [f"{row.optimum.gradient:.2f}" for row in each]
        rows.append([f"{of.width_bohr:g}", *(x for pair in zip(learned, best, strict=True)
                                            for x in pair)])  # fmt: skip
    words = (word for name in EDGES for word in (f"`{name}`", "optimum"))
    return table(("width of the edges, bohr", *words), rows)
