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
from qdistill import students
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast import benchmark
from qdistill.forecast.benchmark import BenchmarkConfig
from qdistill.insight.importance import trainings
from qdistill.runs import folder as runs
from qdistill.runs.config import Config
from qdistill.students import StudentConfig
from qdistill.training import loop as training
from qdistill.training.batches import BatchConfig
from qdistill.training.stages import TrainingConfig

# Neither 10 examples nor 3 runs can be dealt out evenly.
STAGE = dataclasses.replace(
    small.WINDOWS,
    n_steps=200,
    batches=BatchConfig(n_batch=10, n_block=20, n_runs=3, n_frames=8, placement="amplitude"),
    noise=1e-2,
)
CONFIG = Config(
    "cluster",
    curriculum=CurriculumConfig(lessons=("free", "barrier"), plan="loss-driven"),
    student=StudentConfig("linear"),
    training=TrainingConfig((STAGE,), checkpoint_every=40),
    benchmark=BenchmarkConfig(n_frames=2),
)


def compare_simulations(mesh: jax.sharding.Mesh | None) -> None:
    """Truth and forecast of the 25 cases, over the mesh and on one device."""
    setup = runs.set_up(CONFIG)
    psi0, v = benchmark.make_cases(setup.grid)
    student = students.from_propagator(setup.teacher)

    def simulate(mesh: jax.sharding.Mesh | None) -> tuple[np.ndarray, np.ndarray]:
        truth = benchmark.simulate(setup.grid, 0.1, psi0, v, CONFIG.benchmark, mesh)
        forecast = benchmark.forecast(student, setup.teacher, truth, mesh)
        return np.asarray(truth.frames), np.asarray(forecast.frames)

    for ours, theirs in zip(simulate(mesh), simulate(None), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def compare_sweeps(mesh: jax.sharding.Mesh | None) -> None:
    """Three seeds trained side by side, over the mesh and on one device."""
    lessons = dataclasses.replace(CONFIG.curriculum, plan="constant")
    plan = TrainingConfig((dataclasses.replace(STAGE, n_steps=20),))
    settings = dataclasses.replace(CONFIG, curriculum=lessons, training=plan)

    def train(mesh: jax.sharding.Mesh | None) -> np.ndarray:
        (trained,) = trainings.train(settings, np.ones((3, 2)), [0, 1, 2], 1, mesh)
        return trained.loss

    np.testing.assert_allclose(train(mesh), train(None), rtol=1e-5)


def die_at(step: int) -> None:
    """As if the machine of the second process failed."""
    fit = training.fit

    def mortal_fit(*args) -> Iterator:
        for state, metrics in fit(*args):
            if metrics["step"] == step and jax.process_index() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            yield state, metrics

    training.fit = mortal_fit  # type: ignore[assignment]


def main(out: pathlib.Path, n_devices: int, death: int) -> None:
    mesh = cluster.start(n_devices)
    assert mesh is not None
    assert mesh.size == max(n_devices, jax.process_count())
    if death:
        die_at(death)
    if cluster.is_main():
        runs.open_folder(out, CONFIG, resume=out.exists())
    cluster.wait("the folder is open")
    runs.train(CONFIG, out, mesh)
    if jax.process_count() == 1:
        compare_simulations(mesh)
        compare_sweeps(mesh)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if sys.argv[3:] else 0)
