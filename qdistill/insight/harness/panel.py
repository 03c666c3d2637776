"""The panel of an analysis: emulators, null models and controls of one system."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import jax

from qdistill._checks import refuse
from qdistill._refusals import explained
from qdistill.system import Propagator, System

Role: TypeAlias = Literal["exact", "negative", "emulator", "null"]
# One propagator, or one for each seed of the training, by name.
Ensembles: TypeAlias = Mapping[str, Propagator | Sequence[Propagator]]

EXACT = "exact solver"


@explained
@dataclasses.dataclass(frozen=True)
class Member:
    """A member of a panel: propagators under one name, and their role.

    Attributes:
      role: ``"exact"``, the positive control; ``"negative"``, a control that must be detected;
        ``"emulator"``; or ``"null"``, a non-learned propagator of about the same error.
      seeds: The propagator, or those of several seeds of one training.
    """

    role: Role
    seeds: tuple[Propagator, ...]

    @property
    def n_history(self) -> int:
        """The number of given frames that the member needs."""
        return self.seeds[0].n_history

    @property
    def is_differentiable(self) -> bool:
        """Whether gradients through the member are correct."""
        return all(seed.is_differentiable for seed in self.seeds)


@explained
@dataclasses.dataclass(frozen=True)
class Panel:
    """The propagators of an analysis, all of one system.

    Attributes:
      system: The system, without bounds of its potentials.
      members: The members by name, in the order of tables.
    """

    system: System
    members: Mapping[str, Member]

    @property
    def n_history(self) -> int:
        """The number of frames given to every member, the most that any needs."""
        return max(member.n_history for member in self.members.values())

    @property
    def roles(self) -> dict[str, str]:
        """The role of each member, by name."""
        return {name: member.role for name, member in self.members.items()}

    def with_controls(
        self, exact: Propagator, negative: Mapping[str, Propagator] | None = None
    ) -> "Panel":
        """Return the panel with the exact solver and negative controls in front."""
        controls = {EXACT: Member("exact", (exact,))}
        controls |= {n: Member("negative", (each,)) for n, each in (negative or {}).items()}
        for name in controls.keys() & self.members.keys():
            refuse("emulators", f"named differently from the controls {list(controls)}", repr(name))
        return Panel(self.system, {**controls, **self.members})

    def without(self, role: Role) -> "Panel":
        """Return the panel without the members of one role."""
        kept = {name: each for name, each in self.members.items() if each.role != role}
        return Panel(self.system, kept)


@explained
def make_panel(emulators: Ensembles, nulls: Ensembles | None = None) -> Panel:
    """Return the panel of emulators and null models, which are measured in the same way.

    Args:
      emulators: Propagators by name, one or one for each seed of a training.
      nulls: Null models by name: non-learned propagators of about the same error.

    Raises:
      ValueError: For no emulator, no seed, a name that is used twice, propagators of different
        systems or that are not pytrees, or seeds that need different numbers of frames.

    >>> from qdistill.teacher import split_step
    >>> panel = make_panel({"fine": split_step(System(), 20)}, {"coarse": split_step(System(), 4)})
    >>> panel.roles
    {'fine': 'emulator', 'coarse': 'null'}
    """
    nulls = nulls or {}
    if not emulators:
        refuse("emulators", "at least one", emulators)
    for name in emulators.keys() & nulls.keys():
        refuse("nulls", "named differently from the emulators", repr(name))
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


@explained
def unbounded(system: System) -> System:
    """Return the system without bounds of its potentials."""
    return dataclasses.replace(system, bounds=None)
