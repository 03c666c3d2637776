"""The tables on corrections, the order of learning and generalisation; see `pages.py`.

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


def order() -> str:
    """Tabulate traits of students and null models at equal errors, with verdicts."""
    levels = RESULTS()["order"].metrics.levels
    rows = []
    for name in next(iter(dict(levels.items()).values())):
        cells = []
        for _, of in levels.items():
            row = of[name]
            numbers = " / ".join(
                f"{10 ** row[model].mean:.2g}" for model in ("student", "disturbed", "displaced")
            )
            mark = f" **{row.verdict}**" if row.verdict != "as the error" else ""
            cells.append(numbers + mark)
        rows.append([TRAITS.get(name, name.replace("share of", "error of")), *cells])
    return table(("", *(f"error {level}" for level, _ in levels.items())), rows)


TRAITS = {
    "mass error": "relative error of the mass",
    "k^4 term error": "relative error of the k⁴ term",
}


def steps() -> str:
    """Tabulate the steps at which all cases pass each error, and the differences of processes."""
    levels = dict(RESULTS()["order"].metrics.steps.items())
    names = dict.fromkeys(name for of in levels.values() for name in of)
    rows = []
    for name in names:
        signs = "" if name == "all" else "+"
        cells = []
        for of in levels.values():
            row = dict(of.items()).get(name)
            if row is None:
                cells.append("—")
                continue
            numbers = (f"{getattr(row, key) + 0.0:{signs}.0f}" for key in ("mean", "low", "high"))
            cells.append("{} ({} to {})".format(*numbers) + f", {row.n} trainings" * (row.n < 10))
        rows.append(["all cases" if name == "all" else f"{name}, after all cases", *cells])
    return table(("step", *(f"error {level}" for level in levels)), rows)


# A property, its value and the words for it.
OUTSIDE = (
    ("momentum", 3.0, "usual"),
    ("momentum", 6.0, "k = 6"),
    ("momentum", 8.0, "k = 8"),
    ("momentum", 10.0, "k = 10"),
    ("width", 0.4, "0.4 bohr wide"),
    ("width", 8.0, "8 bohr wide"),
    ("height", 20.0, "20 hartree high"),
    ("height", 30.0, "30 hartree"),
    ("height", 60.0, "60 hartree"),
)


def beyond() -> str:
    """Tabulate the errors of emulators and solvers inside and outside the lessons."""
    counts = dict(RESULTS()["generalisation"].metrics.trainings.items())
    rows = []
    for label in RESULTS()["generalisation"].metrics["over seeds"].momentum:
        words = f"`{label}`, {counts[label]}" if label in counts else f"{label} (baseline)"
        rows.append([words, *(_power(at(label).error[i]) for at, i in _outside())])
    return table(("emulator, trainings", *(words for *_, words in OUTSIDE)), rows)


def over_solver() -> str:
    """Tabulate the errors of emulators over the Takahashi-Imada step, with two kinds of caps."""
    rows = []
    for words in ("usual cap", "own cap"):
        solver = "Takahashi-Imada" + ", own cap" * (words == "own cap")
        for label in RESULTS()["generalisation"].metrics.trainings:
            ratios = [at(label).over[solver][i] for at, i in _outside()]
            rows.append([f"`{label}`, {words}", *(_ratio(row) for row in ratios)])
    return table(("error over the solver's", *(words for *_, words in OUTSIDE)), rows)


def _outside() -> list[tuple[Any, int]]:
    """What was measured of each emulator by a property, and the index of a value."""
    of = RESULTS()["generalisation"].metrics
    return [
        (of["over seeds"][name].__getitem__, list(of.beyond[name]["values"]).index(value))
        for name, value, _ in OUTSIDE
    ]


def _power(row: Any) -> str:
    """A mean of logarithms as a number, with its interval if there are several trainings."""
    mean = f"{Number(10**row.mean):.1e}"
    if row.n < 2:
        return mean
    return f"{mean} ({Number(10**row.low):.1e} to {Number(10**row.high):.1e})"


def wider_bounds() -> dict[str, str]:
    """Return errors of `demo-newton` with barriers of 15 and 20 hartree, by the bound of V."""
    found = {}
    for bound, run, name in (
        ("16", "generalisation", "demo-newton"),
        ("32", "generalisation-bounds", "demo-newton-bounds-32"),
    ):
        of = RESULTS()[run].metrics
        for prop, values in (("height", (15.0, 20.0)), ("momentum", (3.0, 6.0))):
            at = [list(of.beyond[prop]["values"]).index(value) for value in values]
            rows = of["over seeds"][prop][name].error
            found[f"{bound}, {prop}"] = " and ".join(_power(rows[i]) for i in at)
    return found


def families() -> str:
    """Tabulate the errors of full trainings with and without each family."""
    full, informed = (
        RESULTS()[f"left_out-{name}"].metrics.families for name in ("unitary", "informed")
    )
    rows = []
    for name, row in full.items():
        cells = []
        for each, kinds in ((row, ("own", "others")), (informed[name], ("own",))):
            errors = (statistics.median(each[kind]) for kind in ("with", "without"))
            ratios = (_ratio(each["log10 of the ratio"][kind]) for kind in kinds)
            cells += [*(f"{Number(error):.1e}" for error in errors), *ratios]
        rows.append([name, *cells])
    head = ("`unitary`: taught", "left out", "ratio (95%)", "other families, ratio (95%)")
    informed_head = ("`informed-2-newton`: taught", "left out", "ratio (95%)")
    return table(("left out", *head, *informed_head), rows)


def only() -> str:
    """Tabulate the errors of trainings on one family only over those of trainings on all."""
    rows = []
    for name, row in RESULTS()["left_out-only"].metrics.families.items():
        own, others = (_ratio(row["log10 of the ratio"][kind]) for kind in ("own", "others"))
        ordered = sorted((float(ratio), other) for other, ratio in row["each other"].items())
        ends = (f"{10**ratio:.1f} ({other})" for ratio, other in (ordered[0], ordered[-1]))
        rows.append([name, own, others, *ends])
    head = ("taught only", "itself, ratio (95%)", "the others, ratio (95%)", "least", "most")
    return table(head, rows)


def only_others() -> str:
    """Return the mean ratio on the families that were not taught."""
    return _ratio(RESULTS()["left_out-only"].metrics["all families"])


def only_kinds() -> dict[str, str]:
    """Return the mean ratio from families with jumps or without to others, by kind of both."""
    jumps, found = ("barrier", "double", "triple", "steps", "well"), {}
    families = RESULTS()["left_out-only"].metrics.families
    for first in (True, False):
        for second in (True, False):
            ratios = [
                float(ratio)
                for name, row in families.items()
                for other, ratio in row["each other"].items()
                if ((name in jumps), (other in jumps)) == (first, second)
            ]
            words = (("smooth", "sharp")[is_sharp] for is_sharp in (first, second))
            found[" to ".join(words)] = f"{10 ** statistics.mean(ratios):.1f}"
    return found


def all_families() -> str:
    """Return the mean ratio over all families that were left out in turn."""
    return _ratio(RESULTS()["left_out-unitary"].metrics["all families"])


def all_families_informed() -> str:
    """Return the same of `informed-2-newton`."""
    return _ratio(RESULTS()["left_out-informed"].metrics["all families"])


def _ratio(of: Any) -> str:
    if of.n < 2:
        return f"{10**of.mean:.2f}"
    return f"{10**of.mean:.2f} ({10**of.low:.2f} to {10**of.high:.2f})"


def parts() -> str:
    """Tabulate the errors with one learned part replaced."""
    of = RESULTS()["generalisation"].metrics.parts
    rows = []
    for label, versions in of.items():
        errors = {name: [float(x) for x in each] for name, each in versions.items()}
        rows.append(
            [f"`{label}`", *(f"{Number(statistics.median(x)):.1e}" for x in errors.values())]
        )
    return table(("median error", *dict(next(iter(dict(of.items()).values())).items())), rows)
