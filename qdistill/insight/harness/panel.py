"""The panel of an analysis: emulators, null models and controls, of one system."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import jax

from qdistill._checks import refuse
from qdistill.system import Propagator, System

Role: TypeAlias = Literal["exact", "negative", "emulator", "null"]
# By name, one propagator, or one for each seed of the training.
Ensembles: TypeAlias = Mapping[str, Propagator | Sequence[Propagator]]

EXACT = "exact solver"


@dataclasses.dataclass(frozen=True)
class Member:
    """One row of a table: what stands under one name, and the part that it plays.

    Attributes:
      role: ``"exact"``, the positive control; ``"negative"``, a control that must be caught;
        ``"emulator"``; or ``"null"``, a propagator of about the same error in which nothing is
        learned.
      seeds: The propagator, or those of several seeds of one training.
    """

    role: Role
    seeds: tuple[Propagator, ...]

    @property
    def n_history(self) -> int:
        """Frames that it needs."""
        return self.seeds[0].n_history

    @property
    def is_differentiable(self) -> bool:
        """Whether gradients through it are right."""
        return all(seed.is_differentiable for seed in self.seeds)


@dataclasses.dataclass(frozen=True)
class Panel:
    """All that are asked, of one system.

    Attributes:
      system: Without bounds of its potentials.
      members: By name, in the order of tables.
    """

    system: System
    members: Mapping[str, Member]

    @property
    def n_history(self) -> int:
        """Frames that every member can be given."""
        return max(member.n_history for member in self.members.values())

    @property
    def roles(self) -> dict[str, str]:
        """The role of each member, by its name."""
        return {name: member.role for name, member in self.members.items()}

    def with_controls(
        self, exact: Propagator, negative: Mapping[str, Propagator] | None = None
    ) -> "Panel":
        """The same panel with the exact solver and negative controls in front."""
        controls = {EXACT: Member("exact", (exact,))}
        controls |= {n: Member("negative", (each,)) for n, each in (negative or {}).items()}
        for name in controls.keys() & self.members.keys():
            refuse("emulators", f"named otherwise than the controls {list(controls)}", repr(name))
        return Panel(self.system, {**controls, **self.members})

    def without(self, role: Role) -> "Panel":
        """The same panel less the members of one role."""
        kept = {name: each for name, each in self.members.items() if each.role != role}
        return Panel(self.system, kept)


def make_panel(emulators: Ensembles, nulls: Ensembles | None = None) -> Panel:
    """Return the panel of emulators and null models, which are treated alike.

    Args:
      emulators: By name, one propagator or one for each seed. Any propagator will do.
      nulls: Likewise; propagators of about the same error in which nothing is learned.

    Raises:
      ValueError: For no emulator, no seed, a name that is used twice, propagators of different
        systems or that are no pytrees, or seeds that need different numbers of frames.

    >>> from qdistill.teacher import split_step
    >>> panel = make_panel({"fine": split_step(System(), 20)}, {"coarse": split_step(System(), 4)})
    >>> panel.roles
    {'fine': 'emulator', 'coarse': 'null'}
    """
    nulls = nulls or {}
    if not emulators:
        refuse("emulators", "at least one", emulators)
    for name in emulators.keys() & nulls.keys():
        refuse("nulls", "named otherwise than the emulators", repr(name))
    members: dict[str, Member] = {}
    roles: tuple[tuple[Role, Ensembles], ...] = (("emulator", emulators), ("null", nulls))
    for role, ensembles in roles:
        for name, each in ensembles.items():
            seeds = tuple(each) if isinstance(each, Sequence) else (each,)
            if not seeds:
                refuse(f"{name}", "of at least one seed", seeds)
            for seed in seeds:
                if any(leaf is seed for leaf in jax.tree.leaves(seed)):
                    cure = "Register its class with jax.tree_util.register_dataclass."
                    refuse(f"{name}", "a pytree", type(seed).__name__, cure)
            if len({seed.n_history for seed in seeds}) > 1:
                refuse(f"{name}", "seeds of one student", "of several numbers of frames")
            members[name] = Member(role, seeds)
    systems = {name: unbounded(m.seeds[0].system) for name, m in members.items()}
    first, system = next(iter(systems.items()))
    for name, member in members.items():
        if any(unbounded(seed.system) != system for seed in member.seeds):
            refuse(f"{name}", f"of the system of {first!r}, {system}", systems[name])
    return Panel(system, members)


def unbounded(system: System) -> System:
    """The same system, but for the bounds of its potentials."""
    return dataclasses.replace(system, bounds=None)
