"""Read what splittings learned at sharp edges: `experiments/corrections/sharp_edges.py RUN ...`."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import emulators, runner
from experiments.corrections import (
    filter_optimum,
    filters,
    fits,
    replacements,
    splittings,
    study,
)
from experiments.corrections.bench import Bench, Sizes
from experiments.corrections.filters import Filters
from experiments.corrections.replacements import Edges
from experiments.corrections.splittings import Splitting
from qdistill.forecast.cases import Cases
from qdistill.physics.families import SHARP
from qdistill.plots import style
from qdistill.plots.style import BLUE, GREY, GRID, INK, ORANGE, SLATE
from qdistill.students import Emulator

# Heights in hartree at which the response is linear, and at which it is replaced by filters.
LOW, HIGH = 1.0, 6.0
# Wave numbers in 1/bohr of tables, and between which learned shares are compared with theory.
Q, RANGE = (1.0, 2.0, 4.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 14.0, 16.0, 20.0), (7.0, 12.0)
# Twice the largest |k| of the lessons: the largest q of elastic scattering.
ELASTIC = 10.0
# The ensemble of potentials to which the coefficient of (V')^2 is fitted.
FITTED = "medium"
VERSIONS = {
    "as learned": "as learned",
    "zero": "zero",
    "formula": "c (dV/dx)²",
    "filter of V": "filter\nof V",
    "both filters": "filters of\nV, (dV/dx)²",
}


@dataclasses.dataclass(frozen=True)
class Args:
    """Compare the response of splittings to edges with first-order perturbation theory."""

    runs: tyro.conf.Positional[tuple[str, ...]]
    """Packaged names, files or folders of runs of two or more FFT pairs; seeds are one ensemble."""
    n_case: int = 40
    """Number of held-out potentials."""
    n_optimum: int = 24
    """Number of rectangular potentials on which filters are optimised."""
    frames: int = 100
    """Frames of a forecast."""
    untrained: int = 20
    """Number of untrained networks in the place of the first emulator's."""
    out: pathlib.Path = pathlib.Path("runs/sharp_edges")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, n_case=10, n_optimum=2, frames=10, untrained=2)


def measure(args: Args) -> runner.Results:
    """Read the filters of every emulator, and forecast with them in its network's place."""
    ensembles = emulators.load_ensembles(args.runs)
    first = next(iter(ensembles.values()))[0]
    sizes = Sizes(n_optimum=args.n_optimum, n_case=args.n_case, n_frames=args.frames)
    bench = Bench(sizes, args.out)
    rows = {
        name: summarise([of_splitting(splittings.of_emulator(each), bench) for each in members])
        for name, members in ensembles.items()
    }
    found = {
        "q_per_bohr": list(Q),
        "range_per_bohr": list(RANGE),
        "heights_hartree": [LOW, HIGH],
        "emulators": rows,
        "optimum": of_optimum(splittings.of_emulator(first), bench),
        "second order": of_theory(splittings.of_emulator(first)),
        "untrained": of_untrained(first, args.untrained, bench),
    }
    return runner.Results(found, table(found), {"sharp_edges": plot(found)})


def of_splitting(splitting: Splitting, bench: Bench) -> dict[str, Any]:
    """Return the learned shares, those of perturbation theory, and errors with filters."""
    box, truth = study.box_of(splitting.system), bench.cases(splitting.system)
    fitted = fits.fit(splitting, box, bench.potentials(box, FITTED))["kicks"]
    zero = np.zeros(len(splitting.shares))
    read = filters.read(splitting, HIGH)
    versions = {
        "as learned": splitting,
        "zero": splitting.replaced(zero, zero),
        "formula": splitting.replaced([kick["gradient"] for kick in fitted], zero),
        "filter of V": filters.filtered(splitting, read, with_gradients=False),
        "both filters": filters.filtered(splitting, read),
    }
    errors = {
        name: replacements.by_kind(replacements.errors(each, truth), truth)
        for name, each in versions.items()
    }
    learned, theory = filters.read(splitting, LOW), filters.perturbation_theory(splitting)
    return {
        "share": float(splitting.shares[0]),
        "learned": _end_and_total(learned),
        "theory": _end_and_total(theory),
        "gradients": read.at(np.array(Q)).gradients.sum(axis=0).tolist(),
        "distance": distance(learned, theory),
        "distance_of_equal_shares": distance(_flat(splitting), theory),
        "residual": residual(splitting, truth),
        "errors": errors,
    }


def of_optimum(splitting: Splitting, bench: Bench) -> dict[str, Any]:
    """Return the best filters for the kinetic phases of a splitting, and their errors."""
    best = filter_optimum.find(splitting, bench.problem(splitting.system, Edges(0.0)))
    truth = bench.cases(splitting.system)
    made = filters.filtered(splitting, best)
    return {
        "filters": _end_and_total(best),
        "gradients": best.at(np.array(Q)).gradients.sum(axis=0).tolist(),
        "errors": replacements.by_kind(replacements.errors(made, truth), truth),
    }


def of_theory(splitting: Splitting) -> list[float]:
    """Return the filter of (V')^2 of second-order perturbation theory, in the sum of the kicks."""
    shares = filters.perturbation_theory(splitting)
    found = filters.second_order(splitting, shares, filters.make_barrier())
    return found.at(np.array(Q)).gradients.sum(axis=0).tolist()


def of_untrained(made: Emulator, n: int, bench: Bench) -> dict[str, list[float]]:
    """Return distance from theory and residual of untrained networks in an emulator's place."""
    student, truth = splittings.student_of(made), bench.cases(made.system)
    init = jax.jit(student.init)
    found: dict[str, list[float]] = {"distance": [], "residual": []}
    for seed in range(n):
        key = jax.random.key(seed)
        drawn = splittings.untrained(student, made.params, init(key), key)
        theory = filters.perturbation_theory(drawn)
        found["distance"].append(distance(filters.read(drawn, LOW), theory))
        found["residual"].append(residual(drawn, truth))
    return found


def residual(splitting: Splitting, truth: Cases) -> float:
    """Return the part of the local phases at sharp edges that both filters leave, relative rms."""
    is_sharp = np.array([family in SHARP for family in truth.family])
    v, grid = np.asarray(truth.v, float)[is_sharp], splitting.system.grid
    whole = splitting.local(grid, v)
    rest = whole - filters.filtered(splitting, filters.read(splitting, HIGH)).local(grid, v)
    return float(np.sqrt(np.mean(rest**2) / np.mean(whole**2)))


def distance(one: Filters, other: Filters) -> float:
    """Return the root mean square difference of the end shares, over the range of q."""
    q = other.q[(other.q >= RANGE[0]) & (other.q <= RANGE[1])]
    ends = [each.at(q).shares[0] for each in (one, other)]
    return float(np.sqrt(np.mean((ends[0] - ends[1]) ** 2)))


def _flat(splitting: Splitting) -> Filters:
    """The filters without local phases."""
    shares = np.repeat(splitting.shares[:, None], 2, axis=1)
    return Filters(np.array([0.0, 100.0]), shares, np.zeros_like(shares))


def _end_and_total(of: Filters) -> dict[str, list[float]]:
    shares = of.at(np.array(Q)).shares
    return {"end": shares[0].tolist(), "total": shares.sum(axis=0).tolist()}


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the rows of all trainings, and means with 95% t intervals."""
    found: dict[str, Any] = {"trainings": list(rows)}
    for kind in ("learned", "theory"):
        of_q = np.array([row[kind]["end"] for row in rows])
        found[kind] = [study.summarise(column) for column in of_q.T]
    found["distance"] = study.summarise(row["distance"] for row in rows)
    found["residual"] = study.summarise(row["residual"] for row in rows)
    found["distance_of_equal_shares"] = study.summarise(
        row["distance_of_equal_shares"] for row in rows
    )
    for kind in ("smooth", "sharp"):
        medians = {
            name: np.array([row["errors"][name][kind]["median"] for row in rows])
            for name in VERSIONS
        }
        found[kind] = {name: float(np.exp(np.log(each).mean())) for name, each in medians.items()}
    return found


def table(found: Mapping[str, Any]) -> str:
    """Return the shares of the end kicks and the errors as text."""
    lines = ["share of the end kicks by q, learned / first-order perturbation theory"]
    lines += [f"{'':24}" + "".join(f"{q:14g}" for q in Q)]
    for name, row in found["emulators"].items():
        pairs = zip(row["learned"], row["theory"], strict=True)
        cells = [f"{one['mean']:.3f} / {other['mean']:.3f}" for one, other in pairs]
        lines.append(f"{name:24}" + "".join(f"{cell:>14}" for cell in cells))
    for kind in ("sharp", "smooth"):
        lines += ["", f"relative L2 error, {kind} potentials"]
        lines += [f"{'':24}" + "".join(f"{name:>14}" for name in VERSIONS)]
        for name, row in found["emulators"].items():
            lines.append(f"{name:24}" + "".join(f"{row[kind][key]:14.1e}" for key in VERSIONS))
    return "\n".join(lines)


@style.styled
def plot(found: Mapping[str, Any]) -> Figure:
    """Draw the filters of the first emulator's trainings, and the errors of all emulators."""
    figure = Figure(figsize=(11, 7.6), layout="constrained")
    of = figure.subplot_mosaic([["shares", "gradients"], ["errors", "errors"]])
    name, row = next(iter(found["emulators"].items()))
    _draw_shares(of["shares"], row, found["optimum"])
    _draw_gradients(of["gradients"], row, found)
    ax = of["gradients"]
    lines = [
        *ax.plot([], [], color=BLUE, label=f"{name}, each training"),
        *ax.plot([], [], "o--", color=ORANGE, label="perturbation theory"),
        *ax.plot([], [], "s:", color=INK, label="least squares, no network"),
        *ax.plot([], [], color=GREY, label="local phases zero"),
    ]
    figure.legend(handles=lines, loc="outside upper center", ncols=2)
    _draw_errors(of["errors"], found["emulators"])
    return figure


def _draw_shares(ax: Axes, row: Mapping[str, Any], optimum: Mapping[str, Any]) -> None:
    for each in row["trainings"]:
        ax.plot(Q, each["learned"]["end"], color=BLUE, lw=1, alpha=0.7)
    ax.plot(Q, [each["mean"] for each in row["theory"]], "o--", color=ORANGE, lw=2)
    ax.plot(Q, optimum["filters"]["end"], "s:", color=INK, lw=1.5, ms=5)
    ax.axhline(np.mean([each["share"] for each in row["trainings"]]), color=GREY, lw=1.5)
    ax.set(ylim=(0, 0.38), ylabel="share of each end kick, c₀(q)", title="filter of V")
    _finish(ax)


def _draw_gradients(ax: Axes, row: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    for each in row["trainings"]:
        ax.plot(Q, each["gradients"], color=BLUE, lw=1, alpha=0.7)
    n = np.count_nonzero(np.array(Q) <= ELASTIC)
    ax.plot(Q[:n], found["second order"][:n], "o--", color=ORANGE, lw=2)
    ax.plot(Q, found["optimum"]["gradients"], "s:", color=INK, lw=1.5, ms=5)
    ax.axhline(-1, color=GREY, lw=1.5)
    ax.annotate("Takahashi-Imada", (1, -1.2), fontsize=11, color=SLATE)
    ax.set(ylim=(-1.6, 1.0), ylabel="coefficient of (dV/dx)², h²/24", title="filter of (dV/dx)²")
    _finish(ax)


def _finish(ax: Axes) -> None:
    ax.axvline(ELASTIC, color=GREY, lw=1, ls=":")
    ax.set(xlabel="wave number q of the potential, bohr⁻¹")
    ax.grid(color=GRID)
    ax.set_axisbelow(True)


def _draw_errors(ax: Axes, rows: Mapping[str, Any]) -> None:
    colours = (BLUE, ORANGE, INK, GREY)
    for i, (name, row) in enumerate(rows.items()):
        shift = 0.12 * (i - (len(rows) - 1) / 2)
        for j, version in enumerate(VERSIONS):
            each = [of["errors"][version]["sharp"]["median"] for of in row["trainings"]]
            places = np.full(len(each), j + shift)
            label = name if j == 0 else None
            ax.semilogy(places, each, "o", ms=6, color=colours[i % 4], alpha=0.7, label=label)
    ax.set_xticks(range(len(VERSIONS)), list(VERSIONS.values()))
    ax.set(ylabel="relative L2 error", title="sharp held-out potentials, local network replaced")
    ax.legend(fontsize=11, loc="upper left")
    ax.grid(axis="y", color=GRID)
    ax.set_axisbelow(True)


if __name__ == "__main__":
    runner.main(measure, Args, smoke)
