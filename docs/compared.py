"""The tables that compare students and solvers case by case or factor by factor.

Each function without arguments is `{compared.NAME}` in a marker.
"""

import statistics
from typing import Any

from pages import RESULTS, Number, table

from qdistill.forecast import paper
from qdistill.physics.families import SHARP

INFORMED = ("informed-1", "informed-2", "informed-3")
BARRIERS = tuple(name for name in paper.CASES if name.startswith("barrier"))
# Schemes on the shelf, by their names in its results.
SCHEMES = {
    "strang": "clamped split step",
    "takahashi-imada, smoothed 0.1": "Takahashi-Imada",
    "chin, smoothed 0.1": "fourth order (Chin)",
    "theory": "filters of perturbation theory",
}
ONE_TRAINING = ("unitary", "gru", "gru-wide")
PUBLISHED = ("demo-gru", "full-gru")
# Solvers with two FFT pairs a frame, by their names in results/shelf.
SOLVERS = ("strang, 2 pairs", "takahashi-imada, smoothed 0.1, 2 pairs")


def _on_shelf(dispersion: str) -> Any:
    """The results of all solvers on one dispersion."""
    folder = "shelf" if dispersion == "lattice" else f"shelf-{dispersion}"
    return RESULTS()[folder].metrics[dispersion]


def shelf_rows(dispersion: str, pairs: tuple[int, ...]) -> dict[str, Any]:
    """Return the results of the solvers with some numbers of FFT pairs, by their plain names."""
    rows = _on_shelf(dispersion)
    return {
        label if len(pairs) == 1 else f"{label}, {n}": rows[f"{name}, {n} pairs"]
        for name, label in SCHEMES.items()
        for n in pairs
        if f"{name}, {n} pairs" in rows
    }


def shelf() -> str:
    """Tabulate the solvers of the shelf, sharp and smooth potentials apart."""
    rows = []
    for label, row in shelf_rows("lattice", (1, 2, 3)).items():
        name, pairs = label.rsplit(", ", 1)
        kinds = (row["held out"].sharp, row["held out"].smooth)
        errors = [f"{each.median_nrmse:.1e}" for each in kinds]
        rows.append([name, pairs, f"{row.paper.mean_infidelity:.1e}", *errors])
    head = ("", "FFT pairs a frame", "paper's test, 1 − correlation",
            "held out, sharp edges, relative L2 error", "held out, smooth")  # fmt: skip
    return table(head, rows)


def smoothings() -> str:
    """Tabulate the width of smoothing in two FFT pairs, on sharp edges and smooth potentials."""
    rows, of = [], RESULTS()["shelf"].metrics.lattice
    for key, row in of.items():
        name, pairs = key.rsplit(", ", 1)
        label = next((SCHEMES[each] for each in SCHEMES if each.split(",")[0] in name), "")
        if pairs != "2 pairs" or "smoothing" not in row or not row.smoothing:
            continue
        kinds = (row["held out"].sharp, row["held out"].smooth)
        errors = [f"{each.median_nrmse:.1e}" for each in kinds]
        rows.append([label, f"{row.smoothing:g}", f"{row.paper.mean_infidelity:.1e}", *errors])
    rows.sort()
    for name, n in (("demo-newton", 5), ("informed-2-newton", 3)):
        runs = [RESULTS()[f"{name}-seed-{seed}"] for seed in range(n)]
        paper_test = statistics.median(run.metrics.benchmark.mean_infidelity for run in runs)
        medians = [_sharp_and_smooth(run["evaluation-1"], name) for run in runs]
        errors = [f"{Number(statistics.mean(each)):.1e}" for each in zip(*medians, strict=True)]
        rows.append([f"`{name}`, {n} trainings", "", f"{paper_test:.1e}", *errors])
    head = ("", "smoothed over, bohr", "paper's test, 1 − correlation", "sharp edges", "smooth")
    return table(head, rows)


def aims() -> str:
    """Tabulate students that start from the split step next to the best solver of equal cost."""
    rows = []
    for pairs, name in enumerate(INFORMED, 1):
        solvers, by_newton = _best_solver(pairs), _by_newton(pairs)
        by_adam = _sharp_and_smooth(RESULTS()[name]["evaluation-1"], name)
        cells = []
        for best, adam, newton in zip(solvers, by_adam, by_newton, strict=True):
            low, high, mean = min(newton), max(newton), statistics.mean(newton)
            cells += [f"{Number(best):.1e}", f"{adam / best:.2f}",
                      f"{mean / best:.2f} ({low / best:.2f} to {high / best:.2f})"]  # fmt: skip
        rows.append([str(pairs), *cells])
    kinds = ("sharp edges", "smooth")
    head = (f"{kind}: {word}" for kind in kinds for word in ("best solver", "Adam", "Gauss-Newton"))
    return table(("FFT pairs a frame", *head), rows)


def _best_solver(pairs: int) -> list[float]:
    """The least median error of a solver of at most some pairs, at edges and on smooth potentials.

    Filters with three pairs are not on the shelf.
    """
    rows = list(RESULTS()["shelf"].metrics.lattice.items())
    words = tuple(f", {n} pairs" for n in range(1, pairs + 1))
    return [
        min(float(row["held out"][kind].median_nrmse) for name, row in rows if name.endswith(words))
        for kind in ("sharp", "smooth")
    ]


def _by_newton(pairs: int) -> list[tuple[float, ...]]:
    """The same errors of three students trained by Gauss-Newton steps."""
    runs = [RESULTS()[f"informed-{pairs}-newton-seed-{seed}"] for seed in range(3)]
    # One preset with other numbers of pairs.
    each = [_sharp_and_smooth(run["evaluation-1"], "informed-2-newton") for run in runs]
    return list(zip(*each, strict=True))


def _sharp_and_smooth(evaluation: Any, name: str) -> tuple[float, float]:
    """The median relative L2 errors on potentials with sharp edges and on smooth ones."""
    families = [each for each, _ in evaluation.scores[name].items() if each != "all"]
    errors = [float(each) for each in evaluation.cases[name].nrmse]
    of = [errors[i :: len(families)] for i in range(len(families))]
    for family, each in zip(families, of, strict=True):
        wanted = float(evaluation.scores[name][family].median_nrmse)
        assert abs(statistics.median(each) / wanted - 1) < 0.01, family
    kinds: tuple[list[float], list[float]] = ([], [])
    for family, each in zip(families, of, strict=True):
        kinds[family not in SHARP].extend(each)
    return statistics.median(kinds[0]), statistics.median(kinds[1])


def infidelity_of(scores: Any, name: str) -> Number:
    """Return 1 - correlation of one case of the paper's test."""
    case = scores.cases[name]
    return case.infidelity if "infidelity" in case else Number(1 - case.correlation)


def held_out() -> str:
    """Tabulate 100 held-out potentials on the lattice."""
    folders = {name: name for name in ("demo", "unitary", *INFORMED)}
    folders |= {name: f"{name}-seed-0" for name in ("demo-newton", "informed-2-newton")}
    return _held_out(folders, "lattice")


def held_out_continuum() -> str:
    """Tabulate 100 held-out potentials on the continuum."""
    names = ("demo", "demo-newton", *(f"{name}-newton" for name in INFORMED))
    return _held_out({name: f"{name}-continuum" for name in names}, "continuum")


def _held_out(folders: dict[str, str], dispersion: str) -> str:
    rows = []
    solvers = _with_best_smoothing(shelf_rows(dispersion, (1, 2, 3)), dispersion)
    for name, folder in folders.items():
        found = RESULTS()[folder]["evaluation-1"]
        # The student is first; solvers follow.
        (key, scores), *_ = found.scores.items()
        pairs = name.split("-")[1] if name.startswith("informed") else 2
        wins = []
        for label in SCHEMES.values():
            solver = solvers.get(f"{label}, {pairs}")
            wins.append(_wins(found.cases[key], solver["held out"]["all"].cases) if solver else "")
        rows.append([f"`{name}`", *_quantiles(scores["all"]), *wins])
    for label, row in solvers.items():
        rows.append([label, *_quantiles(row["held out"]["all"]), *("",) * len(SCHEMES)])
    head = ("", "1 − correlation: median", "mean", "worst", "relative L2 error: median", "mean",
            "worst", *(f"{label} wins" for label in SCHEMES.values()))  # fmt: skip
    return table(head, rows)


def _with_best_smoothing(solvers: dict[str, Any], dispersion: str) -> dict[str, Any]:
    """Give the Takahashi-Imada step the width of less mean error on the held-out potentials."""
    rows = _on_shelf(dispersion)
    for n in (1, 2, 3):
        tried = [
            rows[f"takahashi-imada, smoothed {width}, {n} pairs"] for width in ("0.075", "0.1")
        ]
        solvers[f"Takahashi-Imada, {n}"] = min(
            tried, key=lambda row: float(row["held out"]["all"].mean_nrmse)
        )
    return solvers


def _quantiles(scores: Any) -> list[str]:
    keys = ("median", "mean", "worst")
    return [
        f"{scores[f'{key}_{metric}']:.1e}" for metric in ("infidelity", "nrmse") for key in keys
    ]


def _wins(learned: Any, solved: Any) -> str:
    """On how many potentials the solver has the smaller error: relative L2, correlation."""
    count = []
    for metric in ("nrmse", "infidelity"):
        pairs = zip(learned[metric], solved[metric], strict=True)
        count.append(str(sum(solver < student for student, solver in pairs)))
    return ", ".join(count)


def long_frames() -> str:
    """Tabulate longer frames: the mean relative L2 error of `informed-2` and of the baseline."""
    rows = []
    for dt in ("0.2", "0.5", "1"):
        scores = RESULTS()[f"informed-2-dt{dt}"]["evaluation-1"].scores
        errors = [scores["informed-2"]["all"].mean_nrmse]
        solved = RESULTS()["shelf"].metrics["long frames"][dt]
        errors += [solved[f"{name}, 2 pairs"]["held out"]["all"].mean_nrmse for name in SCHEMES]
        rows.append([dt, *(f"{error:.1e}" for error in errors)])
    return table(("frame, a.u.", "`informed-2`", *SCHEMES.values()), rows)


def resolved(error: float) -> str:
    """An error; correlations are taken in single precision, and resolved to 1e-8."""
    return f"{Number(error):.1e}" if error > 1e-8 else "below 1e-8"


def barriers() -> str:
    """Tabulate 1 - correlation on each of the 11 barriers with the paper's parameters."""
    seeds = [RESULTS()[name] for name in sorted(RESULTS()) if name.startswith("demo-seed-")]
    rows: list[list[str]] = []
    columns: list[list[Number]] = []
    for name in BARRIERS:
        case = paper.CASES[name]
        height, width = name.split("-")[-2:]
        of_demo = [infidelity_of(run.metrics.benchmark, name) for run in seeds]
        others = [
            *(infidelity_of(RESULTS()["shelf"].metrics.lattice[solver].paper, name)
              for solver in SOLVERS),
            *(infidelity_of(RESULTS()[run].metrics.benchmark, name) for run in ONE_TRAINING),
            *(Number(1 - paper.published()[name][model]["correlation"]) for model in PUBLISHED),
        ]  # fmt: skip
        columns.append([Number(statistics.mean(of_demo)), *others])
        rows.append([f"{case.energy:g}, {height}, {width}", *_cells(of_demo, others)])
    means = [Number(statistics.mean(each)) for each in zip(*columns, strict=True)]
    rows.append(
        ["mean of the 11", *(f"{each:.1e}" for each in (*means[1:3], means[0], *means[3:]))]
    )
    head = ("E, height in hartree, width in bohr", "clamped split step, 2 pairs",
            "Takahashi-Imada, 2 pairs", "`demo`, ten seeds: mean (range)", "`unitary`", "`gru`",
            "`gru-wide`", "the paper's `demo`", "the paper's `full`")  # fmt: skip
    return table(head, rows)


def _cells(of_demo: list[Number], others: list[Number]) -> list[str]:
    mean, low, high = (Number(f(of_demo)) for f in (statistics.mean, min, max))
    cells = [resolved(each) for each in others]
    return [*cells[:2], f"{mean:.1e} ({low:.1e} to {high:.1e})", *cells[2:]]


def factorial() -> str:
    """Tabulate the errors of every combination of properties, and of the network on windows."""
    found = RESULTS()["factorial"].metrics
    rows = [[name, *_spreads(row)] for name, row in found.students.items()]
    on_windows = RESULTS()["factorial-windows"].metrics.windowed
    rows += [[f"dense, {name}", *_spreads(row)] for name, row in on_windows.items()]
    head = ("built in, and training", "1 − correlation, median (range)",
            "relative L2 error, median (range)")  # fmt: skip
    return table(head, rows)


def _spreads(row: Any) -> list[str]:
    cells = []
    for metric in ("infidelity", "nrmse"):
        errors = list(row[metric])
        middle, low, high = (Number(f(errors)) for f in (statistics.median, min, max))
        cells.append(f"{middle:.1e} ({low:.1e} to {high:.1e})")
    return cells


def effects() -> str:
    """Tabulate the factors by which properties and their interactions change the error."""
    on = {metric: effects_on(metric) for metric in ("infidelity", "nrmse")}
    rows = [
        [name.replace(" x ", " × "), factor, on["nrmse"][name]]
        for name, factor in on["infidelity"].items()
    ]
    return table(("effect", "factor of 1 − correlation (95%)", "factor of relative L2 error"), rows)


def effects_on(metric: str = "infidelity") -> dict[str, str]:
    """Return the factor and its interval by name of the effect, for one error."""
    found = {}
    for name, row in RESULTS()["factorial"].metrics[f"effects on {metric}"].items():
        mean, low, high = (10 ** row[key] for key in ("mean", "low", "high"))
        found[name] = f"{mean:.2f} ({low:.2f} to {high:.2f})"
    return found


def search() -> str:
    """Tabulate the searched settings of the Fourier neural operator, the best first."""
    rows = []
    for row in RESULTS()["search"].metrics.settings:
        errors = ", ".join(f"{error:.2f}" for error in row.nrmse)
        rows.append([row.optimiser, f"{row.rate:g}", f"{row.n_batch}", f"{row.n_channels}", errors])
    return table(("optimiser", "rate", "batch", "channels", "relative L2 error of each seed"), rows)


def methods() -> str:
    """Tabulate speeds of split steps, the gain of the method and of the implementation apart."""
    found = RESULTS()["equal_method"].metrics
    rows = []
    for name, row in found.solvers.items():
        solver, method = name.split(": ")
        of_method = _gain(found.gains.method, solver) if method.startswith("Takahashi") else ""
        cells = [of_method, _gain(found.gains.implementation, name)]
        speed = f"{row.packet_frames_per_second:,.0f}"
        rows.append([solver, method, speed, f"{row.rms_relative_error:.1e}", *cells])
    head = ("solver", "method, FFT pairs a frame", "frames a second", "error",
            "gain over its Strang step", "our speed over it")  # fmt: skip
    return table(head, rows)


def _gain(gains: Any, name: str) -> str:
    if name not in gains:
        return ""
    row = gains[name]
    return f"{row.median:.2f} ({row.low:.2f} to {row.high:.2f})"
