import dataclasses
import json
from typing import Any, Optional

import pytest
import small

from qdistill.curriculum import CurriculumConfig, make_schedules
from qdistill.forecast import BenchmarkConfig
from qdistill.physics.grid import Grid
from qdistill.runs import config, presets
from qdistill.runs.config import Config
from qdistill.runs.folder import set_up
from qdistill.runs.presets import PRESETS
from qdistill.students import FORMS, StudentConfig, UnitaryConfig, WindowConfig, WindowedConfig
from qdistill.system import SYSTEMS, System
from qdistill.teacher import TeacherConfig
from qdistill.training.stages import Stage, TrainingConfig

ALL = {name: preset for name, (_, preset) in PRESETS.items()}
LINES = [name for name, preset in ALL.items() if preset.system.grid.n_dim == 1]
PLANE = System(Grid((64, 64), (16.0, 16.0), "continuum"))


@pytest.mark.parametrize("name", ALL)
def test_presets_survive_json_and_bear_their_names(name: str) -> None:
    preset = ALL[name]
    assert preset.preset == name
    assert config.from_json(config.to_json(preset)) == preset


@pytest.mark.parametrize("name", ALL)
def test_smoke_is_small_and_valid(name: str) -> None:
    smoke = presets.smoke(ALL[name])
    assert smoke.training.boundaries[-1] <= 8 * len(smoke.training.stages)
    assert len(smoke.training.stages) == len(ALL[name].training.stages)
    assert (smoke.benchmark.n_frames, smoke.benchmark.n_cases) == (12, 4)
    for stage in smoke.training.stages:
        assert stage.batches.n_batch <= 16
        assert stage.batches.n_block == 4
        assert stage.batches.n_runs == 2
        assert stage.batches.n_frames == 8


def test_smoke_has_room_for_the_frames_that_a_student_needs() -> None:
    many = WindowedConfig("linear", windows=WindowConfig(n_history=8))
    benchmark = dataclasses.replace(ALL["demo"].benchmark, n_given=8)
    smoke = presets.smoke(dataclasses.replace(small.CONFIG, student=many, benchmark=benchmark))
    assert [stage.batches.n_frames for stage in smoke.training.stages] == [9, 10]
    set_up(smoke)


@pytest.mark.parametrize("name", LINES)
def test_smoke_teaches_every_staged_lesson(name: str) -> None:
    preset = dataclasses.replace(PRESETS[name][1], curriculum=CurriculumConfig(plan="staged"))
    smoke = presets.smoke(preset)
    starts = [0, *smoke.training.block_ends[:-1]]
    weights, _ = make_schedules(smoke.curriculum, smoke.training.boundaries[-1])
    assert {int(weights(step).argmax()) for step in starts} == set(range(5))


def test_paper_presets_are_the_papers() -> None:
    demo, full = PRESETS["paper-demo"][1], PRESETS["paper-full"][1]
    assert isinstance(demo.student, WindowedConfig)
    assert isinstance(full.student, WindowedConfig)
    assert (demo.training.boundaries, full.training.boundaries) == ([900_000], [5_290_000])
    assert (demo.student.windows.v_scale, full.student.windows.v_scale) == (10.0, 14.0)
    assert not demo.student.windows.gauge
    assert not full.student.windows.gauge
    for preset in (demo, full):
        (stage,) = preset.training.stages
        assert stage.batches.n_batch == 128
        assert stage.batches.n_frames == 501
        assert stage.batches.placement == "potential"
        assert (stage.optimiser, stage.peak_rate, stage.final_rate) == ("adam", 1e-3, 1e-6)
        assert (stage.weight_decay, stage.clip, stage.warm_up) == (0.01, 1.0, 0.01)
        assert (stage.noise, stage.relative, stage.loss_sigma) == (0.0, False, 0.0)


def test_unknown_missing_and_bad_settings_are_refused() -> None:
    tree = json.loads(config.to_json(Config()))
    tree["teacher"]["colour"] = "blue"
    with pytest.raises(ValueError, match=r"`config.teacher.colour` must be a setting that exists"):
        config.from_json(json.dumps(tree))
    tree = json.loads(config.to_json(Config()))
    del tree["student"]["name"]
    with pytest.raises(ValueError, match=r"`config.student.name` must be given, but is missing"):
        config.from_json(json.dumps(tree))
    tree = json.loads(config.to_json(Config()))
    tree["system"]["grid"]["lengths"] = [-1.0]
    with pytest.raises(ValueError, match="`lengths` must be finite and positive"):
        config.from_json(json.dumps(tree))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("curriculum.lessons", 3, "`config.curriculum.lessons` must be a list, but is 3"),
        ("curriculum.lessons", [3], "`config.curriculum.lessons.0` must be a string, but is 3"),
        ("curriculum.difficulty", [1.0], "`config.curriculum.difficulty` must be a list of 2"),
        ("seed", 1.5, "`config.seed` must be an integer, but is 1.5"),
        ("seed", True, "`config.seed` must be an integer, but is True"),
        ("system.dt", "0.1", "`config.system.dt` must be a number, but is '0.1'"),
        ("system.grid.shape", [8.5], "`config.system.grid.shape.0` must be an integer, but is 8.5"),
        ("system.bounds", [0.0], "`config.system.bounds` must be a list of 2"),
        ("system.name", "Oracle", "`config.system.name` must be one of 'System'"),
        ("student.name", "oracle", "`config.student.name` must be one of .*'unitary'"),
        ("extensions", [3], "`config.extensions.0` must be a table of settings, but is 3"),
        ("student.windows.gauge", 1, "`config.student.windows.gauge` must be true or false"),
        ("teacher", [], "`config.teacher` must be a table of settings, but is"),
    ],
)
def test_values_of_the_wrong_type_are_refused(path: str, value: Any, message: str) -> None:
    tree = json.loads(config.to_json(Config()))
    *folders, leaf = path.split(".")
    node = tree
    for folder in folders:
        node = node[folder]
    node[leaf] = value
    with pytest.raises(ValueError, match=message):
        config.from_json(json.dumps(tree))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"seed": -1}, "`seed` must be at least 0, but is -1"),
        ({"seed": 2**32}, r"`seed` must be at most 2\^32 - 1, but is 4294967296"),
        (
            {"system": PLANE, "student": UnitaryConfig()},
            "`training.stages.batches.examples` must be one of 'frames', but is 'windows'",
        ),
        ({"system": System(Grid(22, 100.0))}, "`n_x` must be at least 23, but is 22"),
        ({"teacher": TeacherConfig("split_step", n_substeps=1)}, "`n_substeps` must be at least "),
        ({"curriculum": CurriculumConfig(("diving",))}, "`lessons` must be one of "),
        (
            {"benchmark": BenchmarkConfig(n_given=3)},
            "`benchmark.n_given` must be at least 4, but is 3",
        ),
        (
            {
                "curriculum": CurriculumConfig(plan="staged"),
                "training": TrainingConfig((Stage(n_steps=4000),)),
            },
            "`n_steps / n_block` must be at least 5, the number of staged lessons, but is 4",
        ),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(parts: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Config(**parts)


def test_a_student_without_windows_needs_one_frame_and_any_grid() -> None:
    Config(
        system=System(Grid(16, 100.0)),
        student=UnitaryConfig(),
        benchmark=BenchmarkConfig(n_given=1),
    )


def test_differences_name_the_settings() -> None:
    demo, paper = PRESETS["gru-demo"][1], PRESETS["paper-demo"][1]
    lines = config.differences(demo, paper)
    assert "student.windows.gauge: True is not False" in lines
    assert any(line.startswith("training.stages.0.n_steps: ") for line in lines)
    assert config.differences(demo, demo) == []


def test_a_student_of_ones_own_is_a_node_of_the_config() -> None:
    """With fields of every kind that a config may have."""

    @dataclasses.dataclass(frozen=True)
    class Own(StudentConfig, name="own"):
        n_units: int | None = None
        rate: Optional[float] = 0.5  # noqa: UP045 -- as others may write it.
        sides: tuple[int, ...] = (3, 4)
        inner: UnitaryConfig = dataclasses.field(default_factory=UnitaryConfig)

        def build(self, system: System) -> Any:
            return self.inner.build(system)

    try:
        for own in (Own(), Own(8, None, (), UnitaryConfig(3))):
            mine = Config(student=own)
            assert config.from_json(config.to_json(mine)) == mine
        tree = json.loads(config.to_json(Config(student=Own())))
        tree["student"]["n_units"] = "many"
        with pytest.raises(ValueError, match=r"`config.student.n_units` must be an integer"):
            config.from_json(json.dumps(tree))
    finally:
        FORMS.pop("own")


def test_a_field_that_json_cannot_hold_is_refused_in_words() -> None:
    @dataclasses.dataclass(frozen=True)
    class Odd(System):
        table: dict = dataclasses.field(default_factory=dict)

    try:
        tree = json.loads(config.to_json(Config()))
        tree["system"] |= {"name": "Odd", "table": {}}
        with pytest.raises(ValueError, match=r"`config.system.table` must be of a type that "):
            config.from_json(json.dumps(tree))
    finally:
        SYSTEMS.pop("Odd")


def test_leaves_are_the_settings_by_name() -> None:
    leaves = config.leaves(small.CONFIG)
    assert leaves["training.stages.1.batches.n_target"] == 2
    assert leaves["curriculum.lessons"] == ("free", "barrier")
    assert leaves["system.grid.shape"] == (1024,)
    assert leaves["student.windows.gauge"] is True
