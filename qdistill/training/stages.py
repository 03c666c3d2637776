"""The stages of a training: loss, examples, optimiser and learning rates."""

import dataclasses
import itertools
from typing import Literal, TypeAlias, get_args

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PyTree

from qdistill._checks import (
    refuse,
    require_at_least,
    require_between,
    require_one_of,
    require_positive,
    require_settings,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.training.batches import BatchConfig

Optimiser: TypeAlias = Literal["adam", "muon", "gauss-newton"]
Decay: TypeAlias = Literal["linear", "cosine"]
OnDivergence: TypeAlias = Literal["stop", "rollback"]
# Highest power of a loss: with more it leaves the range of single precision.
HIGHEST = 10.0


@explained
@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of the training with one kind of example, one loss and one learning-rate schedule.

    Attributes:
      n_steps: Number of steps, a multiple of `batches.n_block`.
      batches: Settings of the examples. For whole frames the student is rolled out over their
        `n_target` frames, and the gradient flows through the whole rollout. For spectra it makes
        one frame of each eigenstate of a box.
      relative: Whether the error of a window is relative to its amplitude, and that of a spectrum
        to the error of the untrained student. The error of whole frames is always relative to the
        amplitude.
      loss_sigma: Width in points of a Gaussian that weights the points of a window in the loss; 0
        weights them equally. For windows only.
      power: The mean of (loss of an example)^power is minimised. Losses are squared errors. With
        1/2 all examples contribute similarly; with 1 the few worst dominate. At most 10.
      noise: Size of the complex white noise on the given frames, relative to the amplitude.
      optimiser: ``"adam"`` with decoupled weight decay, or ``"muon"`` for the kernels. For spectra
        of a splitting also ``"gauss-newton"``, which solves the least squares of a batch in each
        step, with losses relative to their median in `power`; of the settings after this one only
        `memory` then has an effect. For a student from scratch it smooths a quarter of the boxes by
        up to 1 bohr.
      peak_rate: Learning rate after the warm-up, during which it rises linearly from 0.
      final_rate: Learning rate at the end.
      decay: Decay of the learning rate after the peak: ``"linear"`` or ``"cosine"``.
      memory: Adam's b2, the decay per step of the mean squared gradient; below 1. For Gauss-Newton
        steps the decay per step of the sum of normal matrices.
      warm_up: Share of the steps in the warm-up.
      weight_decay: Decoupled weight decay, of kernels only.
      clip: Largest norm of the gradient of each parameter array.
    """

    n_steps: int = 900_000
    batches: BatchConfig = dataclasses.field(default_factory=BatchConfig)
    relative: bool = False
    loss_sigma: float = 0.0
    power: float = 1.0
    noise: float = 0.0
    optimiser: Optimiser = "adam"
    peak_rate: float = 1e-3
    final_rate: float = 1e-6
    decay: Decay = "linear"
    memory: float = 0.999
    warm_up: float = 0.01
    weight_decay: float = 0.01
    clip: float = 1.0

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_at_least(1, n_steps=self.n_steps)
        if self.n_steps % self.batches.n_block:
            refuse("n_steps", f"a multiple of n_block = {self.batches.n_block}", self.n_steps)
        require_one_of(get_args(Optimiser), optimiser=self.optimiser)
        for name in ("peak_rate", "final_rate", "clip", "power"):
            require_positive(**{name: getattr(self, name)})
        require_between(0, HIGHEST, power=self.power)
        require_one_of(get_args(Decay), decay=self.decay)
        require_between(0, 1, warm_up=self.warm_up, memory=self.memory)
        if self.memory == 1:
            refuse("memory", "below 1", self.memory)
        for name in ("loss_sigma", "noise", "weight_decay"):
            require_between(0, float("inf"), **{name: getattr(self, name)})
        examples = self.batches.examples
        if self.optimiser == "gauss-newton":
            if examples != "spectra":
                refuse("examples", "spectra for Gauss-Newton steps", examples)
            if self.relative:
                refuse("relative", "False for Gauss-Newton steps", self.relative)
        if examples == "frames" and self.relative:
            refuse("relative", "False with frames", self.relative)
        if examples != "windows" and self.loss_sigma:
            refuse("loss_sigma", f"0 with {examples}", self.loss_sigma)
        if examples != "frames" and self.batches.n_target != 1:
            refuse("n_target", f"1 with {examples}", self.batches.n_target)
        if examples == "spectra" and self.noise:
            refuse("noise", "0 with spectra", self.noise)


@explained
def smoke_stage(stage: Stage, n_blocks: int = 2, n_history: int = 1) -> Stage:
    """Return a stage with a few small blocks, for a student that needs `n_history` given frames."""
    require_at_least(1, n_history=n_history)
    n_target = min(stage.batches.n_target, 3)
    small = dataclasses.replace(
        stage.batches,
        n_block=4,
        n_batch=min(stage.batches.n_batch, 16),
        n_runs=2,
        n_target=n_target,
        n_frames=max(8, n_history + n_target),
        spectra=dataclasses.replace(stage.batches.spectra, n_box=64, n_states=16),
    )
    return dataclasses.replace(stage, n_steps=4 * n_blocks, batches=small)


@explained
@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """Settings of a whole training.

    Attributes:
      stages: The stages in order; each starts with a new optimiser state.
      checkpoint_every: Steps between checkpoints, at the ends of blocks; the last is always saved.
      on_divergence: ``"stop"``, or ``"rollback"``: return to the newest checkpoint and continue
        with a smaller learning rate for the rest of the stage.
      diverged: The loss counts as diverged above this multiple of the loss of the stage's first
        block.
      rollback_rate: Factor of the learning rate at a rollback; below 1.
      max_rollbacks: Largest number of rollbacks; the next divergence stops the run.
    """

    stages: tuple[Stage, ...] = (Stage(),)
    checkpoint_every: int = 10_000
    on_divergence: OnDivergence = "stop"
    diverged: float = 1000.0
    rollback_rate: float = 0.5
    max_rollbacks: int = 10

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_at_least(1, checkpoint_every=self.checkpoint_every)
        require_at_least(0, max_rollbacks=self.max_rollbacks)
        require_one_of(get_args(OnDivergence), on_divergence=self.on_divergence)
        require_positive(diverged=self.diverged, rollback_rate=self.rollback_rate)
        if self.diverged <= 1:
            refuse("diverged", "above 1", self.diverged)
        if self.rollback_rate >= 1:
            refuse("rollback_rate", "below 1", self.rollback_rate)

    @property
    def boundaries(self) -> list[int]:
        """The step at which each stage ends."""
        return list(itertools.accumulate(stage.n_steps for stage in self.stages))

    @property
    def block_ends(self) -> list[int]:
        """The step at which each block ends."""
        blocks = ([s.batches.n_block] * (s.n_steps // s.batches.n_block) for s in self.stages)
        return list(itertools.accumulate(itertools.chain(*blocks)))


@explained
def learning_rate(stage: Stage) -> optax.Schedule:
    """Return the schedule of a stage: linear warm-up to the peak, then linear or cosine decay."""
    n_warm = max(1, round(stage.warm_up * stage.n_steps))
    rise = optax.linear_schedule(0.0, stage.peak_rate, n_warm)
    n_fall = max(1, stage.n_steps - n_warm)
    if stage.decay == "linear":
        fall = optax.linear_schedule(stage.peak_rate, stage.final_rate, n_fall)
    else:
        fall = optax.cosine_decay_schedule(
            stage.peak_rate, n_fall, stage.final_rate / stage.peak_rate
        )
    rate = optax.join_schedules([rise, fall], [n_warm])
    # Of an integer optax makes a rate of single precision, in whatever precision the rest is.
    return lambda step: rate(jnp.asarray(step, float))


@explained
def make_optimiser(stage: Stage) -> optax.GradientTransformation:
    """Return the optimiser of a stage: clipping per array, then Adam or Muon with weight decay.

    Raises:
      ValueError: For a stage of Gauss-Newton steps, which use more than the gradient.
    """
    if stage.optimiser == "gauss-newton":
        refuse("optimiser", "adam or muon here", stage.optimiser)

    def is_kernel(params: PyTree) -> PyTree:
        return jax.tree.map(lambda p: p.ndim > 1, params)

    rate = learning_rate(stage)
    if stage.optimiser == "adam":
        rule = optax.adamw(rate, b2=stage.memory, weight_decay=stage.weight_decay, mask=is_kernel)
    else:
        rule = optax.contrib.muon(
            rate,
            adam_b2=stage.memory,
            weight_decay=stage.weight_decay,
            weight_decay_mask=is_kernel,
        )
    return optax.chain(clip_each(stage.clip), rule)


@explained
def clip_each(max_norm: float) -> optax.GradientTransformation:
    """Return the transformation that clips the gradient of each array to a norm of `max_norm`."""
    require_positive(max_norm=max_norm)
    require_shape((), max_norm=max_norm)

    def clip(gradient: Array) -> Array:
        norm = jnp.linalg.norm(gradient.ravel())
        return gradient * (max_norm / jnp.maximum(norm, max_norm))

    return optax.stateless(lambda updates, params: jax.tree.map(clip, updates))
