"""Conserved quantities of emulators, or the law of recorded runs: `discover.py --frames FILE`.

Trajectories of emulators, of null models and of the exact solver go through the same search, which
knows neither the system nor its charges. A charge that a null model of the same error keeps as well
is no evidence of learning.
"""

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from experiments import emulators, runner
from experiments.discovery import (
    charges_figure,
    planes,
    recording_files,
    recordings,
    wells,
)
from qdistill._checks import refuse, require_at_least
from qdistill.insight import discovery, harness
from qdistill.insight.discovery.charges import Numbers
from qdistill.insight.harness import Ensembles
from qdistill.students import Emulator
from qdistill.system import Propagator, System, rollout
from qdistill.teacher import Chebyshev

# Names of the null models that share an emulator's form, with random parameters.
RANDOM = "random phases"


@dataclasses.dataclass(frozen=True)
class Args(emulators.Compared):
    """Find the conserved quantities of emulators, or the law of recorded runs."""

    frames: pathlib.Path | None = None
    """File of recorded runs instead of emulators, `.npz` or `.nc`, with frames `psi` of shape
    (n_run, n_t, n_x), potentials `v`, times `t` and positions `x`, or in a plane or across
    channels; see docs/laws.md."""
    name: str = "psi"
    """Name of the frames in the file, such as `forecast`."""
    out: pathlib.Path = pathlib.Path("runs/discovery")
    """Folder of the results."""
    schemes: tuple[str, ...] = tuple(emulators.NULLS)
    """Schemes of these split steps."""
    masses: tuple[float, ...] = ()
    """Masses over the true one of further null models, split steps of two FFT pairs."""
    mass_scheme: str = "clamped"
    """Scheme of these."""
    draws: int = 3
    """Number of potentials of each kind, with packets of their own."""
    packets: int = 16
    """Number of packets in each system."""
    n_frames: int = 60
    """Frames of a forecast."""
    every: int = 4
    """Frames from one measurement to the next."""
    n_x: int = 0
    """Points along each axis, at the spacing of the emulators; 0 for their own box."""
    faults: bool = False
    """Also plant faults in the exact solver; in a plane only."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(
        args, nulls=(2,), schemes=("clamped",), draws=1, packets=8, n_frames=8, every=4
    )


class Case(NamedTuple):
    """A system of one draw: its name and truth, given frames and true frames of all packets."""

    name: str
    known: wells.Known
    given: Complex[Array, "n_packet n_given *n_x"]
    true: Complex[Array, "n_t n_packet *n_x"]


def discover(args: Args) -> runner.Results:
    """Find the charges of all members in all systems, or the law of recorded runs."""
    if args.frames is not None:
        if args.runs:
            refuse("runs", "none if a file of frames is given", args.runs)
        return recordings.report(recording_files.read(args.frames, args.name))
    require_at_least(2, n_measured=args.n_frames // args.every)
    ensembles, system = load(args)
    exact = harness.solve_exactly(system, system.bounds or (-wells.CEILING - 2, wells.CEILING + 2))
    n_given = max(each.n_history for each, *_ in ensembles.values())
    cases = make_cases(args, exact, n_given)
    nulls: Ensembles = {
        **emulators.make_nulls(system, args.nulls, args.schemes),
        **emulators.make_wrong_masses(system, args.masses, args.mass_scheme),
        **disturb(ensembles, args, exact, cases),
    }
    panel = harness.make_panel(ensembles, nulls).with_controls(exact)
    faults = planes.FAULTS if args.faults else {}
    wrong = {name: planes.plant(each, exact) for name, each in faults.items()}
    found: dict[str, Any] = {
        "roles": {**panel.roles, **dict.fromkeys(wrong, "fault")},
        "thresholds": {
            "largest": discovery.charges.LARGEST,
            "gap": discovery.charges.GAP,
            "residual": discovery.charges.RESIDUAL,
        },
        "theory": {case.name: tell(case.name, case.known, args.faults) for case in cases},
        "systems": {},
    }
    for case in cases:
        members = {
            who: [look(each, system, args, case) for each in member.seeds]
            for who, member in panel.members.items()
        }
        for who, of in ensembles.items():
            random = harness.randomise(of[0], jax.random.key(args.seed))
            members[f"{who}, {RANDOM}"] = [look(random, system, args, case)]
        for who, each in wrong.items():
            members[who] = [look(each, system, args, case)]
        found["systems"].setdefault(case.name, []).append(members)
    found["evidence"] = weigh(found)
    figures = {"charges": charges_figure.plot(found)}
    return runner.Results(runner.rounded(found), table(found), figures)


def load(args: Args) -> tuple[dict[str, list[Emulator]], System]:
    """Return the emulators on the box of the study, and their system."""
    ensembles = emulators.load_ensembles(args.runs)
    system = in_box(next(iter(ensembles.values()))[0].system, args.n_x)
    if args.n_x:
        ensembles = {name: [each.on(system.grid) for each in of] for name, of in ensembles.items()}
    if args.faults and system.grid.n_dim != 2:
        refuse("faults", "False except in a plane", args.faults)
    return ensembles, system


def in_box(system: System, n_x: int) -> System:
    """Return the system with another number of points along each axis; 0 for its own."""
    grid = system.grid
    if not n_x:
        return system
    lengths = tuple(n_x * dx for dx in grid.dx)
    grid = dataclasses.replace(grid, shape=(n_x,) * grid.n_dim, lengths=lengths)
    return dataclasses.replace(system, grid=grid)


def tell(name: str, known: wells.Known, is_faulty: bool) -> dict[str, Any]:
    """Return what theory says of a system, and what it says with each planted fault."""
    potential, degree = planes.SYSTEMS[name].potential if is_faulty else {}, known.degree
    names = "n_static", "closure"
    faults = {
        fault: dict(
            zip(names, planes.count(planes.hamiltonian(potential, each), degree), strict=True)
        )
        for fault, each in (planes.FAULTS if is_faulty else {}).items()
    }
    counts = dict(zip(names, (known.n_static, known.closure), strict=True))
    return {"degree": degree, **counts, "is_anharmonic": known.is_anharmonic, "faults": faults}


def make_cases(args: Args, exact: Chebyshev, n_given: int) -> list[Case]:
    """Return all systems of all draws, solved exactly."""
    system = exact.system
    recall = jax.jit(jax.vmap(lambda psi, v: harness.recall(exact, psi, v, n_given), (0, None)))
    cases = []
    for draw, name in itertools.product(range(args.draws), wells.known(system)):
        known = wells.known(system, draw)[name]
        given = recall(wells.draw(system, known, args.packets, args.seed + draw), known.v)
        true = _follow(exact, args.n_frames, args.every, given, known.v)
        cases.append(Case(name, known, given, true))
    return cases


def disturb(
    ensembles: Mapping[str, Sequence[Emulator]], args: Args, exact: Chebyshev, cases: list[Case]
) -> dict[str, list[harness.Disturbed]]:
    """Return null models of emulators that err as much in the systems by which they are judged."""
    some = [case for case in cases if case.known.is_anharmonic]
    psi = jnp.concatenate([case.given[:, -1] for case in some])
    v = jnp.concatenate([jnp.stack([case.known.v] * len(case.given)) for case in some])
    keys = jax.random.key(args.seed + 1)[None]
    return emulators.disturb(ensembles, exact, psi, v, args.n_frames, keys)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _follow(
    propagator: Propagator, n_frames: int, every: int, given: Array, v: Array
) -> Complex[Array, "n_t n_packet *n_x"]:
    """The newest given frame, and every few of those that follow, of all packets."""

    def one(given: Array) -> Array:
        frames = given[-propagator.n_history :]
        later = rollout(propagator, frames, v, n_frames, every=every)
        return jnp.concatenate([given[-1:], later])

    return jax.lax.map(one, given, batch_size=8).swapaxes(0, 1)


def look(propagator: Propagator, system: System, args: Args, case: Case) -> dict[str, Any]:
    """Return the charges and closed set of one propagator, and its error.

    The dictionary is that of the system, which a propagator with a fault does not follow.
    """
    _, known, given, true = case
    # Without config and score, so that trainings share one program.
    bare = jax.tree.map(lambda leaf: leaf, propagator)
    frames = _follow(bare, args.n_frames, args.every, given, known.v)
    last, end = (each[-1].reshape(len(given), -1) for each in (true, frames))
    size = jnp.linalg.norm(last, axis=-1)
    error = float(jnp.mean(jnp.linalg.norm(end - last, axis=-1) / size))
    # A forecast that has grown beyond all bounds, finite or not, has no operators to speak of.
    if not np.isfinite(error) or not np.max(np.abs(frames)) < recording_files.LARGEST:
        return {"error": None, "n_static": 0, "drifts": [], "charges": [], "closure": None}
    names, means = expect(system, known, frames)
    charges = discovery.find_charges(names, means)
    row: dict[str, Any] = {
        "error": error,
        "n_static": charges.n_static,
        "drifts": charges.drifts.tolist(),
        "charges": str(charges).splitlines(),
        "closure": None,
    }
    if known.potential is not None:
        row["algebra"] = planes.algebra(charges, known.potential)
    if propagator.is_linear:
        dictionary = discovery.make_dictionary(system, known.v, known.degree)
        numbers = discovery.measure(dictionary, frames, system.grid.cell)
        closure = discovery.find_closure(names, numbers, args.every * system.dt)
        row["closure"] = {
            "dimension": closure.dimension,
            "residuals": [r if np.isfinite(r) else None for r in closure.residuals],
        }
    return row


def expect(
    system: System, known: wells.Known, frames: Complex[Array, "n_t n_packet *n_x"]
) -> tuple[list[str], Numbers]:
    """Return the names of a system's operators and their expectation values in time.

    So a student that is not linear is measured likewise.
    """
    dictionary = discovery.make_dictionary(system, known.v, known.degree)
    return list(dictionary), discovery.measure(dictionary, frames, system.grid.cell, pairs=False)


def weigh(found: dict[str, Any]) -> dict[str, Any]:
    """Return, for each emulator, whether its best charge is kept better than by null models.

    Only systems count in which the form of a splitting does not decide; their draws are the cases.
    The evidence is that of `harness`: null models with a median error within a factor of two, at
    least five trainings, and tests over trainings and cases.
    """
    roles = found["roles"]
    nulls = {name: _numbers(found, name) for name, role in roles.items() if role == "null"}
    evidence = {}
    for name, role in roles.items():
        if role == "emulator":
            drifts, errors = _numbers(found, name)
            evidence[name] = harness.weigh(drifts, errors, nulls)
    return {name: each._asdict() for name, each in harness.decide(evidence).items()}


def _numbers(found: dict[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    """The drift of the best charge, and the error, of every training in every system."""
    drifts, errors = (
        np.array(
            [
                [read(row) for row in members[name]]
                for system, draws in found["systems"].items()
                if found["theory"][system]["is_anharmonic"]
                for members in draws
            ]
        )
        for read in (
            lambda row: row["drifts"][0] if row["drifts"] else np.nan,
            lambda row: np.nan if row["error"] is None else row["error"],
        )
    )
    return drifts.T, errors.T


def table(found: dict[str, Any]) -> str:
    """Return the charges as text, those of the first training of each member."""
    lines = []
    for name, draws in found["systems"].items():
        lines.append(f"{name}")
        for who in draws[0]:
            rows = [row for members in draws for row in members[who]]
            row, counts = rows[0], sorted({each["n_static"] for each in rows})
            drifts = " ".join(f"{drift:.0e}" for drift in row["drifts"][: row["n_static"] + 1])
            closure = row["closure"]["dimension"] if row["closure"] else "-"
            error = "diverges" if row["error"] is None else f"{row['error']:.1e}"
            lines.append(
                f"  {who:28} error {error:>8}  charges {str(counts)[1:-1]:5} closed {closure!s:3} "
                f"{drifts:30} {'; '.join(row['charges'])}"
            )
    for who, each in found["evidence"].items():
        lines.append(f"{who}: best charge {each['verdict']}, p = {each['p']:.2g}")
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(discover, Args, smoke)
