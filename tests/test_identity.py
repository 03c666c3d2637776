"""What belongs together: a run, its config, its checkpoints, and its score."""

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest
import small
from small import MEANS, score

from experiments import convert
from qdistill.curriculum import CurriculumConfig
from qdistill.runs import checkpoints, distillation, folder, pretrained, story
from qdistill.runs.checkpoints import Checkpoints, steps_in
from qdistill.runs.config import Config
from qdistill.students import WindowedConfig

CONFIG = dataclasses.replace(small.CONFIG, student=WindowedConfig("linear"))


def begun(out: pathlib.Path, settings: Config = CONFIG) -> pathlib.Path:
    """The folder of a run with two checkpoints, of parameters that are not the same."""
    folder.open_folder(out, settings, resume=False)
    state = folder.set_up(settings).trainers[0].init(jax.random.key(settings.seed))
    with Checkpoints(out / "checkpoints") as saved:
        for step in (12, 16):
            params = jax.tree.map(lambda leaf, step=step: leaf + step, state.params)
            saved.save(state._replace(step=jnp.int32(step), params=params), 1.0 / step)
    return out


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return begun(tmp_path_factory.mktemp("identity") / "run")


@pytest.fixture
def copy(run: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(run, tmp_path / "copy"))


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(CONFIG, seed=1),
        dataclasses.replace(CONFIG, curriculum=CurriculumConfig(("free", "trapping"))),
    ],
    ids=["seed", "lessons"],
)
@pytest.mark.parametrize("link", [False, True], ids=["copied", "linked"])
def test_a_checkpoint_of_another_run_is_refused(
    other: Config, link: bool, copy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    theirs = begun(tmp_path / "theirs", other) / "checkpoints" / "16"
    for step in ("16", "20"):
        ours = copy / "checkpoints" / step
        if ours.exists():
            shutil.rmtree(ours)
        ours.symlink_to(theirs) if link else shutil.copytree(theirs, ours)
        for use in (folder.load, lambda out: folder.train(CONFIG, out)):
            with pytest.raises(ValueError, match=rf"/{step}` is of a run with other settings"):
                use(copy)
        assert ours.exists(), "it is sound, and stays where it is"
        ours.unlink() if link else shutil.rmtree(ours)


@pytest.mark.parametrize("act", [shutil.move, shutil.copytree, lambda a, b: b.symlink_to(a)])
def test_a_checkpoint_with_the_name_of_another_step_is_refused(
    act: Callable, copy: pathlib.Path
) -> None:
    act(copy / "checkpoints" / "16", copy / "checkpoints" / "20")
    for use in (folder.load, lambda out: folder.train(CONFIG, out)):
        with pytest.raises(ValueError, match=r"/20` is that of step 16: its folder was renamed"):
            use(copy)


def test_an_older_checkpoint_of_another_run_is_refused_too(
    copy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    theirs = begun(tmp_path / "theirs", dataclasses.replace(CONFIG, seed=1)) / "checkpoints"
    shutil.copytree(theirs / "12", copy / "checkpoints" / "8")
    with pytest.raises(ValueError, match="is of a run with other settings"):
        folder.load(copy)


def test_a_config_that_was_changed_is_refused(copy: pathlib.Path) -> None:
    score(copy)
    path = copy / "config.json"
    text = path.read_text()
    for old, new in (('"dt": 0.1', '"dt": 0.3'), ('"seed": 0', '"seed": 1')):
        assert old in text
        path.write_text(text.replace(old, new))
        for use in (
            folder.load,
            pretrained.from_run,
            distillation.evaluate,
            story.read,
            lambda out: folder.open_folder(out, CONFIG, resume=True),
        ):
            with pytest.raises(ValueError, match=r"config\.json`: .*`config\.sha256` must be the"):
                use(copy)
    path.write_text(text.replace('"sha256"', '"sha"'))
    with pytest.raises(ValueError, match=r"`config\.sha` must be a setting that exists"):
        folder.load(copy)
    # The order of settings and the form of numbers say nothing.
    tree = json.loads(text)
    tree["curriculum"]["ramp"] = tree["curriculum"].pop("ramp")
    tree["training"]["diverged"] = int(tree["training"]["diverged"])
    path.write_text(json.dumps(tree))
    assert folder.load(copy).config == CONFIG


def test_a_score_goes_with_the_parameters_that_it_is_of(
    copy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    score(copy)
    emulator = pretrained.from_run(copy)
    assert emulator.score is not None
    assert emulator.score["training_steps"] == 16
    pretrained.write(tmp_path / "sound.npz", emulator)
    # The newest checkpoint is damaged: only one of other parameters is left.
    (copy / "checkpoints" / "16" / "metrics" / "metrics").write_text("")
    for use in (pretrained.from_run, lambda out: pretrained.find(str(out))):
        with pytest.raises(ValueError, match=r"of step 16, but the newest .* is that of step 12"):
            use(copy)
    # Another training of as many steps.
    score(copy, params_sha256="0" * 64)
    with pytest.raises(ValueError, match="trains to the end and scores again"):
        pretrained.from_run(copy)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("", "Expecting value"),
        ("[" * 100_000, "recursion"),
        ("[]", "`metrics` must be a table"),
        ("{}", r"`metrics\.student` must be given"),
    ],
)
def test_a_damaged_score_is_named(damage: str, words: str, copy: pathlib.Path) -> None:
    (copy / "metrics.json").write_text(damage)
    for use in (pretrained.from_run, story.read, distillation.read_metrics):
        with pytest.raises(ValueError, match=rf"metrics\.json`: .*{words}"):
            use(copy)


def test_scores_of_the_wrong_type_are_named(copy: pathlib.Path) -> None:
    for name, wrong in (("mean_mae", "small"), ("mean_nrmse", True), ("n_frames", [3])):
        score(copy, benchmark=MEANS | {name: wrong})
        with pytest.raises(ValueError, match=rf"\['{name}'\]` must be a number or None, but is"):
            pretrained.from_run(copy)
    score(copy, benchmark={name: 0.5 for name in MEANS if name != "mean_mae"})
    with pytest.raises(ValueError, match=r"`benchmark\.mean_mae` must be given"):
        pretrained.from_run(copy)


def test_what_an_older_version_left_is_converted(copy: pathlib.Path) -> None:
    """No checksum in the config, nothing of the run in checkpoints and score."""
    score(copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({k: config[k] for k in config if k != "sha256"}))
    metrics = json.loads((copy / "metrics.json").read_text())
    del metrics["params_sha256"]
    (copy / "metrics.json").write_text(json.dumps(metrics))
    for step in steps_in(copy / "checkpoints"):
        place = copy / "checkpoints" / str(step)
        noted = json.loads((place / checkpoints.METRICS).read_text())
        del noted["run"], noted["step"]
        (place / checkpoints.METRICS).write_text(json.dumps(noted))
        sums = checkpoints.sums(place)
        del sums[str(checkpoints.METRICS)]
        (place / checkpoints.SUMS).write_text(json.dumps(sums))
    cure = r"experiments/convert\.py converts older runs"
    with pytest.raises(ValueError, match=rf"`config\.sha256` must be given, .*{cure}"):
        folder.load(copy)
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=rf"does not say of which run it is\. {cure}"):
        folder.load(copy)
    assert convert.convert_folder(copy)
    assert not convert.convert_folder(copy)
    assert json.loads((copy / "config.json").read_text()) == config
    assert pretrained.from_run(copy).score == distillation.means(metrics)
    assert folder.restore(copy)[1] == 16
