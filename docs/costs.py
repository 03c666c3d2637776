"""The tables of error against cost; `pages.py` puts them in.

Each function without arguments is `{costs.NAME}` in a marker.
"""

from typing import Any

from pages import RESULTS, Number, table

# The folder of each grid.
FULL = {"lattice": "work_precision", "continuum": "work_precision-continuum"}


def work_precision() -> str:
    """Tabulate what is cheapest at each error, of solvers and of students of the full grid."""
    rows = []
    for grid, folder in FULL.items():
        for error, row in RESULTS()[folder].metrics.levels.film.items():
            rows.append([f"{grid}, {error}", *_cheapest(row)])
    head = ("grid, error", "cheapest baseline", "cheapest student", "student's speed over it")
    return table(head, rows)


def at_equal_time() -> str:
    """Tabulate students of the full grid next to the best split step of about their time."""
    rows = []
    for grid, folder in FULL.items():
        of = RESULTS()[folder].metrics
        for name, row in of.at_equal_time["split steps"].items():
            if name.startswith(("gru", "propagator")) or row.solver == Number("inf"):
                continue
            cells = [f"{grid}, `{name.removesuffix('-continuum')}`"]
            for who in (name, row.solver):
                each = of.contenders[who]
                cells += [] if who == name else [_in_words(who)]
                cells += [f"{1e3 * each.job_seconds:.0f}", f"{each.rms_error:.1e}"]
                cells += [f"{each.median_error:.1e}"]
            rows.append([*cells, _speed(row)])
    head = ("student", "trajectory, ms", "rms error", "median", "best split step in this time",
            "ms", "rms error", "median", "student's rms error over it")  # fmt: skip
    return table(head, rows)


def gain_at_equal_time() -> dict[str, str]:
    """Return the ratio of errors at about equal time, by student of the lattice or continuum."""
    found = [RESULTS()[folder].metrics.at_equal_time["split steps"] for folder in FULL.values()]
    return {name: _speed(row) for each in found for name, row in each.items()}


def frontier() -> str:
    """Tabulate the speed of the cheapest student over each kind of baseline, on the continuum."""
    kinds = ("split steps", "projected", "cut off", "folded")
    beside = RESULTS()["coarse"].metrics.beside
    rows = []
    for job, label in (("film", "the whole trajectory"), ("end", "the final state only")):
        for error, row in RESULTS()["coarse"].metrics.levels[job].items():
            ratios = [_speed(beside[kind][job][error]) for kind in kinds]
            rows.append([label, error, _in_words(row.student), *ratios])
    head = ("wanted", "error", "cheapest student", "split steps", "projected exact propagator",
            "plane-wave truncation", "Löwdin-folded")  # fmt: skip
    return table(head, rows)


def frontier_ranges() -> dict[str, str]:
    """Return the range of speeds over errors, by job and kind of baseline."""
    found = {}
    for kind, jobs in RESULTS()["coarse"].metrics.beside.items():
        for job, errors in jobs.items():
            ratios = [row.ratio for _, row in errors.items() if "ratio" in row]
            found[f"{job} {kind}"] = f"{min(ratios):.1f} to {max(ratios):.1f}"
    return found


def frontier_plane() -> str:
    """Tabulate what is cheapest in square boxes of three sizes."""
    rows = []
    for box, found in RESULTS()["coarse_plane"].metrics.boxes.items():
        for job, label in (("film", "trajectory"), ("end", "final state")):
            for error, row in found.levels[job].items():
                rows.append([box, label, error, *_cheapest(row)])
    head = ("box, bohr", "wanted", "error", "cheapest baseline", "cheapest student",
            "student's speed over it")  # fmt: skip
    return table(head, rows)


def plane_gain() -> dict[str, str]:
    """Return speeds over the cheapest baseline in boxes, and how often no student is so exact."""
    boxes = RESULTS()["coarse_plane"].metrics.boxes
    rows = [row for _, box in boxes.items() for job in ("film", "end")
            for _, row in box.levels[job].items()]  # fmt: skip
    compared = [row for row in rows if "ratio" in row]
    ratios = [row.ratio for row in compared]
    return {
        "range": f"{min(ratios):.1f} to {max(ratios):.1f}",
        "above 1": f"{sum(row.ratio_low > 1 for row in compared)} of {len(compared)}",
        "not reached": f"{len(rows) - len(compared)} of {len(rows)}",
    }


def contenders() -> str:
    """Tabulate every solver and student on few points, on the continuum."""
    rows = []
    for name, row in RESULTS()["coarse"].metrics.contenders.items():
        errors = [f"{row[f'{key}_error']:.1e}" for key in ("rms", "median", "worst")]
        costs = [row.setup_seconds, row.job_seconds, row.end_seconds]
        times = [f"{1e3 * seconds:.1f}" for seconds in costs]
        rows.append([_in_words(name), *errors, *times])
    head = ("", "rms error", "median", "worst", "preparation, ms", "trajectory, ms",
            "final state, ms")  # fmt: skip
    return table(head, rows)


def long_times() -> str:
    """Tabulate the same comparison after 100 a.u."""
    rows = []
    for job, label in (("film", "the whole trajectory"), ("end", "the final state only")):
        for error, row in RESULTS()["coarse-100"].metrics.levels[job].items():
            rows.append([label, error, *_cheapest(row)])
    head = ("wanted", "error", "cheapest baseline", "cheapest student", "student's speed over it")
    return table(head, rows)


def _cheapest(row: Any) -> list[str]:
    return [_in_words(row.solver), _in_words(row.student), _speed(row)]


def _speed(row: Any) -> str:
    if "ratio" not in row:
        return "no baseline that accurate" if row.solver in (None, Number("inf")) else ""
    return f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})"


WORDS = {
    "clamped, ": "clamped split step, ",
    "filters of theory, ": "filters of perturbation theory, ",
    "cut off, ": "plane-wave truncation, ",
    "folded, ": "Löwdin-folded, ",
    "projected, ": "projected exact propagator, ",
    "propagator from all, ": "`propagator`, ",
    "propagator from ": "`propagator` taught by ",
    "propagator, ": "`propagator`, ",
    "kernel from ": "`kernel` taught by ",
    "eigenstates of barrier": "eigenstates of single barriers",
    "learned on lines, ": "`propagator` taught on lines, ",
    "learned on planes, ": "`propagator` taught on planes, ",
}


def _in_words(name: Any) -> str:
    """The name of a solver or student, as readers know it."""
    if not isinstance(name, str):
        return "none"
    for short, plain in WORDS.items():
        name = name.replace(short, plain) if name.startswith(short) else name
    return name.replace("eigenstates of barrier,", "eigenstates of single barriers,")


def throughput() -> str:
    """Tabulate the speed and error of the teachers and of other libraries."""
    found = RESULTS()["throughput"].metrics.solvers
    rows = []
    for name, of_lattice in found.lattice.items():
        is_shown = not of_lattice.is_ours or name in SHOWN
        if is_shown and name != "C, real-space splitting":
            rows.append(
                [name, *_speed_and_error(of_lattice), *_speed_and_error(found.continuum[name])]
            )
    row = found.lattice["C, real-space splitting"]
    rows.append(["C, real-space splitting (the paper's)", *_speed_and_error(row), "", ""])
    head = ("solver", "lattice, a second", "error", "continuum, a second", "error")
    return table(head, rows)


SHOWN = (
    "chebyshev, 1e-6", "chebyshev, 1e-5, one frame in five", "chebyshev, 1e-10, complex128",
    "clamped, 4 substeps", "clamped, 7 substeps",
)  # fmt: skip
SHOWN_ON_GPU = (
    *SHOWN, "clamped, 3 substeps", "split step, 10 substeps",
    "dense, one potential, all frames at once",
)  # fmt: skip


def _speed_and_error(row: Any) -> list[str]:
    return [f"{row.packet_frames_per_second:,.0f}", f"{row.rms_relative_error:.1e}"]


def lead_of_c() -> dict[str, Number]:
    """Return how many times as fast and as exact the lattice's stencil is as the loop in C."""
    found = RESULTS()["throughput"].metrics.solvers.lattice
    ours, theirs = found["chebyshev, 1e-6"], found["C, real-space splitting"]
    return {
        "speed": Number(ours.packet_frames_per_second / theirs.packet_frames_per_second),
        "error": Number(theirs.rms_relative_error / ours.rms_relative_error),
    }


def on_gpu() -> str:
    """Tabulate the steps a second of trainings, on two cores and on a GPU."""
    here, there = (RESULTS()[run].metrics.trainings for run in ("throughput", "throughput-gpu"))
    rows = []
    for name, training in there.items():
        for i, (gpu, cpu) in enumerate(zip(training.stages, here[name].stages, strict=True)):
            speeds = cpu.steps_per_second, gpu.steps_per_second
            cells = (f"{number:,.0f}" for number in (*speeds, speeds[1] / speeds[0]))
            n_batch = gpu.examples_per_second / gpu.steps_per_second
            label = f"`{name}`, stage {i + 1}"
            rows.append([label, f"{n_batch:,.0f}", *cells, f"{gpu.teacher_share:.0%}"])
    head = (
        "training", "batch", "steps a second, two cores", "H200", "ratio", "teacher's share, H200"
    )  # fmt: skip
    return table(head, rows)


def gru_gain() -> str:
    """Return how many times as fast the steps of `gru` are on a GPU as on two cores."""
    return f"{_gains('gru')[0]:.0f}"


def unitary_gains() -> str:
    """Return the least and the largest such factor over the stages of `unitary`."""
    gains = _gains("unitary")
    return f"{min(gains):.0f} to {max(gains):.0f}"


def _gains(name: str) -> list[float]:
    here, there = (
        [stage.steps_per_second for stage in RESULTS()[run].metrics.trainings[name].stages]
        for run in ("throughput", "throughput-gpu")
    )
    return [gpu / cpu for cpu, gpu in zip(here, there, strict=True)]


def clamped_gain() -> dict[str, str]:
    """Return how many times as fast the clamped split step is as the Chebyshev solver on a GPU."""
    found = RESULTS()["throughput-gpu"].metrics.solvers
    gains = {}
    for dispersion in ("lattice", "continuum"):
        speeds = [found[dispersion][name].packet_frames_per_second for name in (SHOWN[3], SHOWN[0])]
        gains[dispersion] = f"{speeds[0] / speeds[1]:.1f}"
    return gains


def solvers_on_gpu() -> str:
    """Tabulate the speed and error of solvers on a GPU."""
    found = RESULTS()["throughput-gpu"].metrics.solvers
    rows = []
    for name, of_lattice in found.lattice.items():
        if name in SHOWN_ON_GPU or name.startswith("torch"):
            cells = *_speed_and_error(of_lattice), *_speed_and_error(found.continuum[name])
            rows.append([name, *cells])
    row = found.continuum["matterwave, 10 substeps"]
    rows.append(["matterwave, 10 substeps", "", "", *_speed_and_error(row)])
    return table(("solver", "lattice, a second", "error", "continuum, a second", "error"), rows)


def long_trainings() -> str:
    """Return 1 - correlation of the long trainings of the paper's network on a GPU."""
    scores = [RESULTS()[f"gru-seed-{seed}"].metrics.benchmark.mean_infidelity for seed in range(3)]
    return ", ".join(f"{Number(score):.1e}" for score in scores)
