"""Partners of potentials: `experiments/discovery/search_partners.py runs/demo-seed-0 ...`.

For each of 20 random potentials the supersymmetric partner is looked for among decoys, from
forecasts alone: it is the one with the smallest residual of a first-order intertwiner.
"""

import dataclasses
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import emulators, runner
from experiments.discovery import partners
from experiments.discovery.search_symmetries import COLOURS, load, members_of
from qdistill._checks import refuse, require_at_least
from qdistill.insight import discovery, harness
from qdistill.plots import style
from qdistill.system import Propagator

# W is compared with the truth within this distance of the middle, in bohr.
SEEN = 5.0


@dataclasses.dataclass(frozen=True)
class Args(emulators.Compared):
    """Search for partners of potentials with emulators, null models and the exact solver."""

    out: pathlib.Path = pathlib.Path("runs/intertwiners")
    """Folder of the results."""
    pairs: int = 20
    """Number of random potentials with their partners."""
    packets: int = 3
    """Number of packets."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, nulls=(2,), schemes=("clamped",), pairs=2)


def search(args: Args) -> runner.Results:
    """Rank the partners of all pairs with all members."""
    require_at_least(2, pairs=args.pairs)
    ensembles, exact = load(args.runs)
    if not all(each.is_linear for of in ensembles.values() for each in of):
        refuse("runs", "linear emulators", list(ensembles), "An intertwiner is a linear operator.")
    nulls = emulators.make_nulls(exact.system, args.nulls, args.schemes)
    members, roles = members_of(ensembles, nulls, exact, args.seed)
    pairs = [partners.draw_pair(exact.system.grid, i) for i in range(args.pairs)]
    truth = [_images(exact, args, each.second) for each in pairs]
    found: dict[str, Any] = {
        "roles": roles,
        "n_decoy": args.pairs,
        "members": {
            who: [_look(each, args, pairs, truth) for each in of] for who, of in members.items()
        },
    }
    found["evidence"] = weigh(found)
    return runner.Results(runner.rounded(found), table(found), {"partners": plot(found)})


def _images(propagator: Propagator, args: Args, v: np.ndarray) -> np.ndarray:
    """The terms of A on the packets, after the forecast in a potential."""
    grid = propagator.system.grid
    psi = partners.draw_packets(grid, args.packets, args.seed)
    states = discovery.apply_terms(discovery.make_terms(grid, partners.knots(grid)), psi)
    evolve = discovery.follow(propagator, jnp.asarray(v, float), args.n_frames)
    return np.asarray(discovery.advance(states, evolve))


def _look(
    propagator: Propagator, args: Args, pairs: list[partners.Pair], truth: list[np.ndarray]
) -> dict[str, Any]:
    """The rank of the true partner of every pair, with its residual and that of the best decoy.

    The error is that of the states on which the residual is measured: derivatives of packets, and
    packets times bumps. These have shorter waves than packets, and larger errors.
    """
    grid = propagator.system.grid
    terms = discovery.make_terms(grid, partners.knots(grid))
    psi = partners.draw_packets(grid, args.packets, args.seed)
    states = discovery.apply_terms(terms, psi)
    inside = np.abs(np.asarray(grid.positions(), float) - grid.middle[0]) < SEEN
    seconds = [_images(propagator, args, each.second) for each in pairs]
    row: dict[str, Any] = {key: [] for key in ("rank", "residual", "decoy", "best", "w", "error")}
    for i, pair in enumerate(pairs):
        evolve = discovery.follow(propagator, jnp.asarray(pair.first, float), args.n_frames)
        targets = discovery.apply_terms(terms, evolve(psi[:, None])[:, -1])
        own = discovery.intertwine(states, seconds[i], targets)
        images = {f"partner of {j}": each for j, each in enumerate(seconds) if j != i}
        scaled = partners.SCALE * pair.second
        images[f"times {partners.SCALE:g}"] = _images(propagator, args, scaled)
        false = {
            name: discovery.intertwine(states, each, targets).residual
            for name, each in images.items()
        }
        best = min(false, key=lambda name: false[name])
        wrong = (own.potential(terms) - pair.w)[inside]
        row["rank"].append(1 + sum(each < own.residual for each in false.values()))
        row["residual"].append(own.residual)
        row["decoy"].append(false[best])
        row["best"].append(best)
        row["w"].append(float(np.linalg.norm(wrong) / np.linalg.norm(pair.w[inside])))
        lost = np.linalg.norm(seconds[i] - truth[i])
        row["error"].append(float(lost / np.linalg.norm(truth[i])))
    return row


def weigh(found: dict[str, Any]) -> dict[str, Any]:
    """Return, for each emulator, whether it keeps true intertwiners better than null models do."""

    def of(name: str) -> tuple[np.ndarray, np.ndarray]:
        rows = found["members"][name]
        return np.array([r["residual"] for r in rows]), np.array([r["error"] for r in rows])

    roles = found["roles"]
    nulls = {name: of(name) for name, role in roles.items() if role == "null"}
    evidence = {
        name: harness.weigh(*of(name), nulls) for name, role in roles.items() if role == "emulator"
    }
    return {name: each._asdict() for name, each in harness.decide(evidence).items()}


def table(found: dict[str, Any]) -> str:
    """Return ranks, residuals and errors as text, over all trainings of a member."""
    lines = [f"{found['n_decoy']} decoys"]
    for who, rows in found["members"].items():
        ranks = np.array([row["rank"] for row in rows])
        middle = {
            key: np.median([row[key] for row in rows])
            for key in ("residual", "decoy", "w", "error")
        }
        lines.append(
            f"{who:34} first {np.mean(ranks == 1):4.0%}  worst rank {ranks.max():2d}  "
            + "  ".join(f"{key} {value:.1e}" for key, value in middle.items())
        )
    for who, each in found["evidence"].items():
        lines.append(f"{who}: intertwiners {each['verdict']}, p = {each['p']:.2g}")
    return "\n".join(lines)


@style.styled
def plot(found: dict[str, Any]) -> Figure:
    """Draw the residuals of true partners and of their best decoys, for every member."""
    names = list(found["members"])
    figure = Figure(figsize=(6.5, 0.32 * len(names) + 1.2), layout="constrained")
    ax = figure.subplots()
    for i, name in enumerate(names):
        colour = COLOURS[found["roles"][name]]
        for key, face in (("decoy", "white"), ("residual", colour)):
            values = np.concatenate([row[key] for row in found["members"][name]])
            ax.plot(values, np.full(len(values), i), "o", mec=colour, mfc=face, ms=4, mew=0.8)
    ax.set(xscale="log", xlabel="residual: true partner (filled), best decoy (open)")
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.grid(color=style.GRID)
    ax.set_axisbelow(True)
    return figure


if __name__ == "__main__":
    runner.main(search, Args, smoke)
