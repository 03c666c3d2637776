"""The numbers of README and docs/results.md are those under results/; code runs as a doctest."""

import itertools
import json
import math
import pathlib
from typing import Any

import numpy as np
import pytest

from qdistill.forecast import benchmark
from qdistill.physics import potentials

ROOT = pathlib.Path(__file__).parents[1]
PAGES = {name: (ROOT / name).read_text() for name in ("README.md", "docs/results.md")}
README = "\n".join(PAGES.values())
PHYSICS = ("lattice", "continuum")


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of the table below a heading, by their first cell."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells}


def result(name: str) -> Any:
    return json.loads((ROOT / "results" / name).read_text())


@pytest.mark.parametrize("run", ["demo", "unitary", "gru", "gru-wide"])
def test_scores_are_those_of_the_runs(run: str) -> None:
    metrics = result(f"{run}/metrics.json")
    scores = metrics["benchmark"]
    assert metrics["preset"] == run
    assert scores["n_frames"] == 400
    minutes = metrics["training_seconds"] / 60
    assert rows("The paper's test")[f"`{run}`"][1:] == [
        f"{metrics['training_steps']:,}",
        f"{minutes:.1f} min" if minutes < 10 else f"{minutes:.0f} min",
        f"{scores['mean_infidelity']:.1e}",
        f"{1 - scores['worst_correlation']:.1e}",
        f"{scores['mean_nrmse']:.1e}",
        f"{scores['max_norm_drift']:.0e}",
    ]


def test_seeds_of_demo_end_where_the_text_says() -> None:
    runs = [result(f"demo-seed-{seed}/metrics.json") for seed in (0, 1, 2)]
    errors = ", ".join(f"{run['benchmark']['mean_infidelity']:.1e}" for run in runs)
    assert f"on one core, it ended at {errors}. That seeds" in README.replace("\n", " ")
    assert f"`demo` ended at {errors}. A" in PAGES["README.md"].replace("\n", " ")


def test_the_learning_curve_is_that_of_the_script() -> None:
    curve = result("learning_curve/metrics.json")["demo"]
    paper = float(rows("The paper's test")["the paper's `full` GRU"][3])
    passed = next(i for i, error in enumerate(curve["mean_infidelity"]) if error < paper)
    text = README.replace("\n", " ")
    assert f"paper's best network after {curve['training_seconds'][passed]:.0f} s;" in text
    assert f"end at {curve['mean_infidelity'][-1]:.1e} there and at" in text


def test_the_solver_beside_the_students_is_that_of_the_comparison() -> None:
    error = result("compare_students/metrics.json")["solvers"]["clamped, 2"]["mean_infidelity"]
    text = PAGES["README.md"].replace("\n", " ")
    assert f"two clamped FFT pairs, in which nothing is learned, has {error:.1e} here" in text


@pytest.mark.parametrize(("model", "steps"), [("demo", "900,000"), ("full", "5,290,000")])
def test_published_scores_are_the_papers(model: str, steps: str) -> None:
    means = benchmark.published_means(f"{model}-gru")
    worst = min(models[f"{model}-gru"]["correlation"] for models in benchmark.published().values())
    assert rows("The paper's test")[f"the paper's `{model}` GRU"][1:5] == [
        steps,
        "",
        f"{1 - means['correlation']:.1e}",
        f"{1 - worst:.1e}",
    ]


def test_ladder_is_that_of_the_comparison() -> None:
    results = result("compare_students/metrics.json")
    table = rows("What each piece of physics buys")
    assert set(results["students"]) | set(results["solvers"]) <= set(table)
    for name, seeds in results["students"].items():
        infidelities = sorted(seed["mean_infidelity"] for seed in seeds)
        errors = [math.inf if seed["mean_nrmse"] is None else seed["mean_nrmse"] for seed in seeds]
        error = float(np.median(errors))
        assert table[name][1:] == [
            f"{seeds[0]['n_parameters']:,}",
            f"{np.median([seed['training_seconds'] for seed in seeds]):.0f} s",
            f"{np.median(infidelities):.1e} ({infidelities[0]:.1e} to {infidelities[-1]:.1e})",
            "diverges" if error == math.inf else f"{error:.1e}",
            f"{np.median([seed['microseconds_per_frame'] for seed in seeds]):.0f}",
        ]
    for name, row in results["solvers"].items():
        assert table[name][3:] == [
            f"{row['mean_infidelity']:.1e}",
            f"{row['mean_nrmse']:.1e}",
            f"{row['microseconds_per_frame']:.0f}",
        ]


def test_the_rung_that_came_later_is_that_of_its_run() -> None:
    seeds = result("compare_students-propagator/metrics.json")["students"]["propagator"]
    infidelity, error, cost = (
        sorted(seed[name] for seed in seeds)
        for name in ("mean_infidelity", "mean_nrmse", "microseconds_per_frame")
    )
    low, middle, high = (f"{x:.1e}" for x in infidelity)
    text = " ".join(README.split())
    assert f"infidelity of {middle} ({low} to {high}) and a phase-sensitive error of" in text
    assert f"error of {error[1]:.1e}, closer than every rung of the table" in text
    assert f"one costs {cost[1]:.0f} µs" in text
    others = result("compare_students/metrics.json")["students"].values()
    assert infidelity[-1] < min(seed["mean_infidelity"] for rung in others for seed in rung)


def test_the_rung_kernel_is_that_of_its_run() -> None:
    seeds = result("compare_students-kernel/metrics.json")["students"]["kernel"]
    infidelity, error, cost = (
        sorted(seed[name] for seed in seeds)
        for name in ("mean_infidelity", "mean_nrmse", "microseconds_per_frame")
    )
    low, middle, high = (f"{x:.1e}" for x in infidelity)
    said = f"given, {middle} ({low} to {high}) and {error[1]:.1e}, and {cost[1]:.0f} µs a frame."
    assert f"{seeds[0]['n_parameters']:,} numbers" in README
    assert said in " ".join(README.split())


def fresh_row(evaluation: Any, name: str) -> list[str]:
    every = evaluation["scores"][name]["all"]
    cells = [
        f"{every[f'{statistic}_{error}']:.1e}"
        for error in ("infidelity", "nrmse")
        for statistic in ("median", "mean", "worst")
    ]
    if name.startswith("clamped"):
        return [*cells, "", ""]
    solver = f"clamped-{name[-1]}" if name.startswith("informed") else "clamped-2"
    for error in ("nrmse", "infidelity"):
        both = (evaluation["cases"][each][error] for each in (solver, name))
        cells.append(f"{sum(a < b for a, b in zip(*both, strict=True))}")
    return cells


SHARP = ("barrier", "double", "triple", "steps")
HILLS = ("half-circle", "trapezoid", "random")
LITTLE = ("quadratic", "triangle", "well")
BOTH = ("demo", "informed-1", "informed-2", "informed-3")


@pytest.mark.parametrize(
    ("run", "physics"), [("unitary", "lattice"), *itertools.product(BOTH, PHYSICS)]
)
def test_scores_on_fresh_landscapes_are_those_of_the_evaluations(run: str, physics: str) -> None:
    on_continuum = physics == "continuum"
    folder = f"{run}-continuum" if on_continuum else run
    assert result(f"{folder}/config.json")["teacher"]["dispersion"] == physics
    table = rows("The same on the continuum" if on_continuum else "Against a solver of equal cost")
    evaluation = result(f"{folder}/evaluation-1.json")
    for name in (run, "clamped-1", "clamped-2", "clamped-3"):
        assert table[f"`{name}`"] == fresh_row(evaluation, name)


def gains(families: tuple[str, ...]) -> str:
    """How many times the solver's median error is that of informed-1 and -2: least and largest."""
    ratios = []
    for n in "12":
        scores = result(f"informed-{n}/evaluation-1.json")["scores"]
        student, solver = scores[f"informed-{n}"], scores[f"clamped-{n}"]
        ratios += [solver[f]["median_nrmse"] / student[f]["median_nrmse"] for f in families]
    return f"{min(ratios):.1f} to {max(ratios):.1f} times"


def test_gains_are_those_of_the_evaluations() -> None:
    text = README.replace("\n", " ")
    assert (
        f"has a median phase-sensitive error {gains(SHARP)} that of these two where edges" in text
    )
    assert f"{gains(HILLS)} on arches, trapezoids and random hills, and {gains(LITTLE)} on" in text
    assert {*SHARP, *HILLS, *LITTLE} == set(potentials.FAMILIES)


def test_errors_of_longer_frames_are_those_of_the_evaluations() -> None:
    words = []
    for dt in ("0.2", "0.5", "1"):
        scores = result(f"informed-2-dt{dt}/evaluation-1.json")["scores"]
        student, solver = (scores[n]["all"]["mean_nrmse"] for n in ("informed-2", "clamped-2"))
        words.append(f"{student:.1e} (solver {solver:.1e})")
    assert ", ".join(words) in README.replace("\n", " ")


def level_rows() -> dict[str, list[str]]:
    """Who reaches an error at the least cost, and by how much students differ from solvers."""
    found = {}
    for physics in PHYSICS:
        folder = "work_precision" if physics == "lattice" else "work_precision-continuum"
        report = result(f"{folder}/metrics.json")
        assert report["dispersion"] == physics
        for level, row in report["levels"]["film"].items():
            speed = ""
            if "ratio" in row:
                speed = f"{row['ratio']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})"
            names = [name or "none" for name in (row["solver"], row["student"])]
            found[f"{physics}, {level}"] = [*names, speed]
    return found


def test_costs_are_those_of_the_script() -> None:
    table = rows("What an error costs")
    for name, cells in level_rows().items():
        assert table[name] == cells


def probe_rows(name: str) -> list[str]:
    found = result("probes/metrics.json")["probes"][name]
    waves, coupling = found["dispersion"], found["uniform"]["coupling"]
    return [
        f"{waves['mass_au']:.4f} ± {waves['mass_error_au']:.0e}",
        f"{waves['quartic_over_lattice']:.2f} ± {waves['quartic_over_lattice_error']:.0e}",
        f"{min(coupling):.4f} to {max(coupling):.4f}",
        f"{found['light_cone']['front_speed_bohr_per_au']:.3f}",
    ]


def test_probes_are_those_of_the_script() -> None:
    table = rows("What probes, symmetries and causes say")
    names = ("mass", "k⁴ term over the lattice's", "uniform V felt", "speed of the front")
    columns = zip(*(probe_rows(name) for name in ("exact solver", "demo", "gru")), strict=True)
    for name, row in zip(names, columns, strict=True):
        assert table[name] == list(row)
    cone = result("probes/metrics.json")["probes"]["demo"]["light_cone"]
    assert f"({cone['expected_front_speed_bohr_per_au']:.3f} expected)" in README


def at_four(packets: Any) -> float:
    """What passes of the packet of 4 hartree."""
    (i,) = (i for i, e in enumerate(packets["energy_hartree"]) if abs(e - 4) < 1e-9)
    return packets["transmission"][i]


def test_designs_are_those_of_the_script() -> None:
    found, table = result("design/metrics.json")["designs"], rows("Design by gradients")
    for name, design in found.items():
        waves, packets = design["plane_waves"], design["packets"]
        passes = f"{waves['lowest_transmission']:.3f} to {waves['highest_transmission']:.3f}"
        if band := design.get("passband"):
            passes = (
                f"peak {band['peak']:.3f} at {band['centre_hartree']:.3f}, "
                f"{band['fwhm_hartree']:.3f} wide at half, {band['leak']:.4f} at most outside"
            )
        low, high = design["band_hartree"]
        assert table[name][0] == f"{low:g} to {high:g}"
        assert table[name][2:] == [
            f"{design['highest_hartree']:.2f}",
            passes,
            f"{at_four(packets):.3f} ({packets['width_bohr']:g} bohr)",
        ]
    # What was asked: in the time domain, by the exact solver.
    assert abs(at_four(found["splitter"]["packets"]) - 0.5) < 0.02
    assert found["filter"]["passband"]["peak"] > 0.99
    assert at_four(found["mirror"]["packets"]) < 0.01
    worst = max(each["packets"]["worst_difference_from_expected"] for each in found.values())
    assert f"within {worst:.0e}." in README
    band, text = found["filter"]["passband"], README.replace("\n", " ")
    assert f"the splitter passes {at_four(found['splitter']['packets']):.3f}." in text
    assert f"is {band['fwhm_hartree']:.2f} hartree wide, and passes {band['leak']:.1%} at" in text


def test_designs_through_students_are_those_of_the_script() -> None:
    tasks, table = result("design/metrics.json")["through"], rows("Design by gradients")
    for who in tasks["splitter"]["designers"]:
        cells = []
        for task in ("splitter", "filter"):
            row = tasks[task]["designers"][who]
            cells += [f"{row[f'rms_amiss_{by}']:.4f}" for by in ("believed", "exact")]
        assert table[who if who == "split step" else f"`{who}`"] == cells
        # What the text says of those in the table: the design holds on the solver.
        assert abs(row["rms_amiss_exact"] - row["rms_amiss_believed"]) < 1e-3
    few = result("design-gru/metrics.json")["through"]["splitter"]["designers"]
    gru, text = few["gru"], README.replace("\n", " ")
    ends = [f"{min(gru[by]):.2f} to {max(gru[by]):.2f}" for by in ("believed", "exact")]
    assert f"believes that {ends[0]} of each packet pass, since it does not keep" in text
    assert f"the norm, and {ends[1]} do." in text
    assert f"come within {few['split step']['rms_amiss_exact']:.2f} of the splitter" in text


def test_solver_errors_are_those_of_the_script() -> None:
    errors = result("solver_accuracy/metrics.json")["errors"]
    table = rows("How exact the teachers are")
    for name in ("split_step, 10 substeps", "chebyshev, 1e-6", "chebyshev, 1e-12"):
        assert table[name] == [
            f"{errors[f'{dispersion}, {name}, {dtype}']['rms_relative_error']:.1e}"
            for dispersion in PHYSICS
            for dtype in ("complex64", "complex128")
        ]


def test_speeds_are_those_of_the_script() -> None:
    found, text = result("throughput/metrics.json"), README.replace("\n", " ")
    table = rows("How fast the teachers are")
    quoted = {name: cells for name, cells in table.items() if name in found["solvers"]["lattice"]}
    assert len(quoted) >= 10
    for name, cells in quoted.items():
        expected = []
        for physics in PHYSICS:
            row = found["solvers"][physics].get(name)
            speed = f"{row['packet_frames_per_second']:,.0f}" if row else ""
            expected += [speed, f"{row['rms_relative_error']:.1e}" if row else ""]
        assert cells == expected, name
    solvers = {physics: found["solvers"][physics] for physics in PHYSICS}
    speed, error = "packet_frames_per_second", "rms_relative_error"

    def words(physics: str, name: str, other: str) -> tuple[str, str]:
        one, two = solvers[physics][name], solvers[physics][other]
        return f"{one[speed] / two[speed]:.3g}", f"{two[error] / one[error]:.0f}"

    ours, loop, peer = "chebyshev, 1e-6", "C, real-space splitting", "pyFFTW, 10 substeps"
    by_speed = max(
        solvers["lattice"].items(), key=lambda row: row[1][speed] * (not row[1]["is_ours"])
    )
    assert by_speed[0] == peer
    quick, close = words("lattice", ours, loop)
    assert f"makes {float(quick):.0f} times its packet-frames at {close} times less error" in text
    quick, close = words("lattice", ours, peer)
    assert f"it is {float(quick):.1f} times as fast at {close} times less error" in text
    quick, _ = words("continuum", "clamped, 4 substeps", peer)
    assert f"and is {float(quick):.1f} times as fast; pair for pair" in text
    shares = [found["trainings"][run]["teacher_share"] for run in ("gru", "unitary")]
    assert f"The teacher takes {shares[0]:.0%} of the training of `gru` and {shares[1]:.0%}" in text


def test_speeds_over_fewer_frames_are_those_of_the_script() -> None:
    found, text = result("throughput-50/metrics.json")["solvers"], " ".join(README.split())
    assert result("throughput-50/config.json")["n_frames"] == 50

    def speed(physics: str, name: str) -> float:
        return found[physics][name]["packet_frames_per_second"]

    stencil = speed("lattice", "chebyshev, 1e-6") / speed("lattice", "C, real-space splitting")
    assert f"made {stencil:.0f} times the packet-frames of C" in text
    names = ("clamped, 7 substeps", "pyFFTW, 10 substeps")
    ours, theirs = (speed("continuum", name) for name in names)
    errors = [f"{found['continuum'][name]['rms_relative_error']:.1e}" for name in names]
    assert f"were {ours / theirs:.1f} times as fast as pyFFTW with ten" in text
    assert f"at an error of {errors[0]} against {errors[1]}: no gain" in text


def test_film_shows_the_run_whose_scores_are_quoted() -> None:
    filmed, run = result("movie/metrics.json"), result("demo/metrics.json")
    assert (filmed["preset"], filmed["benchmark"]["n_frames"]) == ("demo", 400)
    shown, scored = (scores["benchmark"]["cases"]["steps"] for scores in (filmed, run))
    # Sums round differently where one case is simulated alone.
    assert shown["nrmse"] == pytest.approx(scored["nrmse"], rel=0.02)
    film = (ROOT / "results" / "movie" / "forecast.gif").read_bytes()
    assert film.startswith(b"GIF89a")
    assert len(film) < 1.6e6


def test_errors_in_two_dimensions_are_those_of_the_script() -> None:
    found = result("double_slit/metrics.json")
    table = rows("A student on the plane")
    looks = [found["times_au"].index(t) for t in (4.0, 8.0)]
    for name, families in found["scores"].items():
        drift = max(row["max_norm_drift"] for row in families.values())
        cost = found["costs"][name]
        assert table[f"`{name}`"] == [
            *(
                f"{row['nrmse'][i]:.1e} ± {row['nrmse_spread'][i]:.0e}"
                for row in families.values()
                for i in looks
            ),
            f"{drift:.0e}",
            f"{cost['milliseconds_a_frame']:.1f}",
            f"{cost['milliseconds_a_landscape']:.0f}",
        ]


def test_what_is_said_of_two_dimensions_is_what_was_found() -> None:
    found = result("double_slit/metrics.json")
    text = README.replace("\n", " ")
    final = {
        name: {family: np.array(row["cases_final_nrmse"]) for family, row in families.items()}
        for name, families in found["scores"].items()
    }

    def closer(solver: str, student: str) -> list[int]:
        pairs = ((final[solver][f], final[student][f]) for f in ("double slits", "forests"))
        return [int(np.sum(a < b)) for a, b in pairs]

    n = found["n_cases"]
    slits, forests = closer("clamped-2", "plane")
    assert (
        f"closer than `plane` on {slits} of {n} double slits and {forests} of {n} forests" in text
    )
    slits, forests = closer("clamped-2", "plane-informed")
    assert f"closer than `plane-informed` on {slits} and {forests}. With one pair" in text
    slits, forests = closer("clamped-3", "plane-informed")
    words = f"closer than `plane-informed` on {slits} of {n} double slits and {forests} of {n}"
    assert words in text
    truth = found["costs"]["chebyshev"]["milliseconds_a_frame"]
    assert f"takes {truth:.0f} ms a frame" in text
    minutes = [found["training"][name]["seconds"] / 60 for name in ("plane", "plane-informed")]
    assert f"Training took {minutes[0]:.0f} and {minutes[1]:.0f} minutes" in text
    scene = result("double_slit/config.json")["picture"]
    assert f"packet of λ = {2 * math.pi / scene['momentum']:.2f} bohr" in text
    assert f"{scene['screen'] - scene['wall']:g} bohr behind slits {scene['slit']:g} wide" in text
    assert f"wide and {scene['separation']:g} apart" in text
    picture = found["picture"]
    theory, exact, student = (
        next(y for y in picture[f"fringes_of_{who}_bohr"] if 1 < y < 10)
        for who in ("theory", "solver", "student")
    )
    assert f"at {exact:.2f} bohr by the solver, {student:.2f} by the student" in text
    assert f"and {theory:.2f} by d sin θ = λ" in text
    assert f"error of {picture['nrmse_at_look']:.1e} at 8.8 a.u." in text


@pytest.mark.parametrize("page", PAGES)
def test_every_linked_file_is_there(page: str) -> None:
    links = [part.split(")")[0] for part in PAGES[page].split("](")[1:]]
    assert links
    for link in links:
        if not link.startswith("http"):
            assert ((ROOT / page).parent / link).exists(), link
