"""Trainings with a record of the parameters every few steps."""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int, PyTree

from qdistill._checks import refuse, require_at_least
from qdistill.runs import folder
from qdistill.runs.config import Config
from qdistill.training import loop
from qdistill.training.loop import TrainState


class Path(NamedTuple):
    """The parameters of a student at several steps of its training.

    Attributes:
      step: Training steps, ascending from 0.
      params: Parameters; each leaf has a first axis n_record.
    """

    step: Int[np.ndarray, " n_record"]
    params: PyTree


def follow(config: Config, every: int, until: int) -> Path:
    """Train a run anew from its config, and record its parameters.

    A batch is a function of the seed and the step, so up to rounding this is the same training.

    Args:
      config: The config of the run.
      every: Steps between two records; it divides the steps of every block.
      until: The step at which to stop.
    """
    require_at_least(1, every=every, until=until)
    if any(stage.batches.n_block % every for stage in config.training.stages):
        refuse("every", "a divisor of the steps of every block", every)
    setup = folder.set_up(config)
    state = setup.trainers[0].init(jax.random.key(config.seed))
    steps, records = [0], [state.params]
    for now in _advance(config, every, until, state):
        steps.append(int(now.step))
        records.append(now.params)
    params = jax.tree.map(lambda *leaves: np.stack(leaves), *records)
    return Path(np.array(steps), params)


def _advance(config: Config, every: int, until: int, state: TrainState) -> Iterator[TrainState]:
    """The states of a training, every few steps: blocks are cut into parts."""
    setup = folder.set_up(config)
    # The data come in whole blocks; a step depends on its number only, not on its block.
    short = dataclasses.replace(
        config.training,
        stages=tuple(
            dataclasses.replace(stage, batches=dataclasses.replace(stage.batches, n_block=every))
            for stage in config.training.stages
        ),
    )
    parts = loop.make_trainers(setup.student, setup.teacher, config.curriculum, short)
    plan = config.training
    for i, (whole, part, end) in enumerate(
        zip(setup.trainers, parts, plan.boundaries, strict=True)
    ):
        if i > 0:
            state = state._replace(opt_state=whole.init(state.key).opt_state)
        while state.step < min(end, until):
            block = whole.make_block(state)
            for begin in range(0, plan.stages[i].batches.n_block, every):
                rows = slice(begin, begin + every)
                some = block._replace(
                    run=block.run[rows], time=block.time[rows], centre=block.centre[rows]
                )
                state, _ = part.train_block(state, some)
                yield state


def keep(config: Config, every: int, until: int, place: pathlib.Path) -> Path:
    """Return the recorded training of a config, from a file if it was recorded before.

    Args:
      config: The config of the run.
      every, until: See `follow`.
      place: Folder of the files, one for each seed. Delete it if the preset has changed.
    """
    file = place / f"{config.preset}-every{every}-until{until}-seed{config.seed}.npz"
    init = jax.eval_shape(folder.set_up(config).student.init, jax.random.key(0))
    # Untyped, because the stubs of JAX give the type of a structure no attributes.
    structure: Any = jax.tree.structure(init)
    if file.exists():
        with np.load(file) as kept:
            leaves = [kept[f"leaf{i}"] for i in range(len(jax.tree.leaves(init)))]
            return Path(kept["step"], jax.tree.unflatten(structure, leaves))
    found = follow(config, every, until)
    place.mkdir(parents=True, exist_ok=True)
    named = {f"leaf{i}": leaf for i, leaf in enumerate(jax.tree.leaves(found.params))}
    np.savez(file, step=found.step, **named)
    return found
