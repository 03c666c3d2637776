"""Batches of examples made on the fly, losses, stages, and the training loop."""

from qdistill.training import batches, boxes, loop, losses, stages
from qdistill.training.batches import Batch, BatchConfig
from qdistill.training.loop import Trainer, TrainState, fit, make_trainers
from qdistill.training.stages import Stage, TrainingConfig

__all__ = [
    "Batch",
    "BatchConfig",
    "Stage",
    "TrainState",
    "Trainer",
    "TrainingConfig",
    "batches",
    "boxes",
    "fit",
    "loop",
    "losses",
    "make_trainers",
    "stages",
]
