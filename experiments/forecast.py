"""A forecast on your own landscape: `python experiments/forecast.py --landscape FORMULA`."""

import dataclasses
import json
import pathlib
import sys
from typing import Any

import jax
import numpy as np
import tyro

from qdistill import plots
from qdistill._rollout import rollout
from qdistill.forecast import metrics
from qdistill.physics import files as landscapes
from qdistill.physics import observables, packets
from qdistill.physics.grid import Grid
from qdistill.runs import folder as runs
from qdistill.runs import pretrained
from qdistill.teacher import solvers as solver


@dataclasses.dataclass(frozen=True)
class Args:
    """The exact frames of a packet on any landscape, and a student's forecast of the same."""

    landscape: str = "5*exp(-(x-50)**2/8)"
    """A formula in x (bohr), or a table (.csv) or drawing (.png), in hartree: see `landscapes`."""
    student: str = "unitary"
    """A name of the package's students, a file of `publish.py`, or the folder of a run."""
    centre: float = 25.0
    """Of the packet, in bohr."""
    width: float = 3.0
    """Its spread S0 in position, in bohr."""
    momentum: float = 3.0
    """In 1/bohr; the energy is about momentum^2 / 2, in hartree."""
    n_frames: int = 150
    """How many to forecast."""
    v_min: float = 0.0
    """Height of a drawing's lower edge, in hartree."""
    v_max: float = 10.0
    """Height of a drawing's upper edge, in hartree."""
    out: pathlib.Path = pathlib.Path("runs/forecast")
    """Folder of the results."""
    smoke: bool = False
    """Seconds instead of minutes: ten frames."""


def sides(grid: Grid, v: Any, psi: Any, momentum: float) -> dict[str, float]:
    """What is beyond the landscape, before it, as the packet came, and inside."""
    x, flat = np.asarray(grid.positions()), np.asarray(v)[0]
    hills = x[np.abs(np.asarray(v) - flat) > 0.01 * np.ptp(np.asarray(v))]
    left, right = (hills[0], hills[-1]) if hills.size else (x[x.size // 2],) * 2
    right_of, left_of = observables.transmission_reflection(grid, psi, left, right)
    through, back = (right_of, left_of) if momentum > 0 else (left_of, right_of)
    inside = observables.probability(grid, psi) - through - back
    shares = {"transmission": through, "reflection": back, "inside": inside}
    return {name: float(share) for name, share in shares.items()}


def forecast(args: Args) -> None:
    """Solve, forecast, compare, draw, tell."""
    found = pretrained.find(args.student)
    grid, student, dt = found.grid, found.student, found.config.teacher.dt
    v = landscapes.read(grid, args.landscape, args.v_min, args.v_max)
    psi = packets.gaussian(grid, args.centre, args.width, args.momentum)
    runs.make_folder(args.out)
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str) + "\n")
    n_given, n_frames = student.n_history, 10 if args.smoke else args.n_frames
    exact = solver.chebyshev(grid, dt)(v)
    truth = jax.jit(lambda psi: rollout(exact, psi, n_given - 1 + n_frames))(psi)
    given = jax.numpy.concatenate([psi[None], truth])[:n_given]
    truth = truth[n_given - 1 :]
    step = student.propagator(found.params)(v)
    state = student.state(given)
    guess = jax.jit(lambda state: rollout(step, state, n_frames, student.psi))(state)
    report: dict[str, Any] = {
        "landscape_hartree": {"lowest": float(v.min()), "highest": float(v.max())},
        "energy_hartree": float(observables.energy(grid, v, psi)),
        "duration_au": dt * n_frames,
        "exact": sides(grid, v, truth[-1], args.momentum),
        "forecast": sides(grid, v, guess[-1], args.momentum),
        "correlation": float(metrics.correlation(guess, truth)[-1]),
        "phase_sensitive_error": float(metrics.nrmse(guess, truth)[-1]),
        "norm_drift": float(metrics.norm_drift(guess, psi)[-1]),
    }
    text = json.dumps(runs.plain(report), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    t = dt * np.arange(n_given, n_given + n_frames)
    title = f"{pathlib.Path(args.student).stem} on a landscape of your own"
    figure = plots.plot_spacetime(grid.positions(), t, v, truth, guess, title)
    plots.save(figure, args.out / "spacetime.png")
    for name in ("exact", "forecast"):
        print(f"{name:8}", *(f"{value:.4f} {side}" for side, value in report[name].items()))
    print(f"error {report['phase_sensitive_error']:.1e}, phase and norm included; {args.out}")


def main() -> None:
    """Parse and forecast."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    try:
        forecast(tyro.cli(Args, prog="forecast.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"forecast.py: {error}")


if __name__ == "__main__":
    main()
