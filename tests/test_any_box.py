"""Any box and dimension is trained, scored, forecast and audited by the same functions."""

import dataclasses
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

import qdistill as qd
from qdistill.curriculum import CurriculumConfig
from qdistill.forecast import BenchmarkConfig, paper
from qdistill.insight import symmetries
from qdistill.physics import packets
from qdistill.runs import distillation, folder, pretrained, provenance, report, story
from qdistill.runs.config import Config
from qdistill.students import UnitaryConfig

LINE = qd.System(qd.Grid(512, 40.0, "lattice", origin=-20.0), dt=0.1, bounds=(-16.0, 16.0))
PLANE = qd.System(
    qd.Grid((32, 32), (12.0, 12.0), "continuum", mass=2.0), dt=0.1, bounds=(-18.0, 18.0)
)
LESSONS = {"line": ("free", "barrier"), "plane": ("packets", "wall", "slit", "shape")}


def make_config(name: str) -> Config:
    system = {"line": LINE, "plane": PLANE}[name]
    return dataclasses.replace(
        small.UNITARY,
        preset=name,
        system=system,
        curriculum=CurriculumConfig(LESSONS[name]),
        student=UnitaryConfig(reach=2, n_units=4, start="informed", kinetic_cap=30.0),
        benchmark=BenchmarkConfig(n_frames=4, n_cases=6),
    )


@pytest.fixture(scope="module", params=["line", "plane"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    out = tmp_path_factory.mktemp("boxes") / request.param
    # A plane has fewer figures.
    qd.distill(make_config(request.param), out, draw=request.param == "plane")
    return out


def test_a_run_is_trained_and_scored(run: pathlib.Path) -> None:
    losses = [line["loss"] for line in folder.read_log(run)]
    assert np.all(np.isfinite(losses))
    benchmark = json.loads((run / "metrics.json").read_text())["benchmark"]
    # Two clamped pairs of FFTs in a box with coarse edges.
    assert benchmark["mean_infidelity"] < 1e-2
    if run.name == "line":
        assert set(benchmark["cases"]) == set(paper.CASES)
        return
    # The cases of a plane are its own lessons, and it has fewer figures.
    assert list(benchmark["cases"]) == [
        "packets-1", "wall-1", "slit-1", "shape-1", "packets-2", "wall-2",
    ]  # fmt: skip
    metrics = distillation.read_metrics(run)
    assert "dispersion" not in metrics
    assert "paper's" not in report.summary(metrics)
    assert {path.stem for path in run.glob("*.png")} == {"training"}
    with pytest.raises(ValueError, match="one-dimensional"):
        distillation.evaluate(run, n_potentials=1)


def test_its_story_and_its_emulator_are_read_from_the_folder(run: pathlib.Path) -> None:
    told = story.tell(story.read(run))
    assert " x ".join(map(str, make_config(run.name).system.grid.shape)) in told
    emulator = pretrained.from_run(run)
    assert emulator.system == make_config(run.name).system
    assert emulator.provenance == tuple(provenance.read(run))
    assert emulator.score == distillation.means(distillation.read_metrics(run))
    lesson = LESSONS[run.name][1]
    psi, v = jax.jit(lambda key: emulator.system.sample(lesson, key, 1.0))(jax.random.key(0))
    frames = emulator.forecast(psi, v, 3)
    assert frames.shape == (3, *emulator.system.grid.shape)
    np.testing.assert_allclose(np.linalg.norm(frames[-1]), np.linalg.norm(psi), rtol=1e-5)


def test_its_symmetries_are_audited_next_to_a_null_model(run: pathlib.Path) -> None:
    """Mirror and superposition are built in; the solver that learned nothing has them too."""
    emulator = pretrained.from_run(run)
    null = qd.teacher.SplitStep(emulator.system, 2, 30.0)
    every = symmetries.make_symmetries(emulator.system.grid)
    report = symmetries.evaluate(
        {"emulator": [emulator]}, seed=0, n_case=2, n_frames=4, nulls={"clamped": [null]},
        lessons=() if run.name == "line" else LESSONS["plane"][:2],
        symmetries={name: every[name] for name in ("superposition", "mirror")},
    )  # fmt: skip
    findings = report.numbers["findings"]
    assert set(findings) == {"exact solver", "emulator", "clamped"}
    for who in ("emulator", "clamped"):
        for kind in findings[who].values():
            for name in ("superposition", "mirror"):
                assert kind[name]["verdict"] == "holds", (who, name)
            assert kind["superposition"]["control_fires"]


@pytest.mark.parametrize("name", ["line", "plane"])
def test_another_box_at_the_taught_spacing_is_the_same_physics(name: str) -> None:
    config = make_config(name)
    student = config.student.build(config.system)
    emulator = student.bind(jax.jit(student.init)(jax.random.key(0)))
    grid = config.system.grid
    wide = dataclasses.replace(
        grid,
        shape=tuple(2 * n for n in grid.shape),
        lengths=tuple(2 * length for length in grid.lengths),
        origin=tuple(x - length / 2 for x, length in zip(grid.origin, grid.lengths, strict=True)),
    )

    def forecast(where: qd.Emulator) -> np.ndarray:
        middle, ones = grid.middle, (0.7,) * grid.n_dim
        momentum = (2.0, *ones)[: grid.n_dim]
        psi = jax.jit(lambda: packets.gaussian(where.system.grid, middle, ones, momentum))()
        bump = lambda x, *others: 2 * jnp.exp(-((x - middle[0] - 1) ** 2)) + 0 * sum(others)  # noqa: E731
        return np.asarray(where.forecast(psi, bump, 5))

    inner = tuple(slice(n // 2, n // 2 + n) for n in grid.shape)
    far = forecast(emulator.on(wide))[(slice(None), *inner)]
    # The exact solver differs by 1.5e-5 on the plane: so much of the packet comes around the box.
    np.testing.assert_allclose(far, forecast(emulator), atol=3e-5)
