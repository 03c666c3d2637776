"""Symmetries of emulators: `experiments/discovery/search_symmetries.py runs/demo-seed-0 ...`.

Mirrors, shifts and time reversal are searched for in four potentials, by every member in the same
way. The search knows neither the potential nor its symmetries.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float
from matplotlib.figure import Figure

from experiments import emulators, runner
from qdistill._checks import refuse, require_one_of
from qdistill.insight import discovery, harness
from qdistill.insight.harness import Ensembles
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.plots import style
from qdistill.students import Emulator
from qdistill.system import Propagator
from qdistill.teacher import Chebyshev

# Packaged emulators take other boxes of the same spacing.
N_X, LENGTH = 512, 50.0
FAMILIES = ("mirror", "shift", "time reversal")
# Violations below this are rounding in single precision, and count as equal.
ROUNDING = 1e-4
RANDOM = "random phases"
# By title of a panel and name of a member.
Spreads: TypeAlias = dict[str, dict[str, discovery.Found]]


@dataclasses.dataclass(frozen=True)
class Args(emulators.Compared):
    """Search for the symmetries of emulators, null models and the exact solver."""

    out: pathlib.Path = pathlib.Path("runs/symmetry_search")
    """Folder of the results."""
    systems: tuple[str, ...] = ("well", "skewed well", "lattice", "superlattice")
    """Potentials."""
    packets: int = 3
    """Number of packets in each system."""
    step: float = 0.5
    """Distance of the scanned shifts in bohr; mirrors are scanned at half of it."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(
        args, nulls=(2,), schemes=("clamped",), systems=("well",), packets=2, step=1.0
    )


class Known(NamedTuple):
    """A potential, and the number of its symmetries by family."""

    v: Float[Array, " n_x"]
    counts: dict[str, int]


def known(grid: Grid) -> dict[str, Known]:
    """Return the potentials, whose symmetric places lie between the points of the grid.

    On the periodic box a lattice of 7 periods has 3 shifts apart from their inverses, and 7 mirrors
    in half of the box.
    """
    x = np.asarray(grid.positions(), float).astype(np.float64) - grid.middle[0]
    q = 2 * np.pi / grid.lengths[0]
    well = -4 * np.exp(-((x - 0.317) ** 2) / 8)
    made = {
        "well": (well, (1, 0, 1)),
        "skewed well": (well * (1 + 0.3 * np.tanh(x - 0.317)), (0, 0, 1)),
        "lattice": (1.5 * np.cos(7 * q * (x - 0.2)), (7, 3, 1)),
        "superlattice": (
            1.5 * np.cos(8 * q * (x - 0.2)) + 0.5 * np.cos(4 * q * (x - 0.2)),
            (4, 2, 1),
        ),
    }
    return {
        name: Known(jnp.asarray(v, float), dict(zip(FAMILIES, counts, strict=True)))
        for name, (v, counts) in made.items()
    }


def draw_packets(grid: Grid, n_packet: int, seed: int) -> Complex[Array, "n_packet n_x"]:
    """Return packets near the middle."""
    rng = np.random.default_rng(seed)
    ranges = ((-6.0, 6.0), (1.0, 1.6), (-2.0, 2.0))
    drawn = (jnp.asarray(rng.uniform(*r, n_packet), float) for r in ranges)
    make = jax.vmap(lambda x, w, k: packets.gaussian(grid, grid.middle[0] + x, w, k))
    return make(*drawn)


def load(runs: Sequence[str]) -> tuple[dict[str, list[Emulator]], Chebyshev]:
    """Return the emulators on the box of the search, and its exact solver."""
    ensembles = emulators.load_ensembles(runs)
    system = next(iter(ensembles.values()))[0].system
    grid = Grid(N_X, LENGTH, system.grid.dispersion)
    on_box = {name: [each.on(grid) for each in of] for name, of in ensembles.items()}
    exact = harness.solve_exactly(next(iter(on_box.values()))[0].system, (-8.0, 8.0))
    return on_box, exact


def members_of(
    ensembles: dict[str, list[Emulator]], nulls: Ensembles, exact: Chebyshev, seed: int
) -> tuple[dict[str, list[Propagator]], dict[str, str]]:
    """Return all members by name, with forms of random parameters, and their roles."""
    panel = harness.make_panel(ensembles, nulls).with_controls(exact)
    members = {name: list(each.seeds) for name, each in panel.members.items()}
    roles = dict(panel.roles)
    for name, of in ensembles.items():
        random = f"{name}, {RANDOM}"
        members[random], roles[random] = [harness.randomise(of[0], jax.random.key(seed))], "random"
    return members, roles


def search(args: Args) -> runner.Results:
    """Search with all members in all systems."""
    ensembles, exact = load(args.runs)
    grid = exact.system.grid
    n_given = max(each[0].n_history for each in ensembles.values())
    if not args.systems:
        refuse("systems", "at least one potential", args.systems)
    every_system = known(grid)
    for name in args.systems:
        require_one_of(every_system, systems=name)
    systems = {name: every_system[name] for name in every_system if name in args.systems}
    psi = draw_packets(grid, args.packets, args.seed)
    recall = jax.jit(jax.vmap(lambda psi, v: harness.recall(exact, psi, v, n_given), (0, None)))
    given = {name: np.asarray(recall(psi, each.v)) for name, each in systems.items()}
    every = jnp.concatenate([psi] * len(systems))
    fields = jnp.concatenate([jnp.stack([each.v] * len(psi)) for each in systems.values()])
    keys = jax.random.key(args.seed + 1)[None]
    nulls: Ensembles = {
        **emulators.make_nulls(exact.system, args.nulls, args.schemes),
        **emulators.disturb(ensembles, exact, every, fields, args.n_frames, keys),
    }
    members, roles = members_of(ensembles, nulls, exact, args.seed)
    families = discovery.make_families(exact.system, args.step)
    found: dict[str, Any] = {"roles": roles, "counts": {}, "systems": {}}
    spreads: Spreads = {}
    for name, (v, counts) in systems.items():
        found["counts"][name] = counts
        true = discovery.follow(exact, v, args.n_frames)(given[name][:, -1:])[:, -1]
        rows: dict[str, list[Any]] = {}
        for who, of in members.items():
            rows[who] = []
            for i, one in enumerate(of):
                evolve = discovery.follow(one, v, max(args.n_frames, one.n_history))
                at, error = _look(families, evolve, given[name][:, -one.n_history :], true)
                numbers = {family: _in_numbers(family, each) for family, each in at.items()}
                rows[who].append({"error": error, "families": numbers})
                for family in ("mirror", "shift") if i == 0 and at else ():
                    spreads.setdefault(f"{name}: {family}", {})[who] = at[family]
        found["systems"][name] = rows
    found["evidence"] = weigh(found)
    figures = {"symmetries": plot(spreads, roles)}
    return runner.Results(runner.rounded(found), table(found), figures)


def _look(
    families: dict[str, discovery.Family],
    evolve: discovery.scans.Evolve,
    frames: np.ndarray,
    true: np.ndarray,
) -> tuple[dict[str, discovery.Found], float | None]:
    """The symmetries of one evolution by family, and its error; nothing if it diverges."""
    later = evolve(frames)[:, -1]
    error = np.mean(np.linalg.norm(later - true, axis=-1) / np.linalg.norm(true, axis=-1))
    if not np.isfinite(error):
        return {}, None
    found = {name: discovery.find_symmetries(families[name], evolve, frames) for name in FAMILIES}
    return found, float(error)


def _in_numbers(family: str, at: discovery.Found) -> dict[str, Any]:
    """The symmetries of one family in the types of JSON."""
    n = at.n_found
    places = at.parameters[:n].ravel()
    period = discovery.find_period(places) if family == "shift" else None
    return {
        "n_found": n,
        "is_whole": at.is_whole,
        "places": places.tolist(),
        "period": period,
        "violations": at.violations[: n + 1].tolist(),
        "median": float(np.median(at.spread)),
    }


def weigh(found: dict[str, Any]) -> dict[str, Any]:
    """Return, for each emulator, whether it keeps true symmetries better than null models do.

    The cases are the true symmetries of each potential, by the smallest violation in their family.
    """
    roles = found["roles"]
    nulls = {name: _numbers(found, name) for name, role in roles.items() if role == "null"}
    evidence = {
        name: harness.weigh(*_numbers(found, name), nulls)
        for name, role in roles.items()
        if role == "emulator"
    }
    return {name: each._asdict() for name, each in harness.decide(evidence).items()}


def _numbers(found: dict[str, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    """The violation of every true symmetry, and the error, of each training."""
    violations, errors = [], []
    for system, counts in found["counts"].items():
        rows = found["systems"][system][name]
        for family, n in counts.items():
            if n:
                at = [row["families"].get(family, {"violations": []}) for row in rows]
                least = [each["violations"][0] if each["violations"] else np.nan for each in at]
                violations.append(np.maximum(least, ROUNDING))
                errors.append([np.nan if row["error"] is None else row["error"] for row in rows])
    return np.array(violations).T, np.array(errors).T


def table(found: dict[str, Any]) -> str:
    """Return the numbers of symmetries as text, those of the first training of each member."""
    lines = []
    for name, rows in found["systems"].items():
        truth = ", ".join(f"{n} {family}" for family, n in found["counts"][name].items())
        lines.append(f"{name}: {truth}")
        for who, of in rows.items():
            error = "diverges" if of[0]["error"] is None else f"{of[0]['error']:.1e}"
            cells = [
                f"{family} {sorted({row['families'][family]['n_found'] for row in of})} "
                + " ".join(f"{each:.0e}" for each in at["violations"][:1])
                for family, at in of[0]["families"].items()
            ]
            lines.append(f"  {who:34} error {error:>8}  {'; '.join(cells)}")
    for who, each in found["evidence"].items():
        lines.append(f"{who}: true symmetries {each['verdict']}, p = {each['p']:.2g}")
    return "\n".join(lines)


COLOURS = {"exact": style.INK, "emulator": style.BLUE, "null": style.GREY, "random": style.ORANGE}


@style.styled
def plot(spreads: Spreads, roles: dict[str, str]) -> Figure:
    """Draw the violations of all scanned operations, with what was found as dots."""
    figure = Figure(figsize=(4.6 * min(len(spreads), 2), 2.6 * -(-len(spreads) // 2)))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(-(-len(spreads) // 2), min(len(spreads), 2), squeeze=False).ravel()
    for ax, (title, members) in zip(panels, spreads.items(), strict=False):
        seen: set[str] = set()
        for who, at in members.items():
            colour, role = COLOURS[roles[who]], roles[who]
            label = (
                None if role in seen else {"random": RANDOM, "null": "null models"}.get(role, who)
            )
            seen.add(role)
            ax.plot(at.scanned[:, 0], at.spread, color=colour, lw=1.0, label=label)
            ax.plot(
                at.parameters[: at.n_found, 0], at.violations[: at.n_found],
                "o", color=colour, ms=4,
            )  # fmt: skip
        ax.set(title=title, yscale="log", xlabel="place or shift in bohr")
        ax.grid(color=style.GRID)
        ax.set_axisbelow(True)
    panels[0].legend(fontsize=7)
    figure.supylabel("violation")
    return figure


if __name__ == "__main__":
    runner.main(search, Args, smoke)
