"""Many devices and many processes end where one ends."""

import os
import pathlib
import socket
import subprocess
import sys
import time

import cluster_worker
import jax
import numpy as np
import pytest

from qdistill import _distribute as cluster
from qdistill.runs import folder
from qdistill.runs.checkpoints import steps_in

ROOT = pathlib.Path(__file__).parents[1]
WORKER = ROOT / "tests" / "cluster_worker.py"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The run of one process with one device."""
    out = tmp_path_factory.mktemp("cluster") / "alone"
    folder.open_folder(out, cluster_worker.CONFIG, resume=False)
    folder.train(cluster_worker.CONFIG, out)
    return out


def start(out: pathlib.Path, n_devices: int, *more: str, **environment: str) -> subprocess.Popen:
    environment |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(out), str(n_devices), *more],
        env=os.environ | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_ended_well(process: subprocess.Popen) -> None:
    _, words = process.communicate(timeout=900)
    assert process.returncode == 0, words


def assert_same_run(out: pathlib.Path, alone: pathlib.Path) -> None:
    """The same losses to 1e-5 over 100 steps, and the same parameters."""
    ours, theirs = folder.read_log(out), folder.read_log(alone)
    assert [line["step"] for line in ours] == list(range(10, 101, 10))
    for name in ("loss", "lesson_losses"):
        np.testing.assert_allclose(
            [line[name] for line in ours], [line[name] for line in theirs], rtol=1e-5
        )
    for a, b in zip(*(jax.tree.leaves(folder.load(o).params) for o in (out, alone)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_eight_devices_train_and_simulate_as_one_does(
    alone: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Training, and in the worker the benchmark's truth and forecast, and a sweep over seeds."""
    assert_ended_well(start(tmp_path / "run", 8))
    assert_same_run(tmp_path / "run", alone)


def where_two_meet() -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {"QDISTILL_COORDINATOR": f"127.0.0.1:{port}", "QDISTILL_PROCESSES": "2"}


def start_two(out: pathlib.Path, *more: str) -> list[subprocess.Popen]:
    where = where_two_meet()
    return [start(out, 1, *more, QDISTILL_PROCESS=str(i), **where) for i in (0, 1)]


def test_two_processes_train_as_one_and_survive_the_loss_of_one(
    alone: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """The second dies at step 50; started again, both go on from their checkpoint of step 40."""
    out = tmp_path / "run"
    first, second = start_two(out, "50")
    second.communicate(timeout=900)
    assert second.returncode == -9
    # The first writes its checkpoint, and cannot go on alone. A cluster would end it too.
    for _ in range(9000):
        if steps_in(out / "checkpoints") == [20, 40] or first.poll() is not None:
            break
        time.sleep(0.1)
    first.kill()
    first.communicate()
    assert steps_in(out / "checkpoints") == [20, 40]
    for process in start_two(out):
        assert_ended_well(process)
    assert_same_run(out, alone)


@pytest.mark.parametrize(
    ("n_devices", "said"), [(4, "4 devices"), (3, "`devices` must be 4, those of all processes")]
)
def test_two_processes_split_a_cpu_each(n_devices: int, said: str) -> None:
    code = (
        "from qdistill import _distribute as cluster\n"
        f"print(cluster.start({n_devices}).size, 'devices')\n"
    )
    where = os.environ | where_two_meet() | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=where | {"QDISTILL_PROCESS": str(i)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i in (0, 1)
    ]
    for process in both:
        words, _ = process.communicate(timeout=300)
        assert said in words, words


def test_spread_is_the_function_itself_on_one_device() -> None:
    assert cluster.make_mesh() is None
    assert cluster.spread(None, abs) is abs
    assert cluster.is_main()
    assert cluster.any_process(True)
    assert not cluster.any_process(False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("host:1", None, None), "Argument `processes` must be given"),
        (("host:1", 2, None), "Argument `process` must be given"),
        ((None, 2, 0), "Argument `coordinator` must be given"),
        (("host", 2, 0), "Argument `coordinator` must be host:port, but is 'host'"),
        (("host:http", 2, 0), "Argument `coordinator` must be host:port"),
        (("host:1", 0, 0), "Argument `processes` must be at least 1, but is 0"),
        (("host:1", 2, 2), "Argument `process` must be between 0 and 1, but is 2"),
        (("host:1", 2, -1), "Argument `process` must be at least 0, but is -1"),
    ],
)
def test_half_a_cluster_is_refused(given: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cluster.join(*given)


def test_the_environment_says_where_a_process_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster.join(None, None, None) == 1
    monkeypatch.setenv("QDISTILL_COORDINATOR", "host:1")
    monkeypatch.setenv("QDISTILL_PROCESSES", "two")
    with pytest.raises(ValueError, match="`QDISTILL_PROCESSES` must be a whole number, but is "):
        cluster.join(None, None, None)
    monkeypatch.setenv("QDISTILL_PROCESSES", "1")
    monkeypatch.setenv("QDISTILL_PROCESS", "0")
    assert cluster.join(None, None, None) == 1
