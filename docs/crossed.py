"""The tables of the page on channels."""

import math
import statistics
from typing import Any

import scipy.special
from pages import RESULTS, Number, table

MODELS = ("model 1", "model 2", "model 3")


def _summary() -> Any:
    return RESULTS()["tully"].metrics.summary


def _with_range(row: Any) -> str:
    """A mean, with the 95% interval over trainings if there are several."""
    if row.n < 2:
        return f"{row.mean:.1e}"
    return f"{row.mean:.1e} ({Number(max(row.low, 0)):.1e} to {row.high:.1e})"


def errors() -> str:
    """Tabulate errors at frames of 10 a.u.: students, and solvers of the same cost."""
    rows = []
    for model in MODELS:
        row = _summary()[f"crossing-dt10, {model}"]
        need = row["pairs needed"]
        rows.append([
            model,
            _with_range(row.error),
            f"{row['error with exact waves'].mean:.1e}",
            *(f"{row[name]:.1e}" for name in ("strang", "takahashi-imada", "best")),
            f"{need['pairs in 10 a.u.']:g} ({need['scheme']})",
            _with_range(row["largest error of probabilities"]),
            f"{row['n left']:.0f}",
        ])  # fmt: skip
    head = (
        "", "students", "with exact waves", "Strang, 2 pairs", "Takahashi-Imada, 2 pairs",
        "best of 2 pairs",
        "pairs that a solver needs", "students: largest error of a probability", "packets",
    )  # fmt: skip
    return table(head, rows)


def in_short() -> str:
    """Return the errors of students in the three models, next to Strang's."""
    rows = [_summary()[f"crossing-dt10, {model}"] for model in MODELS]
    own, strang = (
        ", ".join(f"{each:.1e}" for each in of)
        for of in ([row.error.mean for row in rows], [row["strang"] for row in rows])
    )
    return f"{own} (Strang's splitting: {strang})"


def controls() -> str:
    """Tabulate students of crossings next to those of placebos, and the untrained form."""
    students = RESULTS()["tully"].metrics.students
    rows = []
    for model in MODELS:
        taught, placebo = (
            [students[f"{kind}-dt10-seed{seed}"][model] for seed in range(n_seeds())]
            for kind in ("crossing", "placebo")
        )
        untrained = students["untrained-dt10-seed0"][model]
        cells = [model]
        for name in ("final", "with exact waves"):
            first, second = (
                [statistics.median(row[name]) for row in rows] for rows in (taught, placebo)
            )
            means = (Number(statistics.mean(each)) for each in (first, second))
            cells += [f"{mean:.1e}" for mean in means]
            cells.append(_ratio(first, second))
        rows.append([*cells, f"{Number(statistics.median(untrained['final'])):.1e}"])
    head = (
        "", "taught crossings", "taught placebos", "ratio (95%)", "crossings, exact waves",
        "placebos, exact waves", "ratio (95%)", "untrained, exact waves",
    )  # fmt: skip
    return table(head, rows)


def _ratio(first: list[float], second: list[float]) -> str:
    """The geometric mean of paired ratios, with its 95% t interval."""
    logs = [math.log(a / b) for a, b in zip(first, second, strict=True)]
    half = scipy.special.stdtrit(len(logs) - 1, 0.975) * statistics.stdev(logs)
    half /= math.sqrt(len(logs))
    middle = statistics.mean(logs)
    low, mean, high = (math.exp(middle + shift) for shift in (-half, 0.0, half))
    return f"{mean:.2f} ({low:.2f} to {high:.2f})"


def all_probabilities() -> str:
    """Return the largest error of a probability in model 3, over all packets and students."""
    rows = _of_students("model 3")
    return f"{Number(max(max(row.probability) for row in rows)):.1e}"


def met() -> dict[int, str]:
    """Tell how many trainings err by at most 0.002 in model 2, packets that have left, by frame."""
    metrics = RESULTS()["tully"].metrics
    left = [i for i, share in enumerate(metrics.truth["model 2"].inside) if share < 1e-3]
    found = {}
    for dt in (10, 20):
        rows = [
            row["model 2"]
            for name, row in metrics.students.items()
            if name.startswith(f"crossing-dt{dt}-")
        ]
        n = sum(max(row.probability[i] for i in left) <= 0.002 for row in rows)
        found[dt] = f"{n} of the {len(rows)}"
    return found


def lowest_and_highest() -> str:
    """Return the range over trainings of the median error in model 3."""
    medians = [statistics.median(row.final) for row in _of_students("model 3")]
    return f"{Number(min(medians)):.1e} to {Number(max(medians)):.1e}"


def strong() -> str:
    """Return errors in model 3 with strong couplings taught over those without, by seed."""
    students = RESULTS()["tully"].metrics.students
    seeds = [name[-1] for name, _ in students.items() if name.startswith("strong-dt10-")]
    first, second = (
        [statistics.median(students[f"{kind}-dt10-seed{seed}"]["model 3"].final) for seed in seeds]
        for kind in ("strong", "crossing")
    )
    return _ratio(first, second)


def scratch() -> str:
    """Return the errors of trainings of frames of 40 a.u. from scratch."""
    of = [_summary()[f"scratch-dt40, {model}"].error for model in MODELS]
    low, high = min(each.mean for each in of), max(each.mean for each in of)
    return f"{of[0].n:.0f} trainings end with mean errors of {low:.1f} to {high:.1f} in the models"


def lost() -> str:
    """Return how many packets of model 3 have mean errors above 0.1."""
    rows = _of_students("model 3")
    n = len(list(rows[0].final))
    means = [statistics.mean(row.final[i] for row in rows) for i in range(n)]
    return f"{sum(mean > 0.1 for mean in means)} of {n}"


def _of_students(model: str) -> list[Any]:
    students = RESULTS()["tully"].metrics.students
    return [row[model] for name, row in students.items() if name.startswith("crossing-dt10-")]


def long_frames() -> str:
    """Tabulate median errors over frames of 10 to 80 a.u."""
    rows = []
    for dt in (10, 20, 40, 80):
        for model in MODELS:
            row = _summary()[f"crossing-dt{dt}, {model}"]
            need = row["pairs needed"]
            cost = f"{need['pairs in 10 a.u.']:g} ({need['scheme']})" if _is(need) else "above 4"
            rows.append([
                f"{dt} a.u.", model, _with_range(row.error),
                f"{row['error with exact waves'].mean:.1e}",
                *(f"{row[name]:.1e}" for name in ("strang", "takahashi-imada", "best")),
                f"{row['pairs in 10 a.u.']:g}", cost,
            ])  # fmt: skip
    head = (
        "frame", "", "student", "with exact waves", "Strang", "Takahashi-Imada", "best of 2 pairs",
        "its pairs in 10 a.u.", "a solver's",
    )  # fmt: skip
    return table(head, rows)


def _is(need: Any) -> bool:
    return not isinstance(need, float)


def learned() -> str:
    """Tabulate what was read out of the trainings of each kind: means, and ranges over seeds."""
    groups: dict[str, list[Any]] = {}
    for name, row in RESULTS()["tully"].metrics.students.items():
        groups.setdefault(name.rsplit("-seed", 1)[0], []).append(row.learned)
    rows = []
    for group, each in groups.items():
        for which in dict(each[0].masses.items()):
            is_first = which in ("both", "first")
            masses = [mass for of in each for mass in of.masses[which]]
            kicks = (_spread([of.kicks[name] for of in each], digits) for name, digits in KICKS)
            rows.append([
                f"{_plain(group)}, {len(each)}" if is_first else "",
                which, _masses(masses),
                *(kicks if is_first else [""] * len(KICKS)),
            ])  # fmt: skip
    at = next(iter(groups.values()))[0]["at"]
    head = (
        "lessons, frame, trainings", "channel",
        f"mass, at k from {min(at):g} to {max(at):g}, range", "end share",
        "(V′)² in h²/24m", "β − α", "added to V, hartree",
    )  # fmt: skip
    return table(head, rows)


def _masses(masses: list[Any]) -> str:
    """The range of masses, if they are near each other at all."""
    is_found = max(masses) - min(masses) < 0.1 * max(map(abs, masses))
    return f"{min(masses):.0f} to {max(masses):.0f}" if is_found else "not found"


KICKS = (("end share", ".3f"), ("square of slope", ".1f"), ("invariant", ".1f"), ("size", ".0e"))


def _plain(group: str) -> str:
    kind, dt = group.rsplit("-dt", 1)
    return f"{PLAIN.get(kind, kind)}, {dt} a.u."


PLAIN = {
    "crossing": "crossings",
    "placebo": "placebos",
    "untrained": "untrained, exact waves",
    "strong": "crossings and strong couplings",
    "apart": "crossings, own waves and strengths",
    "scratch": "crossings, from scratch",
}


def _spread(values: list[Any], digits: str) -> str:
    """The mean, with the range over trainings if there are several."""
    mean, low, high = (format(Number(f(values)), digits) for f in (statistics.mean, min, max))
    return f"{mean} ({low} to {high})" if len(values) > 1 else mean


def strengths() -> str:
    """Return by how much learned strengths of V differ from 1 at most; four digits are kept."""
    students = RESULTS()["tully"].metrics.students
    every = [
        abs(row.learned.strengths[name] - 1)
        for training, row in students.items()
        if training.startswith("apart-")
        for name in ("first", "second", "coupling")
    ]
    return f"{Number(max(every)):.0e}"


def populations() -> str:
    """Return the errors of the populations in time: means over trainings of medians."""
    found = []
    for model in MODELS:
        medians = [statistics.median(row.populations) for row in _of_students(model)]
        found.append(f"{Number(statistics.mean(medians)):.1e}")
    return ", ".join(found)


def n_seeds() -> int:
    """Return the number of trainings at frames of 10 a.u."""
    return int(_summary()["crossing-dt10, model 1"].error.n)


def resonance() -> str:
    """Return the largest error in time of the packets of model 2 that have not left."""
    metrics = RESULTS()["tully"].metrics
    caught = [i for i, share in enumerate(metrics.truth["model 2"].inside) if share >= 1e-3]
    rows = [row for name, row in metrics.students.items() if name.startswith("crossing-dt10-")]
    worst = max(max(row["model 2"].error[i]) for row in rows for i in caught)
    return f"{Number(worst):.1e} in {len(caught)} packets"


def fast_waves() -> str:
    """Return the errors of model 3 above 28 per bohr, learned and with exact waves."""
    metrics = RESULTS()["tully"].metrics
    fast = [i for i, k in enumerate(metrics.truth["model 3"].momentum) if k > 28]
    rows = [row["model 3"] for n, row in metrics.students.items() if n.startswith("crossing-dt10-")]
    means = [
        Number(sum(row[name][i] for row in rows for i in fast) / len(rows) / len(fast))
        for name in ("final", "with exact waves")
    ]
    return f"{means[0]:.1e}, with exact waves {means[1]:.1e}"


def _apart() -> list[tuple[float, float]]:
    """Exact and forecast probabilities of the upper state, over distances, momenta and seeds."""
    return [
        pair
        for _, of in RESULTS()["tully"].metrics.apart.items()
        for row in of.rows
        for pair in zip(row.exact, row.student, strict=True)
    ]


def stueckelberg() -> str:
    """Return the largest error of a probability where crossings are moved apart."""
    return f"{Number(max(abs(exact - made) for exact, made in _apart())):.1e}"


def stueckelberg_range() -> str:
    """Return by how much the exact probability varies with the distance, at most."""
    exact = [pair[0] for pair in _apart()]
    return f"{max(exact) - min(exact):.2f}"


# Groups of the study of the GRU. Above this relative L2 error a forecast has diverged.
GROUPS = {
    "gru-crossing-dt10": "taught crossings",
    "gru-placebo-dt10": "taught placebos",
    "disturbed-gru-crossing-dt10": "null of matched error",
    "without coupling": "without coupling",
    "adiabatic": "adiabatic",
    "free": "free",
}
DIVERGED = 10.0


def gru() -> str:
    """Tabulate the paper's network next to its null models, over all packets and trainings."""
    rows = []
    for model in MODELS:
        of = {group: _passages(group, model) for group in GROUPS}
        for i, (words, say) in enumerate(SAID.items()):
            rows.append(["" if i else model, words, *(say(each) for each in of.values())])
    return table(("", "", *GROUPS.values()), rows)


def _passages(group: str, model: str) -> list[tuple[float, float]]:
    """The error and the error of scaled probabilities of every packet and training of a group."""
    found = RESULTS()["tully-gru"].metrics
    members = {**dict(found.students.items()), **dict(found.nulls.items())}
    return [
        pair
        for name, row in members.items()
        if name.rsplit("-seed", 1)[0] == group
        for pair in zip(row[model].final, row[model].scaled, strict=True)
    ]


def _count(each: list[tuple[float, float]]) -> str:
    return f"{sum(error > DIVERGED for error, _ in each)} of {len(each)}"


def _middle(each: list[tuple[float, float]]) -> str:
    middle = statistics.median(error for error, _ in each)
    return "diverged" if middle > DIVERGED else f"{Number(middle):.1e}"


def _scaled(each: list[tuple[float, float]]) -> str:
    left = [scaled for error, scaled in each if error <= DIVERGED]
    return f"{Number(statistics.median(left)):.1e}" if left else ""


SAID = {
    "diverged": _count,
    "relative L2 error, median": _middle,
    "error of probabilities scaled to a sum of one, median of the others": _scaled,
}


def gru_pairs() -> str:
    """Tell how many forecasts of each model diverge, seed by seed: crossings against placebos."""
    students = RESULTS()["tully-gru"].metrics.students
    counts = {
        (name.split("-")[1], name.rsplit("seed", 1)[1], model): sum(
            error > DIVERGED for error in row[model].final
        )
        for name, row in students.items()
        for model in MODELS
    }
    seeds = sorted({seed for _, seed, _ in counts})
    return "; ".join(
        f"{model}: "
        + ", ".join(
            f"{counts['crossing', seed, model]} against {counts['placebo', seed, model]}"
            for seed in seeds
        )
        for model in MODELS
    )
