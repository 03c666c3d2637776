"""The study: students of single crossings and solvers on the same packets in Tully's models."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from experiments import runner
from experiments.corrections.study import summarise
from experiments.tully import passages as moving
from experiments.tully import readout, untaught
from experiments.tully import tully_nulls as nulls
from experiments.tully import tully_trainings as trainings
from experiments.tully.apart import Apart
from experiments.tully.passages import Model, Passages
from experiments.tully.tully_trainings import Training
from qdistill.insight.harness import Disturbed
from qdistill.runs import records
from qdistill.students import Emulator, Splitting

# Lengths in bohr by which the crossings of model 2 are moved apart, and the momenta there.
APART, AT_APART = tuple(np.linspace(0.0, 2.0, 11)), np.array([16.0, 30.0])
# Probability inside at the end below which a packet has left.
LEFT = 1e-3


@dataclasses.dataclass(frozen=True)
class Kept:
    """Results in files, so that a study goes on where it stopped."""

    place: pathlib.Path

    def get(self, name: str, make: Any, *args: Any) -> Any:
        """Return a result, from its file if there is one."""
        path = self.place / f"{name}.json"
        if not path.exists():
            self.place.mkdir(parents=True, exist_ok=True)
            records.write_json(path, runner.rounded(make(*args)))
        return json.loads(path.read_text())


@dataclasses.dataclass(frozen=True)
class Bench:
    """The packets of every model with their exact frames, made once.

    Attributes:
      momenta: Momenta of the packets, in 1/bohr.
      numbers: The models.
    """

    momenta: tuple[float, ...] = tuple(moving.MOMENTA)
    numbers: tuple[int, ...] = (1, 2, 3)

    def __post_init__(self) -> None:  # noqa: D105
        object.__setattr__(self, "_made", {})

    @property
    def models(self) -> dict[str, Model]:
        """The models by name."""
        return {f"model {number}": Model(number) for number in self.numbers}

    def of(self, model: Model, momenta: Any = None) -> tuple[Passages, Any]:
        """Return the packets of a model and their exact frames."""
        momenta = np.asarray(self.momenta if momenta is None else momenta)
        made: dict[Any, Any] = self._made  # type: ignore[attr-defined]
        key = (model, tuple(momenta))
        if key not in made:
            of = moving.passages(model, momenta)
            made[key] = of, moving.evolve(moving.exact(model), of.psi, of.v, of.longest)
        return made[key]


def truth(bench: Bench) -> dict[str, Any]:
    """Return the exact probabilities of every model, and the error of the converged solver."""
    found = {}
    for name, model in bench.models.items():
        of, frames = bench.of(model)
        seen = moving.observe(of, frames)
        finer = moving.exact(model, dt=moving.LONGEST / 2, tolerance=1e-7)
        again = moving.evolve(finer, of.psi, of.v, 2 * of.longest)
        sides = np.asarray(seen["probabilities"])[:, -1]
        found[name] = {
            "momentum": list(bench.momenta),
            "time": (np.asarray(of.longest) * moving.LONGEST * moving.N_SEGMENT).tolist(),
            **moving.by_channel(sides),
            "inside": np.asarray(seen["inside"])[:, -1].tolist(),
            "upper in time": np.asarray(seen["probabilities"])[..., 1, :].sum(-1).tolist(),
            "deviation of a finer solver": np.asarray(
                moving.deviation(again, frames)
            )[:, -1].tolist(),
        }  # fmt: skip
    return found


def emulator(made: Emulator, bench: Bench) -> dict[str, Any]:
    """Return the errors of an emulator on every model, and what it learned."""
    found: dict[str, Any] = {"dt": made.system.dt}
    waves, is_splitting = None, isinstance(made.student, Splitting)
    if is_splitting:
        found["learned"] = readout.measure(made)
        waves = None if isinstance(made.student, Apart) else readout.with_exact_waves(made)
    for name, model in bench.models.items():
        of, exact = bench.of(model)
        frames = frames_of(made.on(model.grid), model, of)
        found[name] = moving.compare(of, frames, exact, is_in_time=not is_splitting)
        if waves:
            of_kicks = moving.deviation(frames_of(waves.on(model.grid), model, of), exact)
            found[name]["with exact waves"] = np.asarray(of_kicks)[:, -1].tolist()
    return found


def frames_of(made: Emulator | Disturbed, model: Model, of: Passages) -> Any:
    """Return the frames of an emulator, or of a null model of one, in the box of a model."""
    dt = made.system.dt
    given = moving.given_to(made, moving.exact(model, dt), of)
    return moving.evolve(made, given, of.v, of.longest * round(moving.LONGEST / dt))


def without_teaching(name: str, made: Emulator | None, seed: int, bench: Bench) -> dict[str, Any]:
    """Return the errors of a null model on every model: a trivial forecast, or a disturbed step.

    Args:
      name: Name of a trivial forecast.
      made: The emulator that is matched, or None for a trivial forecast.
      seed: Random seed of the network.
      bench: The packets.
    """
    null = untaught.disturb(made, seed) if made else None
    found: dict[str, Any] = {}
    for each, model in bench.models.items():
        of, exact = bench.of(model)
        if null:
            frames = frames_of(untaught.on(null, model), model, of)
        else:
            frames = untaught.trivial(name, model, of)
        found[each] = moving.compare(of, frames, exact, is_in_time=True)
    return found


def apart(made: Emulator, bench: Bench) -> dict[str, Any]:
    """Return the probability of the upper state behind two crossings, by their distance."""
    rows = []
    for distance in APART:
        model = Model(2, float(distance))
        of, exact = bench.of(model, AT_APART)
        upper = [
            np.asarray(moving.observe(of, frames)["probabilities"])[:, -1, 1, 1].tolist()
            for frames in (exact, frames_of(made.on(model.grid), model, of))
        ]
        rows.append({"apart": float(distance), "exact": upper[0], "student": upper[1]})
    return {"momenta": AT_APART.tolist(), "rows": rows}


def run(
    place: pathlib.Path, plan: list[Training], bench: Bench, is_small: bool = False
) -> dict[str, Any]:
    """Train what is not trained, and return all results; both are kept in files of `place`."""
    is_unitary = all(each.student == "unitary" for each in plan)
    kept = Kept(place / ("measured" if is_unitary else f"measured-gru-{len(bench.momenta)}"))
    found: dict[str, Any] = {"truth": kept.get("truth", truth, bench), "students": {}, "apart": {}}
    nulls_of: dict[str, Any] = {}
    for each in plan:
        made = trainings.train(each, place, is_small)
        found["students"][each.name] = kept.get(each.name, emulator, made, bench)
        if each.dt != moving.SHORTEST or each.kind != "crossing":
            continue
        if is_unitary:
            found["apart"][each.name] = kept.get(f"apart-{each.name}", apart, made, bench)
        else:
            name = f"disturbed-{each.name}"
            nulls_of[name] = kept.get(name, without_teaching, name, made, each.seed, bench)
    if not is_unitary:
        for name in untaught.TRIVIAL:
            nulls_of[name] = kept.get(name, without_teaching, name, None, 0, bench)
        found["nulls"] = nulls_of
        return found | {"summary": summary(found)}
    frames = sorted({each.dt for each in plan})
    found["shelf"], found["equal cost"] = {}, {f"{dt:g}": {} for dt in frames}
    for name, model in bench.models.items():
        of = model, *bench.of(model)
        found["shelf"][name] = kept.get(f"shelf-{model.number}", nulls.scan, *of)
        for dt in frames:
            file = f"equal-{model.number}-dt{dt:g}"
            found["equal cost"][f"{dt:g}"][name] = kept.get(file, nulls.best_of_cost, *of, dt)
    return found | {"summary": summary(found)}


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Return medians over momenta, with intervals over trainings, next to the solvers.

    `pairs needed` is the lowest number of FFT pairs in 10 a.u. with which a solver of the shelf
    has the student's median error.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, row in (found["students"] | found.get("nulls", {})).items():
        groups.setdefault(name.rsplit("-seed", 1)[0], []).append(row)
    result: dict[str, Any] = {}
    for group, rows in groups.items():
        for model in found["truth"]:
            left = np.asarray(found["truth"][model]["inside"]) < LEFT
            medians = [float(np.median(row[model]["final"])) for row in rows]
            wrong = [float(np.max(np.asarray(row[model]["probability"])[left])) for row in rows]
            middle = [float(np.median(row[model]["probability"])) for row in rows]
            result[f"{group}, {model}"] = of = {
                "error": summarise(medians),
                "largest error of probabilities": summarise(wrong),
                "median error of probabilities": summarise(middle),
                "n left": int(left.sum()),
            }
            if "nulls" in found:
                for key, words in (("populations", "populations in time"), ("scaled", "shares")):
                    each = [float(np.median(row[model][key])) for row in rows]
                    of[f"median error of {words}"] = summarise(each)
                continue
            equal = found["equal cost"][f"{rows[0]['dt']:g}"][model]
            result[f"{group}, {model}"] = of | {
                "pairs in 10 a.u.": 20 / rows[0]["dt"],
                "error with exact waves": summarise(
                    [float(np.median(row[model].get("with exact waves", [0]))) for row in rows]
                ),
                **{name: of["median"] for name, of in equal.items()},
                "pairs needed": needed(found["shelf"][model], float(np.mean(medians))),
            }
    return result


def needed(rows: list[dict[str, Any]], error: float) -> dict[str, Any] | None:
    """Return the cheapest solver of the shelf whose median error is not above an error."""
    enough = [row for row in rows if np.median(row["final"]) <= error]
    if not enough:
        return None
    best = min(enough, key=lambda row: row["pairs in 10 a.u."])
    return {name: best[name] for name in ("scheme", "h", "pairs in 10 a.u.")}


def table(found: dict[str, Any]) -> str:
    """Return the summary as text."""
    if "nulls" in found:
        return "\n".join(
            f"{name:40}" + "".join(f"{row[each]['mean']:10.1e}" for each in row if each != "n left")
            for name, row in found["summary"].items()
        )
    head = f"{'':28}{'student':>10}{'Strang':>10}{'best':>10}{'max dP':>10}  pairs needed"
    lines = [head]
    for name, row in found["summary"].items():
        cells = row["error"]["mean"], row["strang"], row["best"]
        words = "".join(f"{each:10.1e}" for each in cells)
        most = row["largest error of probabilities"]["mean"]
        need = row["pairs needed"]
        cost = f"{need['pairs in 10 a.u.']:g} ({need['scheme']})" if need else "more"
        lines.append(f"{name:28}{words}{most:10.1e}  {cost}, student {row['pairs in 10 a.u.']:g}")
    return "\n".join(lines)
