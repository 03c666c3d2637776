"""The audit of a panel: verdicts from violations."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from qdistill._checks import refuse, require_at_least, require_one_of, require_record, require_seed
from qdistill._refusals import explained
from qdistill.insight import harness
from qdistill.insight.harness import Ensembles, Interval, Report
from qdistill.insight.symmetries.cases import sample_cases
from qdistill.insight.symmetries.claims import Symmetry
from qdistill.insight.symmetries.table import make_symmetries
from qdistill.insight.symmetries.violations import Findings, Violation, measure_all

# The form of what the table shows.
INTERVAL = dict.fromkeys(Interval._fields, float)
MEASURED = ("violation", "teacher_violation", "rho", "control_violation")
ROW = dict.fromkeys(MEASURED, INTERVAL) | {"verdict": str, "control_fires": bool}
NUMBERS = dict.fromkeys(("n_cases", "seed", "n_frames"), int) | {
    "rounding": float,
    "roles": {str: str},
    "findings": {str: {str: {str: ROW}}},
}


@explained
@dataclasses.dataclass(frozen=True)
class SymmetryReport(Report):
    """The report of an audit of emulators, null models and the exact solver.

    Its numbers are the settings; the `roles` by name; the claims as text under `formulas` and
    `controls`; and under `findings`, by name and kind of case, the result of `summarise`. What an
    emulator keeps has `evidence` too: the result of `harness.decide` over all such comparisons.
    """


@explained
def evaluate(
    emulators: Ensembles,
    seed: int = 0,
    n_case: int = 24,
    n_frames: int = 40,
    nulls: Ensembles | None = None,
    symmetries: dict[str, Symmetry] | None = None,
    lessons: tuple[str, ...] = (),
) -> SymmetryReport:
    """Audit emulators, null models and the exact solver for every symmetry.

    Args:
      emulators: Propagators by name, one or one for each seed of a training.
      seed: Random seed of the cases and of the bootstrap.
      n_case: Number of cases of each kind, at least 2.
      n_frames: Frames of a forecast, at least 2.
      nulls: Null models by name: non-learned propagators of about the same error.
      symmetries: Symmetries by name; by default those of `make_symmetries`.
      lessons: Lessons from which the cases are drawn; see `sample_cases`.

    Raises:
      ValueError: If `harness.make_panel` or `sample_cases` raises it.
    """
    require_seed(seed=seed)
    require_at_least(2, n_case=n_case, n_frames=n_frames)
    panel = harness.make_panel(emulators, nulls)
    if symmetries is None:
        symmetries = make_symmetries(panel.system.grid)
    exact, cases = sample_cases(
        jax.random.key(seed),
        panel.system,
        n_case,
        panel.n_history,
        n_frames,
        symmetries,
        lessons,
    )
    panel = panel.with_controls(exact)
    noise = harness.rounding(n_frames, next(iter(cases.values())).given.real.dtype)
    found = {
        name: {
            kind: [
                measure_all(each, exact, of_kind, symmetries, member.is_differentiable)
                for each in member.seeds
            ]
            for kind, of_kind in cases.items()
        }
        for name, member in panel.members.items()
    }
    findings = {
        name: {kind: summarise(seeds, noise, seed) for kind, seeds in kinds.items()}
        for name, kinds in found.items()
    }
    _add_evidence(findings, found, panel.roles, noise)
    numbers = {
        "seed": seed,
        "n_cases": n_case,
        "n_frames": n_frames,
        "dt_au": panel.system.dt,
        "rounding": noise,
        "roles": panel.roles,
        "formulas": {name: each.formula for name, each in symmetries.items()},
        "controls": {name: each.control_formula for name, each in symmetries.items()},
        "findings": findings,
    }
    return SymmetryReport(numbers, make_table(numbers))


def _add_evidence(
    findings: dict[str, dict[str, dict[str, Any]]],
    found: Mapping[str, Mapping[str, Sequence[Mapping[str, Findings]]]],
    roles: Mapping[str, str],
    rounding: float,
) -> None:
    """Add to what an emulator keeps, by rho, whether it keeps it better than null models.

    Errors are matched on the same cases and frames, in the bound to which rho relates.
    """

    def of(name: str, kind: str, symmetry: str) -> tuple[np.ndarray, np.ndarray]:
        claims = [each[symmetry].claim for each in found[name][kind]]
        ratios, errors = zip(*((_rho(each, rounding), each.errors) for each in claims), strict=True)
        return np.stack(ratios), np.asarray(errors, float)

    weighed = {}
    for name, kinds in findings.items():
        for kind, rows in kinds.items():
            for symmetry, row in rows.items():
                is_kept = row["verdict"] in harness.KEPT_VERDICTS and row["control_fires"]
                if roles[name] == "emulator" and is_kept:
                    nulls = {
                        null: of(null, kind, symmetry)
                        for null, role in roles.items()
                        if role == "null"
                    }
                    weighed[name, kind, symmetry] = harness.weigh(*of(name, kind, symmetry), nulls)
    for (name, kind, symmetry), evidence in harness.decide(weighed).items():
        findings[name][kind][symmetry]["evidence"] = evidence._asdict()


@explained
def summarise(
    seeds: Sequence[Mapping[str, Findings]], rounding: float, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Return medians, intervals and verdicts of each symmetry, over seeds and cases.

    Args:
      seeds: Findings of each seed of one training, on the same cases.
      rounding: The result of `harness.rounding`.
      seed: Random seed of the bootstrap.

    Returns:
      For each symmetry: `violation`, `teacher_violation`, `rho`, `control_violation`, each with
      median, low and high; `verdict`, `control_fires`; for continuous symmetries
      `lie_derivative` and `teacher_lie_derivative`; and under `cases` the ratios rho and the errors
      of each seed and case.

    Raises:
      ValueError: If `seeds` is empty.
    """
    if not seeds:
        refuse("seeds", "findings of at least one", seeds)
    return {
        name: _summarise([findings[name] for findings in seeds], rounding, seed)
        for name in seeds[0]
    }


def _summarise(seeds: Sequence[Findings], rounding: float, seed: int) -> dict[str, Any]:
    def interval(of: Sequence[Any]) -> Interval:
        return harness.bootstrap(np.stack([np.asarray(each, float) for each in of]), seed)

    own, exact, excess = (
        interval([getattr(each.claim, name) for each in seeds])
        for name in ("own", "exact", "excess")
    )
    control = interval([each.control.own for each in seeds])
    rho = interval([_rho(each.claim, rounding) for each in seeds])
    summary = {
        "verdict": harness.verdict(own, exact, excess, rho, rounding),
        "violation": own._asdict(),
        "teacher_violation": exact._asdict(),
        "rho": rho._asdict(),
        "control_violation": control._asdict(),
        "control_fires": harness.fires(control, own, rounding),
        "cases": {
            "rho": [_rho(each.claim, rounding).tolist() for each in seeds],
            "errors": [np.asarray(each.claim.errors, float).tolist() for each in seeds],
        },
    }
    lies = [each.lie for each in seeds if each.lie is not None]
    if lies:
        summary["lie_derivative"] = interval([lie[0] for lie in lies])._asdict()
        summary["teacher_lie_derivative"] = interval([lie[1] for lie in lies])._asdict()
    return summary


def _rho(violation: Violation, rounding: float) -> np.ndarray:
    """The ratio rho; NaN where the errors are rounding only."""
    errors = np.asarray(violation.errors, float)
    return np.where(errors > rounding, np.asarray(violation.rho, float), np.nan)


@explained
def make_table(numbers: Mapping[str, Any]) -> str:
    """Return a text table of violations, rho and verdicts by name, kind of case and symmetry."""
    require_record(NUMBERS, numbers=numbers)
    for name in numbers["findings"]:
        require_one_of(numbers["roles"], findings=name)
    title = (
        f"{numbers['n_cases']} cases of each kind (seed {numbers['seed']}), "
        f"{numbers['n_frames']} frames: medians. Rounding makes up to {numbers['rounding']:.0e}."
    )
    columns = ("violation", "teacher", "Lie", "control", "rho (95%)", "verdict", "evidence")
    sections = {
        f"{harness.in_words(numbers['roles'][name], name)}, {kind}": {
            symmetry: _cells(row) for symmetry, row in summary.items()
        }
        for name, kinds in numbers["findings"].items()
        for kind, summary in kinds.items()
    }
    return f"{title}\n{harness.make_table(columns, sections, has_words=True)}"


def _cells(row: Mapping[str, Any]) -> list[str]:
    rho = row["rho"]
    ratio = f"{rho['median']:.2f} ({rho['low']:.2f}-{rho['high']:.2f})"
    evidence = row.get("evidence")
    return [
        f"{row['violation']['median']:.0e}",
        f"{row['teacher_violation']['median']:.0e}",
        f"{row['lie_derivative']['median']:.0e}" if "lie_derivative" in row else "",
        f"{row['control_violation']['median']:.0e}",
        ratio if np.isfinite(rho["median"]) else "",
        row["verdict"] + ("" if row["control_fires"] else "; the control does not fire"),
        _in_words(evidence) if evidence else "",
    ]


def _in_words(evidence: Mapping[str, Any]) -> str:
    tested = f" (p {evidence['p']:.1g})" if np.isfinite(evidence["p"]) else ""
    return f"{evidence['verdict']}{tested}"
