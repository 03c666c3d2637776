"""How often the search finds a charge that is none: `python experiments/discovery/spurious.py`.

Two nulls. In the exact solver's frames of many draws, theory says how many charges there are. In
shuffled dictionaries every operator is measured on the packets in an order of its own: changes and
spreads of all operators are kept, and no combination of several operators is conserved.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from experiments import runner
from experiments.discovery import discover, wells
from experiments.discovery.blind import upper_bound
from qdistill._checks import require_at_least
from qdistill.insight import discovery, harness
from qdistill.insight.discovery.charges import IDENTITY, Numbers
from qdistill.runs import presets
from qdistill.system import System


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The sizes of the search in one kind of system.

    Attributes:
      draws: Number of potentials of each kind, with packets of their own.
      n_x: Points along each axis, at the spacing of the preset; 0 for its own box.
      n_frames: Frames of a trajectory.
      every: Frames from one measurement to the next.
    """

    draws: int
    n_x: int
    n_frames: int
    every: int


@dataclasses.dataclass(frozen=True)
class Args:
    """Count the charges that the search finds where there are none."""

    line: Sizes = Sizes(20, 0, 60, 4)
    """The systems on a line."""
    plane: Sizes = Sizes(4, 128, 56, 14)
    """The systems in a plane."""
    tully: Sizes = Sizes(10, 0, 100, 20)
    """Tully's second model."""
    packets: int = 16
    """Number of packets in each system."""
    shuffles: int = 100
    """Number of shuffled dictionaries of each draw."""
    seed: int = 100
    """Random seed of the packets and shuffles."""
    out: pathlib.Path = pathlib.Path("runs/spurious")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    few = Sizes(1, 0, 40, 4)
    return dataclasses.replace(
        args, line=few, plane=dataclasses.replace(few, draws=0), packets=8, shuffles=3,
        tully=dataclasses.replace(few, draws=0),
    )  # fmt: skip


def measure(args: Args) -> runner.Results:
    """Search all draws, and all shuffles of them."""
    require_at_least(1, packets=args.packets, shuffles=args.shuffles)
    systems: dict[str, Any] = {}
    for preset, sizes in (("demo", args.line), ("plane", args.plane), ("tully", args.tully)):
        require_at_least(0, draws=sizes.draws)
        if sizes.draws:
            systems |= search(presets.PRESETS[preset][1].system, sizes, args)
    found = {"systems": systems, "all": summary(systems)}
    return runner.Results(found, table(found))


def search(system: System, sizes: Sizes, args: Args) -> dict[str, Any]:
    """Return, for each kind of potential, the numbers of charges found in every draw."""
    system = discover.in_box(system, sizes.n_x)
    exact = harness.solve_exactly(system, system.bounds or (-wells.CEILING - 2, wells.CEILING + 2))
    plan = discover.Args(
        draws=sizes.draws, packets=args.packets, n_frames=sizes.n_frames, every=sizes.every,
        seed=args.seed,
    )  # fmt: skip
    found: dict[str, Any] = {}
    rng = np.random.default_rng(args.seed)
    for case in discover.make_cases(plan, exact, 1):
        names, numbers = discover.expect(system, case.known, case.true)
        row = found.setdefault(
            case.name, {"theory": case.known.n_static, "found": [], "alone": [], "shuffled": []}
        )
        row["found"].append(discovery.find_charges(names, numbers).n_static)
        row["alone"].append(alone(names, numbers))
        row["shuffled"].append(
            [
                discovery.find_charges(names, shuffle(names, numbers, rng)).n_static
                for _ in range(args.shuffles)
            ]
        )
    return found


def shuffle(names: list[str], numbers: Numbers, rng: np.random.Generator) -> Numbers:
    """Return the numbers with the packets of each operator, except 1, in an order of their own."""
    mixed = numbers.copy()
    for i, name in enumerate(names):
        if name != IDENTITY:
            mixed[i] = numbers[i][:, rng.permutation(numbers.shape[2])]
    return mixed


def alone(names: list[str], numbers: Numbers) -> int:
    """Return how many single operators are conserved, which no shuffle changes."""
    one = names.index(IDENTITY)
    others = [i for i in range(len(names)) if i != one]
    drifts = [
        discovery.find_charges([IDENTITY, names[i]], numbers[[one, i]]).drifts[0]
        for i in others
        if np.ptp(numbers[i].real) > 0
    ]
    return int(np.sum(np.array(drifts) < discovery.charges.LARGEST))


def summary(systems: dict[str, Any]) -> dict[str, Any]:
    """Return the rates of spurious and missing charges, with one-sided bounds of 95%."""
    spurious = [n > row["theory"] for row in systems.values() for n in row["found"]]
    missing = [n < row["theory"] for row in systems.values() for n in row["found"]]
    mixed = [
        [n > single for n in each]
        for row in systems.values()
        for each, single in zip(row["shuffled"], row["alone"], strict=True)
    ]
    # Shuffles of one draw have the same frames: draws are counted.
    some = [any(each) for each in mixed]
    found = {"spurious": spurious, "missing": missing, "draws with a spurious shuffle": some}
    rates = {
        name: {"n": sum(of), "of": len(of), "rate at most": upper_bound(sum(of), len(of))}
        for name, of in found.items()
    }
    return rates | {"shuffles": {"n": sum(map(sum, mixed)), "of": sum(map(len, mixed))}}


def table(found: dict[str, Any]) -> str:
    """Return the counts as text."""
    lines = [f"{'':20}theory  found  alone  shuffled"]
    for name, row in found["systems"].items():
        cells = (sorted(set(row["found"])), sorted(set(row["alone"])),
                 sorted({n for each in row["shuffled"] for n in each}))  # fmt: skip
        lines.append(f"{name:20}{row['theory']:6}  " + "  ".join(str(each)[1:-1] for each in cells))
    lines += [f"{name}: {row['n']} of {row['of']}" for name, row in found["all"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(measure, Args, smoke)
