"""From violations to words: medians, bootstrap intervals, verdicts, and the whole evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PyTree

from qdistill import students
from qdistill._checks import refuse, require_at_least
from qdistill.insight.symmetries.cases import sample_cases
from qdistill.insight.symmetries.table import SYMMETRIES, Symmetry, v_range
from qdistill.insight.symmetries.violations import Findings, Violation, make_laboratory, measure_all
from qdistill.physics.grid import Grid
from qdistill.students import Student
from qdistill.teacher import solvers as solver

# Of a violation by rounding alone, in units of eps per frame.
ROUNDING = 2.0
# Independent errors have rho = 0.71. Half of that needs another reason than accuracy.
LEARNED, ACCURATE = 0.35, 0.6
# The verdicts that rho decides.
BY_RHO = ("learned", "partly learned", "as accurate")
N_RESAMPLED = 1000

PerCase: TypeAlias = Float[np.ndarray, "n_run n_case"]


class Interval(NamedTuple):
    """A median over runs and cases, and the 95% bootstrap interval around it."""

    median: float
    low: float
    high: float


def bootstrap(values: PerCase, seed: int = 0) -> Interval:
    """The median of all values; runs and cases are resampled, each as a whole.

    Trained runs see the same cases, so a resample takes rows and columns of one table. Values that
    are not a number are left out, and infinite ones count.

    >>> bootstrap(np.full((1, 4), 2.0))
    Interval(median=2.0, low=2.0, high=2.0)
    """
    require_at_least(1, n_run=values.shape[0], n_case=values.shape[1])
    rng = np.random.default_rng(seed)
    n_run, n_case = values.shape
    runs = rng.integers(n_run, size=(N_RESAMPLED, n_run, 1))
    cases = rng.integers(n_case, size=(N_RESAMPLED, 1, n_case))
    resampled = values[runs, cases].reshape(N_RESAMPLED, -1)
    low, high = _quantiles(_medians(resampled), (0.025, 0.975))
    return Interval(float(_medians(values.reshape(1, -1))[0]), low, high)


def rounding(n_frames: int, dtype: Any = np.float32) -> float:
    """The violation that rounding alone may make, relative, on average over a forecast."""
    return ROUNDING * float(np.finfo(dtype).eps) * n_frames


def verdict(
    student: Interval, teacher: Interval, excess: Interval, rho: Interval, rounding: float
) -> str:
    """What the violations of one symmetry mean, in words.

    - ``"holds"``: to rounding; the symmetry is built in.
    - ``"learned"``: the violation differs from the teacher's by less than half of what
      independent errors would do.
    - ``"partly learned"``: by less than independent errors would do.
    - ``"as accurate"``: no better kept than by any forecast of the same accuracy.
    - ``"as the teacher"``: broken by the exact solver, and by the student in the same way.
    - ``"unlike the teacher"``: broken by the exact solver, and by the student far less.
    - ``"diverges"``: the forecast is not finite.

    The limits for rho count for its whole interval.
    """
    if not np.isfinite(student.median):
        return "diverges"
    if teacher.median > rounding:
        if excess.median < teacher.median / 2:
            return "as the teacher"
        if student.median < teacher.median / 2:
            return "unlike the teacher"
    elif student.median <= rounding:
        return "holds"
    if rho.high < LEARNED:
        return "learned"
    return "partly learned" if rho.high < ACCURATE else "as accurate"


def summarise(
    runs: Sequence[Mapping[str, Findings]], rounding: float, seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Medians, intervals and verdicts of each symmetry, over the cases of one or several runs.

    Args:
      runs: Of the same student trained with several seeds, on the same cases.
      rounding: See the function of this name.
      seed: Of the bootstrap.

    Returns:
      By symmetry: `violation`, `teacher_violation`, `rho`, `control_violation`, each with median,
      low and high; `verdict`, `control_fires`; and for continuous ones `lie_derivative` and
      `teacher_lie_derivative`.

    Raises:
      ValueError: For no run.
    """
    if not runs:
        refuse("runs", "at least one run", runs)
    return {
        name: _summarise([findings[name] for findings in runs], rounding, seed) for name in runs[0]
    }


def _summarise(runs: Sequence[Findings], rounding: float, seed: int) -> dict[str, Any]:
    def stack(of: Sequence[Any]) -> Interval:
        return bootstrap(np.stack([np.asarray(each, float) for each in of]), seed)

    student, teacher, excess = (
        stack([getattr(run.claim, name) for run in runs])
        for name in ("student", "teacher", "excess")
    )
    control = stack([run.control.student for run in runs])
    rho = stack([_rho(run.claim, rounding) for run in runs])
    summary = {
        "verdict": verdict(student, teacher, excess, rho, rounding),
        "violation": student._asdict(),
        "teacher_violation": teacher._asdict(),
        "rho": rho._asdict(),
        "control_violation": control._asdict(),
        "control_fires": control.low > 3 * max(student.median, rounding),
    }
    lies = [run.lie for run in runs if run.lie is not None]
    if lies:
        summary["lie_derivative"] = stack([lie[0] for lie in lies])._asdict()
        summary["teacher_lie_derivative"] = stack([lie[1] for lie in lies])._asdict()
    return summary


def _rho(violation: Violation, rounding: float) -> np.ndarray:
    """NaN where the student's errors are rounding, and their ratio means nothing."""
    errors = np.asarray(violation.errors, float)
    return np.where(errors > rounding, np.asarray(violation.rho, float), np.nan)


class Rival(NamedTuple):
    """A student to be judged.

    Attributes:
      student: Its form.
      params: Of each of its trainings, one for each seed.
      is_differentiable: Whether derivatives of its forecast are true ones: no gauge is stopped.
    """

    student: Student
    params: Sequence[PyTree]
    is_differentiable: bool = True


def evaluate(
    grid: Grid,
    dt: float,
    rivals: Mapping[str, Rival],
    seed: int,
    n_case: int,
    n_frames: int,
    symmetries: dict[str, Symmetry] = SYMMETRIES,
) -> dict[str, Any]:
    """Every symmetry of students and, as a control, of the exact solver itself, on fresh cases.

    Args:
      grid: The physics; a line of 100 bohr.
      dt: Duration of a frame, in atomic units.
      rivals: Students, by name.
      seed: Of the cases.
      n_case: How many of either kind, at least 2.
      n_frames: Frames of a forecast, at least 2.
      symmetries: By name.

    Returns:
      `summarise` by student and kind of case under `findings`, where ``"exact solver"`` comes
      first; the claims in words under `formulas` and `controls`; and the settings.
    """
    if not rivals:
        refuse("rivals", "at least one student", rivals)
    n_given = max(1, *(rival.student.n_history for rival in rivals.values()))
    cases = sample_cases(jax.random.key(seed), grid, dt, n_case, n_given)
    every_v = jnp.concatenate([kind.v for kind in cases.values()])
    allowed = v_range(grid, every_v, symmetries)
    exact = solver.chebyshev(grid, dt, 1e-7, allowed)
    itself = Rival(students.from_propagator(exact), [{}])
    noise = rounding(n_frames, every_v.dtype)
    findings = {}
    for who, rival in {"exact solver": itself, **rivals}.items():
        labs = [
            make_laboratory(grid, dt, rival.student, params, n_frames, allowed)
            for params in rival.params
        ]
        findings[who] = {
            kind: summarise(
                [measure_all(lab, *of, symmetries, rival.is_differentiable) for lab in labs],
                noise,
                seed,
            )
            for kind, of in cases.items()
        }
    return {
        "seed": seed,
        "n_cases": n_case,
        "n_frames": n_frames,
        "dt_au": dt,
        "rounding": noise,
        "formulas": {name: each.formula for name, each in symmetries.items()},
        "controls": {name: each.control_formula for name, each in symmetries.items()},
        "findings": findings,
    }


def describe(evaluation: Mapping[str, Any]) -> str:
    """Violations, rho and verdicts by student, kind of case and symmetry, as text."""
    lines = [
        f"{evaluation['n_cases']} cases of each kind (seed {evaluation['seed']}), "
        f"{evaluation['n_frames']} frames: medians. Rounding makes up to "
        f"{evaluation['rounding']:.0e}."
    ]
    for who, kinds in evaluation["findings"].items():
        for kind, summary in kinds.items():
            lines.append(
                f"{who + ', ' + kind:36}{'violation':>10}{'teacher':>10}{'Lie':>8}{'control':>9}"
                f"{'rho (95%)':>19}  verdict"
            )
            lines += [_row(name, row) for name, row in summary.items()]
    return "\n".join(lines)


def _row(name: str, row: Mapping[str, Any]) -> str:
    rho = row["rho"]
    ratio = f"{rho['median']:.2f} ({rho['low']:.2f}-{rho['high']:.2f})"
    lie = f"{row['lie_derivative']['median']:.0e}" if "lie_derivative" in row else ""
    return (
        f"  {name:34}{row['violation']['median']:10.0e}{row['teacher_violation']['median']:10.0e}"
        f"{lie:>8}{row['control_violation']['median']:9.0e}"
        f"{ratio if np.isfinite(rho['median']) else '':>19}  {row['verdict']}"
        f"{'' if row['control_fires'] else '; the control is silent'}"
    )


def _medians(rows: Float[np.ndarray, "n_row n"]) -> Float[np.ndarray, " n_row"]:
    """Of the numbers in each row; the lower of two in the middle, since one may be infinite."""
    n_numbers = np.sum(~np.isnan(rows), axis=1)
    middle = np.maximum(n_numbers - 1, 0) // 2
    return np.take_along_axis(np.sort(rows, axis=1), middle[:, None], axis=1)[:, 0]


def _quantiles(values: Float[np.ndarray, " n"], at: Sequence[float]) -> list[float]:
    """Of the values that are numbers, without interpolation."""
    numbers = values[~np.isnan(values)]
    if not numbers.size:
        return [float("nan")] * len(at)
    return [float(q) for q in np.quantile(numbers, at, method="inverted_cdf")]
