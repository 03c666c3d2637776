"""The laws of emulators: `experiments/discovery/emulator_laws.py runs/demo-seed-0 ...`.

The Hamiltonian is read from forecasts, as from any recorded runs; in a plane and across channels it
is the masses by axis or channel and the strengths of the potential. The same is done with null
models, the exact step plus a random network among them, and with the exact solver.
"""

import dataclasses
import functools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from experiments import emulators, runner
from experiments.corrections import study
from experiments.discovery import discover, emulator_masses, masses_figure, recordings
from qdistill._checks import require_at_least
from qdistill.insight import discovery, harness
from qdistill.insight.discovery import laws
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.system import Propagator, System, rollout

# Dispersions whose errors are compared, besides the one that is chosen.
SHOWN = (laws.LATTICE, "lattice, mass", laws.USUAL, "k^2/2m", laws.FREE)


@dataclasses.dataclass(frozen=True)
class Args(emulators.Compared):
    """Read the laws of emulators, null models and the exact solver from their forecasts."""

    out: pathlib.Path = pathlib.Path("runs/laws")
    """Folder of the results."""
    schemes: tuple[str, ...] = ("clamped",)
    """Schemes of the null models."""
    n: int = 5
    """Number of runs, each with a potential of its own."""
    n_frames: int = 5
    """Frames of a forecast."""
    functions: tuple[str, ...] = ()
    """Functions of no given form that are offered on a line, such as `W(x)` or `f(V)`."""
    n_x: int = 0
    """Points along each axis, at the spacing of the emulators; 0 for their own box."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, nulls=(2,), n=4, n_frames=2)


def read_laws(args: Args) -> runner.Results:
    """Read the laws of all members."""
    require_at_least(2, n_frames=args.n_frames)
    ensembles = emulators.load_ensembles(args.runs)
    system = discover.in_box(next(iter(ensembles.values()))[0].system, args.n_x)
    if args.n_x:
        ensembles = {name: [each.on(system.grid) for each in of] for name, of in ensembles.items()}
    n_given = max(each.n_history for each, *_ in ensembles.values())
    is_line = system.grid.n_dim == 1 and not system.n_channel
    # In a plane and across channels there are masses only.
    read, tell, add_up = _row, line, summarise
    if is_line:
        exact = harness.solve_exactly(system, (-12.0, 12.0))
        v, psi = make_runs(system.grid, args)
        recall = jax.jit(jax.vmap(lambda psi, v: harness.recall(exact, psi, v, n_given)))
        given = recall(psi, v)
    else:
        read, tell, add_up = emulator_masses.row, emulator_masses.line, emulator_masses.summarise
        exact = harness.solve_exactly(system, system.bounds or emulator_masses.BOUNDS)
        given, v = emulator_masses.given_runs(exact, args.n, n_given, args.seed)
    keys = jax.random.key(args.seed + 1)[None]
    nulls: harness.Ensembles = {
        **emulators.make_nulls(system, args.nulls, args.schemes),
        **emulators.disturb(ensembles, exact, given[:, -1], v, args.n_frames, keys),
    }
    panel = harness.make_panel(ensembles, nulls).with_controls(exact)
    true = follow(exact, given, v, args.n_frames)
    rows: dict[str, list[dict[str, Any]]] = {}
    for who, member in panel.members.items():
        for each in member.seeds:
            # Without config and score, so that trainings share one program.
            bare = jax.tree.map(lambda leaf: leaf, each)
            frames = follow(bare, given, v, args.n_frames)
            rows.setdefault(who, []).append(read(each.system, frames, v, true, args.functions))
            print(f"{who}: {tell(rows[who][-1])}", flush=True)
    summary = {who: add_up(each) for who, each in rows.items()}
    found = {"roles": panel.roles, "laws": rows, "summary": summary}
    words = "\n".join(f"{who}: {tell(each[0])}" for who, each in rows.items())
    figures = {} if is_line else {"masses": masses_figure.plot(found)}
    return runner.Results(runner.rounded(found, 5), words, figures)


def make_runs(
    grid: Grid, args: Args
) -> tuple[Float[Array, "n_run n_x"], Complex[Array, "n_run n_x"]]:
    """Return smooth potentials and two packets in each, near the middle of the box."""
    rng, x = np.random.default_rng(args.seed), np.asarray(grid.positions(), float)
    vs, states = [], []
    for _ in range(args.n):
        bumps = zip(
            rng.uniform(-4, 4, 4), rng.uniform(-12, 12, 4), rng.uniform(1, 3, 4), strict=True
        )
        vs.append(sum(a * np.exp(-(((x - grid.middle[0] - b) / c) ** 2)) for a, b, c in bumps))
        pair = [
            packets.gaussian(
                grid,
                centre=grid.middle[0] + rng.uniform(-10, 10),
                width=rng.uniform(1, 2),
                momentum=rng.uniform(-4, 4),
            )
            for _ in range(2)
        ]
        psi = sum(pair[1:], pair[0])
        states.append(psi / (jnp.linalg.norm(psi) * np.sqrt(grid.cell)))
    return jnp.asarray(np.stack(vs), float), jnp.stack(states)


@functools.partial(jax.jit, static_argnums=3)
def follow(
    propagator: Propagator, given: Array, v: Array, n_frames: int
) -> Complex[Array, "n_run n_t n_x"]:
    """The newest given frame and those that follow, of all runs."""

    def one(pair: tuple[Array, Array]) -> Array:
        given, v = pair
        later = rollout(propagator, given[-propagator.n_history :], v, n_frames)
        return jnp.concatenate([given[-1:], later])

    return jax.lax.map(one, (given, v))


def _row(
    system: System, frames: Array, v: Array, true: Array, functions: tuple[str, ...]
) -> dict[str, Any]:
    """The law of one propagator, and its error after the last frame."""
    last, end = np.asarray(true[:, -1]), np.asarray(frames[:, -1])
    error = np.linalg.norm(end - last, axis=-1) / np.linalg.norm(last, axis=-1)
    t = system.dt * np.arange(frames.shape[1])
    law = discovery.find_law(np.asarray(system.grid.positions(), float), t, v, frames, functions)
    dx = system.grid.dx[0]
    lattice, quartic = law.fits["lattice, mass"], law.fits["k^2/2m + b k^4"]
    return {
        "error": float(error.mean()),
        "law": recordings.describe(law),
        "mass": 1 / float(lattice.values[0]),
        # 1 for the lattice, 0 for the continuum.
        "quartic": float(quartic.values[1] / quartic.values[0]) / (-(dx**2) / 24),
    }


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return, over trainings, the forms chosen, and mean and interval of what was read."""
    forms = [" or ".join([row["law"]["form"], *row["law"]["alike"]]) for row in rows]
    names = [
        name
        for row in rows
        for name in row["law"]["coefficients"]
        if name in laws.TERMS and name != "1"
    ]
    functions = [name for row in rows for name in row["law"]["functions"]]
    return {
        "n": len(rows),
        "forms": {form: forms.count(form) for form in dict.fromkeys(forms)},
        "terms": {name: names.count(name) for name in dict.fromkeys(names)},
        "functions": {name: functions.count(name) for name in dict.fromkeys(functions)},
        **{key: study.summarise(row[key] for row in rows) for key in ("error", "mass", "quartic")},
        "errors": {
            form: float(np.mean([row["law"]["errors"][form] for row in rows])) for form in SHOWN
        },
    }


def line(row: dict[str, Any]) -> str:
    """Return one law as text."""
    law = row["law"]
    terms = ", ".join(
        f"{value:.2g} {name}"
        for name, (value, *_) in law["coefficients"].items()
        if name in laws.TERMS
    )
    terms = ", ".join(each for each in (terms, *law["functions"]) if each)
    forms = " or ".join([law["form"], *law["alike"]])
    return (
        f"error {row['error']:.1e}, T {forms}, mass {row['mass']:.5f}, quartic over the lattice's "
        f"{row['quartic']:.3f}, held out {law['error']:.1e}, further terms {terms or 'none'}"
    )


if __name__ == "__main__":
    runner.main(read_laws, Args, smoke)
