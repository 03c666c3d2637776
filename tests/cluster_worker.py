"""One process of a training, for test_cluster: python cluster_worker.py OUT DEVICES [DIE_AT].

Where it stands among others comes from the environment, see `cluster.join`.
"""

import dataclasses
import os
import pathlib
import signal
import sys
from collections.abc import Iterator

import jax
import numpy as np
import small

from qdistill import _distribute as cluster
from qdistill.curriculum import CurriculumConfig
from qdistill.forecast import BenchmarkConfig, cases
from qdistill.forecast.held_out import make_paper_cases
from qdistill.insight.importance import trainings
from qdistill.runs import folder
from qdistill.runs.config import Config
from qdistill.students import WindowedConfig
from qdistill.training import loop
from qdistill.training.batches import BatchConfig
from qdistill.training.stages import TrainingConfig

# Neither 10 examples nor 3 runs can be dealt out evenly.
STAGE = dataclasses.replace(
    small.WINDOWS,
    n_steps=100,
    batches=BatchConfig(n_batch=10, n_block=10, n_runs=3, n_frames=8, placement="amplitude"),
    noise=1e-2,
)
CONFIG = Config(
    "cluster",
    curriculum=CurriculumConfig(lessons=("free", "barrier"), plan="loss-driven"),
    student=WindowedConfig("linear"),
    training=TrainingConfig((STAGE,), checkpoint_every=20),
    benchmark=BenchmarkConfig(n_frames=2),
)


def compare_simulations(mesh: jax.sharding.Mesh | None) -> None:
    """Truth and forecast of the 25 cases, over the mesh and on one device."""
    solver = folder.set_up(CONFIG).teacher

    def simulate(mesh: jax.sharding.Mesh | None) -> tuple[np.ndarray, np.ndarray]:
        truth = make_paper_cases(CONFIG.benchmark, CONFIG.system, mesh=mesh)
        return np.asarray(truth.frames), np.asarray(cases.forecast(solver, truth, mesh))

    for ours, theirs in zip(simulate(mesh), simulate(None), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def compare_sweeps(mesh: jax.sharding.Mesh | None) -> None:
    """Three seeds trained side by side, over the mesh and on one device."""
    lessons = dataclasses.replace(CONFIG.curriculum, plan="constant")
    plan = TrainingConfig((dataclasses.replace(STAGE, n_steps=10),))
    setup = folder.set_up(CONFIG)

    def train(mesh: jax.sharding.Mesh | None) -> np.ndarray:
        (trained,) = trainings.train(
            setup.student, setup.teacher, lessons, plan, np.ones((3, 2)), [0, 1, 2], 1, mesh
        )
        return trained.loss

    np.testing.assert_allclose(train(mesh), train(None), rtol=1e-5)


def die_at(step: int) -> None:
    """As if the machine of the second process failed."""
    fit = loop.fit

    def mortal_fit(*args) -> Iterator:
        for state, metrics in fit(*args):
            if metrics["step"] == step and jax.process_index() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            yield state, metrics

    loop.fit = mortal_fit  # type: ignore[assignment]


def main(out: pathlib.Path, n_devices: int, death: int) -> None:
    mesh = cluster.start(n_devices)
    assert mesh is not None
    assert mesh.size == max(n_devices, jax.process_count())
    if death:
        die_at(death)
    if cluster.is_main():
        folder.open_folder(out, CONFIG, resume=out.exists())
    cluster.wait("the folder is open")
    folder.train(CONFIG, out, mesh)
    if jax.process_count() == 1:
        compare_simulations(mesh)
        compare_sweeps(mesh)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 0)
