"""The tables of the pages, and numbers that are computed from several; `pages.py` puts them in.

Each function without arguments is `{tables.NAME}` in a marker.
"""

import ast
import re
import statistics
from collections.abc import Iterable
from typing import Any

import numpy as np
from compared import BARRIERS, SCHEMES, infidelity_of, resolved, shelf_rows
from pages import RESULTS, ROOT, Number, table

from qdistill.forecast import paper
from qdistill.physics.grid import Grid

# Its packet starts so near the end of the box that the end cuts it.
CUT = "barrier-15.8-11.6-9.4"
WITHOUT_EDGES = tuple(
    name
    for name in paper.CASES
    if name.startswith(("half-circle", "quadratic", "random", "trapezoid", "triangle"))
)
# Presets of ten trainings each, and what they are taught.
SEEDED = {
    "demo": "single barriers and wells",
    "demo-newton": "barriers and wells, some smoothed",
    "unitary": "potentials of every family",
}
# Errors on held-out potentials.
UNSEEN = ("mean_infidelity", "mean_nrmse", "median_nrmse")
SETS = (tuple(paper.CASES), BARRIERS, WITHOUT_EDGES)


# The paper names its networks demo and full; `demo` is another one here.
TRAININGS = {"demo-gru": "short", "full-gru": "long"}


def paper_test() -> str:
    """Tabulate the paper's test: all 25 runs, and the 11 barriers with the paper's parameters."""
    rows = [
        [label, "nothing", "", "", *_scores(row.paper)]
        for label, row in shelf_rows("lattice", (2,)).items()
        # That of fourth order is worse than the others here; it is on the shelf.
        if label != SCHEMES["chin, smoothed 0.1"]
    ]
    rows += [_row_of_seeds(preset, learned) for preset, learned in SEEDED.items()]
    for name, learned in (
        ("gru", "single barriers and wells"),
        ("gru-wide", "potentials of every family"),
    ):
        run = RESULTS()[name].metrics
        minutes = f"{run.training_seconds / 60:.0f} min"
        rows.append(
            [f"`{name}`", learned, f"{run.training_steps:,}", minutes, *_scores(run.benchmark)]
        )
    for model, steps in (("demo-gru", 900_000), ("full-gru", 5_290_000)):
        of = [paper.published()[name][model]["correlation"] for name in paper.CASES]
        of_barriers = [paper.published()[name][model]["correlation"] for name in BARRIERS]
        infidelity, on_barriers = (Number(1 - statistics.mean(each)) for each in (of, of_barriers))
        label = f"the paper's GRU, {TRAININGS[model]} training"
        barriers = "single barriers"
        rows.append(
            [label, barriers, f"{steps:,}", "", f"{infidelity:.1e}", f"{on_barriers:.1e}", ""]
        )
        if model == "demo-gru":
            trainings = [row for _, row in RESULTS()["published"].metrics.trainings.items()]
            columns = zip(*map(_numbers, trainings), strict=True)
            means = [f"{Number(statistics.mean(column)):.1e}" for column in columns]
            label = f"the same here, {len(trainings)} trainings"
            rows.append([label, barriers, f"{steps:,}", "", *means])
    head = ("", "learned from", "steps", "least training time", "1 − correlation, 25 runs",
            "11 barriers", "relative L2 error")  # fmt: skip
    return table(head, rows)


def _row_of_seeds(preset: str, learned: str) -> list[str]:
    """The row of the paper's test for a preset: medians over its trainings, and the least time."""
    runs = _trainings(preset)
    minutes = f"{min(run.training_seconds for run in runs) / 60:.0f} min"
    columns = zip(*(_numbers(run.benchmark) for run in runs), strict=True)
    medians = [f"{Number(statistics.median(column)):.1e}" for column in columns]
    label = f"`{preset}`, median of {len(runs)}"
    return [label, learned, f"{runs[0].training_steps:,}", minutes, *medians]


def _scores(scores: Any) -> list[str]:
    return [f"{Number(number):.1e}" for number in _numbers(scores)]


def _numbers(scores: Any) -> tuple[float, float, float]:
    """1 - correlation on all cases and on the barriers, and the relative L2 error."""
    return scores.mean_infidelity, _mean(scores, BARRIERS), scores.mean_nrmse


def seeds() -> str:
    """List the score of `demo` for each seed."""
    return ", ".join(f"{score:.1e}" for score in _of_seeds())


def _of_seeds() -> list[Number]:
    return [run.benchmark.mean_infidelity for run in _trainings("demo")]


def _trainings(preset: str) -> list[Any]:
    names = sorted(name for name in RESULTS() if name.startswith(f"{preset}-seed-"))
    return [RESULTS()[name].metrics for name in names]


def newton() -> str:
    """Tabulate students and solvers of two FFT pairs: the paper's test and held-out potentials."""
    rows = []
    for label, row in shelf_rows("lattice", (2,)).items():
        scores, unseen = row.paper, row["held out"]["all"]
        errors = [_mean(scores, names) for names in SETS]
        errors += [scores.mean_nrmse, *(unseen[key] for key in UNSEEN)]
        cells = [resolved(error) for error in errors]
        rows.append([label, "", "", *cells[:4], "", *cells[4:]])
    for preset in ("demo", "demo-newton", "informed-2", "informed-2-newton"):
        runs = _trainings(preset) or [RESULTS()[preset].metrics]
        of_cases = [[_mean(run.benchmark, names) for run in runs] for names in SETS]
        low, high = (Number(end(of_cases[0])) for end in (min, max))
        of_cases.append([run.benchmark.mean_nrmse for run in runs])
        folders = (preset, *(f"{preset}-seed-{seed}" for seed in range(len(runs))))
        scored = [
            RESULTS()[name]
            for name in folders
            if name in RESULTS() and "evaluation-1" in RESULTS()[name]
        ]
        held_out = [each["evaluation-1"].scores[preset]["all"] for each in scored]
        of_cases += [[each[key] for each in held_out] for key in UNSEEN]
        medians = [resolved(statistics.median(each)) for each in of_cases]
        if len(runs) > 1:
            medians[0] += f" ({low:.1e} to {high:.1e})"
        medians.insert(4, f"{len(scored)}")
        rows.append([f"`{preset}`", f"{len(runs)}", f"{runs[0].training_steps:,}", *medians])
    head = ("", "trainings", "steps", "25 runs: 1 − correlation", "11 barriers",
            "8 without vertical edges", "relative L2 error", "trainings, held out",
            "held out: 1 − correlation, mean", "relative L2 error, mean", "median")  # fmt: skip
    return table(head, rows)


def _mean(scores: Any, names: Iterable[str]) -> float:
    return statistics.mean(infidelity_of(scores, name) for name in names)


def cut_packet() -> Number:
    """Return the median over `demo-newton`'s seeds of the error on the packet that the box cuts."""
    runs = _trainings("demo-newton")
    return Number(statistics.median(1 - run.benchmark.cases[CUT].correlation for run in runs))


def fast_waves() -> Number:
    """Return the probability above 10 per bohr in the packet that the end of the box cuts."""
    grid = Grid()
    names, psi0, _ = paper.make_cases(grid)
    waves = np.abs(np.fft.fft(psi0[names.index(CUT)])) ** 2
    return Number(np.sum(waves[np.abs(grid.wavenumbers()) > 10]) / np.sum(waves))


def worst_unitary() -> Number:
    """Return the largest error of a training of `unitary`."""
    return Number(max(run.benchmark.mean_infidelity for run in _trainings("unitary")))


def worst_slow_waves() -> Number:
    """Return by how many hartree the kinetic energy of waves at rest is wrong in that training."""
    run = max(_trainings("unitary"), key=lambda run: run.benchmark.mean_infidelity)
    learned, exact = (run.dispersion[key] for key in ("learned_hartree", "teacher_hartree"))
    return Number(abs(next(iter(learned)) - next(iter(exact))))


def crossing() -> Number:
    """Return the training seconds after which `demo` passes the paper's best network."""
    curve = RESULTS()["learning_curve"].metrics.demo
    published = 1 - paper.published_means("full-gru")["correlation"]
    pairs = zip(curve.training_seconds, curve.mean_infidelity, strict=True)
    return next(seconds for seconds, infidelity in pairs if infidelity < published)


LADDER = ("compare_students", "compare_students-propagator", "compare_students-kernel")


def ladder() -> str:
    """Tabulate the students of equal training time."""
    built_in = {
        "local": "local, linear", "local, unrolled": "local, linear", "fno": "—",
        "fno, unrolled": "—", "unitary": "linear, unitary", "unitary, unrolled": "linear, unitary",
        "propagator": "unitary, T given", "kernel": "unitary, T and first order in V given",
    }  # fmt: skip
    rows = []
    for folder in LADDER:
        for name, runs in RESULTS()[folder].metrics.students.items():
            infidelities = sorted(run.mean_infidelity for run in runs)
            low, median, high = infidelities[0], statistics.median(infidelities), infidelities[-1]
            error = statistics.median(run.mean_nrmse for run in runs)
            cost = statistics.median(run.microseconds_per_frame for run in runs)
            rows.append([
                name, built_in.get(name, "local"), f"{next(iter(runs)).n_parameters:,}",
                f"{median:.1e} ({low:.1e} to {high:.1e})", _error(error), f"{cost:,.0f}",
            ])  # fmt: skip
    for name, row in RESULTS()["compare_students"].metrics.solvers.items():
        pairs, cost = name.rsplit(", ", 1)[1], f"{row.microseconds_per_frame:,.0f}"
        label = f"clamped split step, {pairs} pair{'s' * (pairs != '1')}"
        scores = [f"{row.mean_infidelity:.1e}", _error(row.mean_nrmse)]
        rows.append([label, "not learned", "", *scores, cost])
    for label, row in shelf_rows("lattice", (1, 2, 3)).items():
        if not label.startswith(SCHEMES["strang"]):
            scores = [f"{row.paper.mean_infidelity:.1e}", _error(row.paper.mean_nrmse)]
            rows.append([f"{label} pair{'s' * (label[-1] != '1')}", "not learned", "", *scores, ""])
    head = ("student", "built in", "parameters", "1 − correlation, median (range)",
            "relative L2 error", "µs a frame")  # fmt: skip
    return table(head, rows)


def ladder_seconds() -> dict[str, str]:
    """Return the range of the seconds of a training, and of the microseconds of one solver."""
    found = [RESULTS()[folder].metrics for folder in LADDER]
    runs = [run for each in found for _, seeds in each.students.items() for run in seeds]
    ranges = {
        "training": [run.training_seconds for run in runs],
        "split step": [each.solvers["clamped, 2"].microseconds_per_frame for each in found],
    }
    return {name: f"{min(each):.0f} to {max(each):.0f}" for name, each in ranges.items()}


def plane() -> str:
    """Tabulate the students of the plane and the baseline of equal cost."""
    found = RESULTS()["double_slit"].metrics
    at = [list(found.times_au).index(t) for t in (4.0, 8.0)]
    rows = []
    for name, kinds in found.scores.items():
        errors = [
            f"{kinds[kind].nrmse[i]:.1e} ± {kinds[kind].nrmse_spread[i]:.0e}"
            for kind in ("double slits", "forests")
            for i in at
        ]
        cost = found.costs[name]
        rows.append([f"`{name}`", *errors, f"{cost.milliseconds_a_frame:.1f}"])
    head = ("", "double slits, t = 4", "t = 8", "forests, t = 4", "t = 8", "ms a frame")
    return table(head, rows)


def designs() -> str:
    """Tabulate the potentials that were designed through the exact stationary waves."""
    found = RESULTS()["design"].metrics.designs
    rows = []
    for name, row in found.items():
        low, high = row.band_hartree
        waves = row.plane_waves
        got = f"{waves.lowest_transmission:.3f} to {waves.highest_transmission:.3f}"
        if "passband" in row:
            band = row.passband
            peak = f"peak {band.peak:.3f}, {band.fwhm_hartree:.3f} wide"
            got = f"{peak}, at most {band.leak:.4f} outside"
        rows.append([name, f"{low:g} to {high:g}", f"{row.highest_hartree:.2f}", got])
    head = ("", "energies, hartree", "highest V, hartree", "transmission of plane waves")
    return table(head, rows)


def designs_through() -> str:
    """Tabulate what was designed through a forecast, by this forecast and by the exact solver."""
    through = RESULTS()["design"].metrics.through
    rows = []
    for name in through.splitter.designers:
        found = [through[task].designers[name] for task in ("splitter", "filter")]
        label = name if name == "split step" else f"`{name}`"
        keys = ("rms_amiss_believed", "rms_amiss_exact")
        rows.append([label, *(f"{row[key]:.4f}" for row in found for key in keys)])
    head = ("designed through", "splitter: forecast", "exact", "filter: forecast", "exact")
    return table(head, rows)


def accuracy() -> str:
    """Tabulate the errors of the teachers against diagonalisation."""
    errors = RESULTS()["solver_accuracy"].metrics.errors
    columns = [
        (grid, precision)
        for grid in ("lattice", "continuum")
        for precision in ("complex64", "complex128")
    ]
    rows = [
        [
            solver,
            *(
                f"{errors[f'{grid}, {solver}, {bits}'].rms_relative_error:.1e}"
                for grid, bits in columns
            ),
        ]
        for solver in ("split_step, 10 substeps", "chebyshev, 1e-6", "chebyshev, 1e-12")
    ]
    return table(("teacher", *(f"{grid}, {bits}" for grid, bits in columns)), rows)


def channels() -> str:
    """Tabulate error and work of the solvers of two channels, and of QuTiP."""
    of = RESULTS()["channels"].metrics
    times = dict(of.seconds.items()) if "seconds" in of else {}
    rows = [
        [name, f"{row.relative_error:.1e}", f"{row.work:,} {row.unit}"]
        + [f"{times[name]:.2g} s" if name in times else ""] * bool(times)
        for name, row in of.solvers.items()
    ]
    return table(("solver", "relative L2 error", "work", *["time"] * bool(times)), rows)


def qutip_over_takahashi() -> str:
    """Return how many times as long QuTiP takes as a split step of about its error."""
    return _ratio_of_times("QuTiP, adams", "takahashi-imada, 2 substeps")


def qutip_over_chin() -> str:
    """Return the same for its integrator of high order."""
    return _ratio_of_times("QuTiP, vern9", "chin, 8 substeps")


def _ratio_of_times(first: str, second: str) -> str:
    times = RESULTS()["channels"].metrics.seconds
    return f"{times[first] / times[second]:.0f}"


def largest_checkpoints() -> str:
    """Return the most that the checkpoints of the long run took."""
    found = RESULTS()["reliability"].metrics.long_run.largest_checkpoints_bytes
    return f"{found / 1e3:.0f} kB"


def n_hostile() -> int:
    """Return the number of hostile calls of the fuzz."""
    return _n_calls("fuzz")


def n_hostile_of_other() -> int:
    """Return the number of hostile calls of the fuzz with another seed."""
    return _n_calls("fuzz-seed-1")


def _n_calls(run: str) -> int:
    return sum(count for _, count in RESULTS()[run].metrics.outcomes["all"].items())


def scripts() -> str:
    """Tabulate the scripts of experiments/ by what they say of themselves."""
    rows = []
    for path in sorted((ROOT / "experiments").rglob("*.py")):
        source = path.read_text()
        if path.name != "runner.py" and "runner." in source and '__name__ == "__main__"' in source:
            first = str(ast.get_docstring(ast.parse(source))).splitlines()[0]
            name = path.relative_to(ROOT / "experiments").with_suffix("").as_posix()
            rows.append([f"`{name}`", first.split(": `")[0].rstrip(".")])
    return table(("script", "what it does"), rows)


def targets() -> str:
    """Tabulate the targets of the Makefile by what they say of themselves."""
    lines = re.findall(r"^# (make [\w-]+) +(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return table(("target", "what it does"), [[f"`{name}`", words] for name, words in lines])


def without_commit() -> dict[str, str]:
    """Name the folders of results/ with no commit, and those from code with other changes."""
    folders = sorted(each for each in (ROOT / "results").iterdir() if each.is_dir())
    texts = {
        f"`{each.name}`": "".join(f.read_text() for f in each.glob("*.json")) for each in folders
    }
    is_known, is_modified = (re.compile(rule) for rule in (r'"commit": "', r'"is_modified": true'))
    return {
        "unknown": ", ".join(name for name, text in texts.items() if not is_known.search(text)),
        "modified": ", ".join(name for name, text in texts.items() if is_modified.search(text)),
    }


def _error(error: float) -> str:
    return f"{Number(error):.1e}" if error < 1e3 else "diverges"
