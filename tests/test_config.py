import json

import pytest

from qdistill import config
from qdistill.config import PRESETS, Config


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json_and_bear_their_names(name: str) -> None:
    _, preset = PRESETS[name]
    assert preset.preset == name
    assert config.from_json(config.to_json(preset)) == preset


@pytest.mark.parametrize("name", PRESETS)
def test_smoke_is_small_and_valid(name: str) -> None:
    small = config.smoke(PRESETS[name][1])
    assert small.training.boundaries[-1] <= 8 * len(small.training.stages)
    assert len(small.training.stages) == len(PRESETS[name][1].training.stages)


def test_paper_presets_are_the_papers() -> None:
    demo, full = PRESETS["paper-demo"][1], PRESETS["paper-full"][1]
    assert (demo.training.boundaries, full.training.boundaries) == ([900_000], [5_290_000])
    assert (demo.student.windows.v_scale, full.student.windows.v_scale) == (10.0, 14.0)
    for preset in (demo, full):
        (stage,) = preset.training.stages
        assert stage.batches.n_batch == 128
        assert stage.batches.n_frames == 501
        assert stage.batches.placement == "landscape"
        assert (stage.optimiser, stage.peak_rate, stage.final_rate) == ("adam", 1e-3, 1e-6)
        assert (stage.weight_decay, stage.clip, stage.warm_up) == (0.01, 1.0, 0.01)
        assert (stage.noise, stage.relative, stage.loss_sigma) == (0.0, False, 0.0)
        assert not preset.student.windows.gauge


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
    tree["teacher"]["length"] = -1.0
    with pytest.raises(ValueError, match="`lengths` must be finite and positive"):
        config.from_json(json.dumps(tree))


def test_differences_name_the_settings() -> None:
    demo, paper = PRESETS["gru-demo"][1], PRESETS["paper-demo"][1]
    lines = config.differences(demo, paper)
    assert "student.windows.gauge: True is not False" in lines
    assert any(line.startswith("training.stages.0.n_steps: ") for line in lines)
    assert config.differences(demo, demo) == []
