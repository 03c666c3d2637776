"""The emulators of the package: they do what their files say, and a file is whole or refused."""

import dataclasses
import functools
import io
import json
import pathlib
import random
import subprocess
import zipfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts
import small

import qdistill
from qdistill.forecast import cases
from qdistill.forecast.held_out import make_held_out, make_paper_cases
from qdistill.physics import packets, potentials
from qdistill.physics.grid import norm
from qdistill.runs import (
    checkpoints,
    config,
    folder,
    presets,
    pretrained,
    provenance,
    records,
)
from qdistill.students import Reach, domain
from qdistill.system import rollout

ROOT = pathlib.Path(__file__).parents[1]
NAMES = [
    "demo", "demo-newton", "gru", "gru-wide", "informed-1", "informed-2", "informed-2-continuum",
    "informed-2-newton", "informed-3", "propagator", "tully", "unitary",
]  # fmt: skip
# The folder of a run, where it is not that of its name.
FOLDERS = {
    "tully": "tully-run", "demo-newton": "demo-newton-seed-0",
    "informed-2-newton": "informed-2-newton-seed-0",
}  # fmt: skip
N_FRAMES = {"propagator": 40, "tully": 60}


load = functools.cache(qdistill.load)


def folder_of(name: str) -> pathlib.Path:
    return ROOT / "results" / FOLDERS.get(name, name)


def recorded(name: str) -> dict[str, Any]:
    return json.loads((folder_of(name) / "metrics.json").read_text())


def test_the_files_are_few_and_small() -> None:
    assert pretrained.names() == NAMES
    assert sum(path.stat().st_size for path in pretrained.FOLDER.glob("*.npz")) < 1_000_000


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_what_its_run_says(name: str) -> None:
    emulator, metrics = load(name), recorded(name)
    assert emulator.config == config.from_json((folder_of(name) / "config.json").read_text())
    assert emulator.system == emulator.config.system
    assert emulator.score is not None
    for key, value in emulator.score.items():
        assert value == (metrics if key in metrics else metrics["benchmark"])[key]
    assert emulator.score["n_frames"] == N_FRAMES.get(name, 400)
    assert emulator.commit is not None
    (note,) = emulator.provenance
    assert note["environment"] == metrics["environment"]


def test_the_commits_are_in_the_history() -> None:
    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)

    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("there is no history here")
    for name in NAMES:
        commit = load(name).commit
        assert git("merge-base", "--is-ancestor", str(commit), "HEAD").returncode == 0, name


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_met_again(name: str) -> None:
    """All frames of one or two of the runs of the test.

    Rounding to float32 adds up over 400 frames to some 5e-5 of |psi|, as the norm drift of the
    unitary students shows; by the triangle inequality the phase-sensitive error moves by no more,
    and the correlation, of the order of its square, by the product of the two.
    """
    emulator = load(name)
    names = ["steps"] if name.startswith("gru") else ["steps", "barrier-17.0-7.4-2.4"]
    benchmark, system = emulator.config.benchmark, emulator.system
    if system.n_channel:
        two = dataclasses.replace(benchmark, n_cases=2)
        truth = make_held_out(two, system, emulator.config.curriculum.lessons)
    else:
        truth = make_paper_cases(benchmark, system, names)
    # Not as all tests, which compile for milliseconds.
    forecast = jax.jit(
        jax.vmap(lambda given, v: emulator.forecast(given, v, benchmark.n_frames)),
        compiler_options={"xla_backend_optimization_level": 2} if len(names) == 1 else None,
    )
    frames = forecast(truth.given, truth.v)
    scores = cases.measure(system, truth, frames)
    rounding = 1e-4
    for case, score in cases.summarise(truth.family, scores)["cases"].items():
        was = recorded(name)["benchmark"]["cases"][case]
        assert abs(score["nrmse"] - was["nrmse"]) < rounding
        assert abs(score["norm_drift"] - was["norm_drift"]) < rounding
        assert abs(score["correlation"] - was["correlation"]) < 3e-7 + rounding * was["nrmse"]


@pytest.fixture(scope="module")
def packet() -> dict[str, jax.Array]:
    grid = load("unitary").system.grid
    return {
        "psi": packets.gaussian(grid, 20.0, 2.5, 3.5),
        "v": potentials.barrier(grid.positions(), height=5.0, width=2.0, centre=50.0),
    }


def test_an_emulator_is_used_as_a_teacher_is(packet) -> None:
    emulator = load("unitary")
    by_hand = jax.jit(lambda psi: rollout(emulator, psi[None], packet["v"], 6))(packet["psi"])
    forecast = emulator.forecast(**packet, n_frames=6)
    np.testing.assert_allclose(forecast, by_hand, atol=1e-6)
    # Frames that are given before the last one change nothing.
    again = emulator.forecast(by_hand[:4], packet["v"], 6)
    np.testing.assert_allclose(again[:2], by_hand[4:], atol=1e-6)


def test_an_emulator_with_a_history_is_given_its_first_frames(packet) -> None:
    emulator = load("gru")
    forecast = emulator.forecast(**packet, n_frames=8)
    psi, v = packet["psi"], packet["v"]
    solved = jnp.stack([psi, *rollout(emulator.solver, psi[None], v, 4)])
    np.testing.assert_allclose(forecast[:3], solved[1:4], atol=1e-5)
    assert np.abs(forecast[3] - solved[4]).max() > 1e-4
    later = emulator.forecast(solved[:4], v, 5)
    np.testing.assert_allclose(forecast[3:], later, atol=1e-5)


def test_an_emulator_on_a_plane_is_used_alike() -> None:
    plane = presets.PRESETS["plane"][1]
    student = plane.student.build(plane.system)
    untrained = student.bind(jax.jit(student.init)(jax.random.key(0)), config=plane)
    grid = plane.system.grid
    psi = packets.gaussian(grid, (6.0, 8.0), (1.0, 1.0), (2.0, 0.0))
    frames = untrained.forecast(psi, jnp.zeros(grid.shape), 3)
    np.testing.assert_allclose(jax.vmap(lambda psi: norm(grid, psi))(frames), 1, atol=1e-5)
    assert frames.shape == (3, 64, 64)


def test_in_double_precision_the_norm_is_kept_in_double_precision() -> None:
    with jax.enable_x64(True):
        emulator = qdistill.load("demo")
        grid = emulator.system.grid
        psi = packets.gaussian(grid, 20.0, 2.5, 3.5)
        frames = emulator.forecast(psi, jnp.zeros(1024), 20)
        np.testing.assert_allclose(norm(grid, frames[-1]), 1, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_how_far_lessons_went_is_in_the_file(name: str) -> None:
    emulator = load(name)
    assert emulator.reach == emulator.taught
    assert emulator.reach is not None
    if name == "tully":
        # Momenta of up to 35/bohr, in samples, and a part of their spread.
        assert 34**2 / 4000 < emulator.reach.energy < 0.4
        assert -0.15 < emulator.reach.low < emulator.reach.high < 0.15
        return
    assert 15 < emulator.reach.energy < 16
    assert -12 < emulator.reach.low < -9.9
    assert 13 < emulator.reach.edge <= emulator.reach.high < 15
    if name == "demo":
        sampled = domain.of_lessons(emulator.system, emulator.config.curriculum)
        assert sampled == pytest.approx(emulator.reach, rel=1e-5)


def test_what_does_not_fit_is_refused(packet, without_checker) -> None:
    emulator, gru = load("unitary"), load("gru")
    psi, v = packet["psi"], packet["v"]
    with pytest.raises(ValueError, match=r"`name` must be one of 'demo', .* but is 'oracle'"):
        qdistill.load("oracle")
    with pytest.raises(ValueError, match="`v` must be of shape"):
        rollout(emulator, psi[None], v[1:], 2)
    for bad in (v.at[0].set(jnp.nan), v.astype(complex)):
        with pytest.raises(ValueError, match="Argument `v` must be"):
            emulator.forecast(psi, bad, 5)
    with pytest.raises(ValueError, match="`psi` must be of shape"):
        emulator.forecast(psi[1:], v, 5)
    n_frames: Any
    for n_frames in (0, 2.5):
        with pytest.raises(ValueError, match="`n_frames` must be"):
            emulator.forecast(psi, v, n_frames)
    with pytest.raises(ValueError, match="`n_frames` must be at least 4, but is 3"):
        gru.forecast(psi, v, 3)
    with pytest.raises(ValueError, match="at least 4 frames, but is 2"):
        gru.forecast(jnp.stack([psi, psi]), v, 5)
    with pytest.raises(ValueError, match=r"`v` must be within \(-16.0, 16.0\), but is between"):
        gru.forecast(psi, 10 * v, 5)


@pytest.fixture
def run(tmp_path: pathlib.Path) -> pathlib.Path:
    """A run with a checkpoint, and no score yet."""
    out = tmp_path / "run"
    folder.open_folder(out, small.UNITARY, resume=False)
    state = folder.set_up(small.UNITARY).trainers[0].init(jax.random.key(0))
    with checkpoints.Checkpoints(out / "checkpoints") as saved:
        saved.save(state, 1.0)
    return out


def finish(run: pathlib.Path, **other: Any) -> None:
    """Give it the score of another run, as if that were of its parameters."""
    emulator, step = folder.restore(run)
    of = {"training_steps": step, "params_sha256": records.fingerprint(emulator.params)}
    records.write_json(run / "metrics.json", recorded("unitary") | of | other)


def test_a_finished_run_is_published(run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    finish(run)
    file = tmp_path / "new" / "mine.npz"
    done = scripts.run("export", str(run), "--emulator-file", "--out", str(file))
    assert done.returncode == 0, done.stderr
    emulator, same = pretrained.from_run(str(run)), pretrained.read(str(file))
    assert same.config == small.UNITARY
    assert same.score == emulator.score
    assert same.provenance == emulator.provenance == tuple(provenance.read(run))
    for ours, theirs in zip(*map(jax.tree.leaves, (same.params, emulator.params)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    again = scripts.run("export", str(run), "--emulator-file", "--out", str(file))
    assert again.returncode == 1
    assert "exists. Choose another with --out" in again.words


def test_an_emulator_is_found_by_name_by_file_and_by_folder(run: pathlib.Path) -> None:
    file = pretrained.FOLDER / "demo.npz"
    assert pretrained.find("demo").score == pretrained.find(str(file)).score == load("demo").score
    assert pretrained.find(str(run)).config == small.UNITARY
    words = r"There is no run in `oracle`, and no emulator .* there are demo, demo-newton, "
    with pytest.raises(FileNotFoundError, match=words):
        pretrained.find("oracle")


def test_a_run_without_a_score_is_not_published(run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    done = scripts.run("export", str(run), "--emulator-file", "--out", str(tmp_path / "mine.npz"))
    assert done.returncode == 1
    assert "`emulator` must be of a finished run, with its score" in done.words
    assert "Let `qdistill distill` finish the run" in done.words
    assert not (tmp_path / "mine.npz").exists()


def test_a_commit_is_given_to_old_runs_only(run: pathlib.Path) -> None:
    finish(run)
    (note,) = provenance.read(run)
    assert pretrained.from_run(run).commit == note["commit"]
    with pytest.raises(ValueError, match="`commit` must be the one that the run notes"):
        pretrained.from_run(run, "0" * 40)
    (run / "provenance.json").unlink()
    assert pretrained.from_run(run).commit is None
    assert pretrained.from_run(run, "0" * 40).commit == "0" * 40


def damaged(chance: random.Random, whole: bytes, arrays: dict[str, np.ndarray]) -> bytes:
    """A file with one of the damages that disks, networks and editors do."""
    data, n = bytearray(whole), len(whole)
    first = chance.randrange(n)
    match chance.randrange(6):
        case 0:
            del data[first:]
        case 1:
            for _ in range(chance.choice([1, 1, 30])):
                data[chance.randrange(n)] ^= 1 << chance.randrange(8)
        case 2:
            data[first : first + chance.randrange(1, 400)] = bytes(9)
        case 3:
            data[first:first] = chance.randbytes(40)
        case 4:  # Arrays of other names: nothing that an archive sees.
            names = chance.sample([name for name in arrays if name != "about"], 2)
            swapped = arrays | {names[0]: arrays[names[1]], names[1]: arrays[names[0]]}
            return packed({name: saved(array) for name, array in swapped.items()})
        case 5:  # Within an array or its header, in an archive that is sound.
            members = {name: saved(array) for name, array in arrays.items()}
            name = chance.choice(list(members))
            member = bytearray(members[name])
            member[chance.randrange(min(len(member), 400))] ^= 1 << chance.randrange(8)
            return packed(members | {name: bytes(member)})
    return bytes(data)


def saved(array: np.ndarray) -> bytes:
    """An array as a file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def packed(members: dict[str, bytes]) -> bytes:
    """An archive, with the right checksums of its members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, member in members.items():
            archive.writestr(f"{name}.npy", member)
    return file.getvalue()


@pytest.fixture(scope="module")
def demo() -> tuple[bytes, dict[str, Any], dict[str, np.ndarray]]:
    """A file of the package: its bytes, what it says about itself, and its parameters."""
    path = pretrained.FOLDER / "demo.npz"
    with np.load(path) as file:
        arrays = dict(file)
    return path.read_bytes(), json.loads(arrays.pop("about").item()), arrays


def test_any_damage_is_refused_or_harmless(demo, tmp_path: pathlib.Path) -> None:
    whole, about, params = demo
    arrays, sound = params | {"about": np.array(json.dumps(about))}, load("demo")
    path, refusals = tmp_path / "mine.npz", []
    # The last is an array that does not begin like one.
    for seed in [*range(150), 381]:
        path.write_bytes(damaged(random.Random(seed), whole, arrays))
        try:
            read = pretrained.read(path)
        except ValueError as error:
            refusals.append(str(error))
            continue
        assert (read.config, read.score) == (sound.config, sound.score), seed
        for ours, theirs in zip(*map(jax.tree.leaves, (read.params, sound.params)), strict=True):
            np.testing.assert_array_equal(ours, theirs, f"damage {seed}")
    assert len(refusals) > 100
    start = f"`{path}` cannot be read as an emulator: "
    assert not [words for words in refusals if not words.startswith(start)]


NOTE: dict[str, Any] = {"commit": None, "is_modified": None, "date": None, "environment": {}}
PLACE = {"device": "cpu", "cpu_count": 2, "python": "3", "jax": "0"}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"score": "good"}, "`score` must be a table of numbers, but is 'good'"),
        ({"score": None}, "`score` must be a table"),
        ({"score": {"mean_mae": "small"}}, r"`score\.mean_mae` must be a finite number"),
        ({"score": {"mean_mae": [1.0]}}, r"`score\.mean_mae` must be a finite number"),
        ({"score": {"mean_mae": True}}, r"`score\.mean_mae` must be a finite number"),
        ({"score": {"mean_mae": float("nan")}}, r"`score\.mean_mae` must be a finite number"),
        ({"score": {"mean_mae": float("inf")}}, r"`score\.mean_mae` must be a finite number"),
        ({"score": {"mean_mae": 10**400}}, r"`score\.mean_mae` must be a finite number"),
        ({"provenance": "mine"}, "`provenance` must be a list of notes"),
        ({"provenance": {}}, "`provenance` must be a list of notes"),
        ({"provenance": [7]}, r"`provenance\.0` must be a table"),
        ({"provenance": [{}]}, r"`provenance\.0\.commit` must be given"),
        ({"provenance": [NOTE | {"commit": 7}]}, r"`provenance\.0\.commit` must be as runs note"),
        ({"provenance": [NOTE | {"date": "once"}]}, r"environment\.device` must be given"),
        (
            {"provenance": [NOTE | {"date": "once", "environment": PLACE}]},
            r"`provenance\.0\.date` must be a date",
        ),
        (
            {"provenance": [NOTE | {"environment": PLACE | {"jax": ["0"]}}]},
            r"environment\.jax` must be as runs note it",
        ),
        (
            {"provenance": [NOTE | {"environment": PLACE | {"more": [0]}}]},
            r"environment\.more` must be text or an integer",
        ),
        ({"domain": {}}, r"`about\.domain` must be one of .* Perhaps a newer version"),
        ({"config": 7}, "`config` must be a table of settings"),
        ({"sha256": "0" * 64}, r"`about\.sha256` must be the checksum of all else"),
        (
            {"reach": [15.0, -12.0, 15.0, 15.0]},
            "`reach` must be a table of energy, low, high, edge",
        ),
        ({"reach": {"energy": 15.0}}, "`reach` must be a table of energy, low, high, edge, but is"),
        ({"reach": dict.fromkeys(Reach._fields, None)}, r"`reach\.energy` must be a finite number"),
        ({"reach": dict.fromkeys(Reach._fields, 1)}, r"`reach\.energy` must be a finite number"),
    ],
)
def test_what_a_file_says_of_itself_is_checked(
    other: dict[str, Any], words: str, demo, tmp_path: pathlib.Path
) -> None:
    _, about, arrays = demo
    path = tmp_path / "mine.npz"
    # With a checksum that is right, where that is not the question.
    other = {"sha256": pretrained._sum(about | other, arrays)} | other
    np.savez(path, about=json.dumps(about | other), **arrays)
    with pytest.raises(ValueError, match=rf"mine\.npz` cannot be read as an emulator: .*{words}"):
        pretrained.read(path)


def test_an_unknown_setting_of_a_config_is_named(demo, tmp_path: pathlib.Path) -> None:
    _, about, arrays = demo
    for place in ("config", "student", "training"):
        tree = json.loads(json.dumps(about["config"]))
        (tree if place == "config" else tree[place])["colour"] = "blue"
        np.savez(tmp_path / "mine.npz", about=json.dumps(about | {"config": tree}), **arrays)
        with pytest.raises(ValueError, match=r"colour` must be a setting that exists, .* newer"):
            pretrained.read(tmp_path / "mine.npz")
    with pytest.raises(ValueError, match=r"`config\.system\.dt` must be finite, but is inf"):
        config.from_json(json.dumps(about["config"]).replace('"dt": 0.1', '"dt": 1e999'))


def test_nesting_without_end_is_refused(demo, tmp_path: pathlib.Path) -> None:
    _, about, arrays = demo
    deep = "[" * 50_000 + "]" * 50_000
    texts = [deep, *(json.dumps(about | {name: 0}).replace(f'"{name}": 0', f'"{name}": {deep}')
                     for name in about)]  # fmt: skip
    for text in texts:
        np.savez(tmp_path / "mine.npz", about=text, **arrays)
        with pytest.raises(ValueError, match=r"cannot be read as an emulator: .*recursion"):
            pretrained.read(tmp_path / "mine.npz")
    with pytest.raises(ValueError, match="`config` must be a table of settings"):
        config.from_json(deep)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda leaf: np.where(leaf == leaf.flat[0], np.nan, leaf), "must be finite, but is not"),
        (lambda leaf: np.full(leaf.shape, -np.inf, leaf.dtype), "must be finite, but is not"),
        (lambda leaf: np.full(leaf.shape, 1e300), "must be finite, but is not"),
        (lambda leaf: leaf + 0j, "must be of a type like float32, but is complex"),
        (lambda leaf: leaf.astype(int), "must be of a type like float32, but is int"),
        (lambda leaf: leaf.astype(str), "must be of a type like float32, but is <U"),
        (lambda leaf: leaf != 0, "must be of a type like float32, but is bool"),
        (lambda leaf: leaf + np.float32(1e-3), "must be the checksum of all else"),
        (lambda leaf: leaf.astype(object), "it is damaged, or not an archive of arrays"),
    ],
)
def test_parameters_that_are_none_are_refused(wrong, words: str, demo, tmp_path) -> None:
    _, about, arrays = demo
    name = next(iter(arrays))
    np.savez(tmp_path / "mine.npz", about=json.dumps(about), **arrays | {name: wrong(arrays[name])})
    with pytest.raises(ValueError, match=words):
        pretrained.read(tmp_path / "mine.npz")


def test_a_score_that_is_not_finite_is_written_as_null(tmp_path: pathlib.Path) -> None:
    emulator = dataclasses.replace(load("demo"), score={"mean_nrmse": float("inf"), "n": 1})
    pretrained.write(tmp_path / "mine.npz", emulator)
    assert pretrained.read(tmp_path / "mine.npz").score == {"mean_nrmse": None, "n": 1}


def test_a_damaged_file_is_named(tmp_path: pathlib.Path) -> None:
    whole = (pretrained.FOLDER / "demo.npz").read_bytes()
    with np.load(pretrained.FOLDER / "demo.npz") as file:
        arrays = dict(file)
    mine = tmp_path / "mine.npz"

    def refused(words: str = "") -> None:
        with pytest.raises(ValueError, match=rf"mine\.npz` cannot be read as an emulator.*{words}"):
            pretrained.read(mine)

    for damaged in (b"", whole[:3000], b"PK" + whole[100:], b"hello"):
        mine.write_bytes(damaged)
        refused()
    name = next(name for name in arrays if name != "about")
    for wrong in ({name: arrays[name][:1]}, {"more": arrays[name]}):
        np.savez(mine, **arrays | wrong)
        refused("its arrays are not those")
    np.savez(mine, **{key: array for key, array in arrays.items() if key != "about"})
    refused("metadata")
    about = json.loads(arrays["about"].item())
    about["config"]["seed"] = -1
    np.savez(mine, **arrays | {"about": json.dumps(about)})
    refused("`seed` must be")
    with pytest.raises(FileNotFoundError):
        pretrained.read(tmp_path / "nothing.npz")
