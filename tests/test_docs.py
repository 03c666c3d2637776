"""The pages in docs: their tests exist, their commands are well formed."""

import dataclasses
import pathlib
import re
import subprocess

import pytest
import yaml

from qdistill.__main__ import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]
CLUSTER = (ROOT / "docs" / "cluster.md").read_text()
RELIABILITY = (ROOT / "docs" / "reliability.md").read_text()


def test_every_promise_names_a_test_that_exists() -> None:
    rows = [line for line in RELIABILITY.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith("| promise")]
    assert len(promises) > 25
    for row in promises:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
        assert named, row
        for file, test in named:
            assert f"def {test}(" in (ROOT / "tests" / file).read_text(), f"{file}::{test}"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", CLUSTER, re.DOTALL)


@pytest.mark.parametrize("block", blocks("bash"), ids=range(len(blocks("bash"))))
def test_shell_is_well_formed(block: str) -> None:
    checked = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr


def test_kubernetes_manifests_are_well_formed() -> None:
    (block,) = blocks("yaml")
    service, job = yaml.safe_load_all(block)
    assert service["metadata"]["name"] == job["spec"]["template"]["spec"]["subdomain"]
    assert service["spec"]["selector"]["job-name"] == job["metadata"]["name"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    said = {entry["name"]: entry["value"] for entry in container["env"]}
    assert said["QDISTILL_PROCESSES"] == str(job["spec"]["completions"])
    (script,) = container["args"]
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


def test_every_option_exists() -> None:
    named: dict[str, set[str]] = {"distill": set(re.findall(r"`(--[\w-]+)`", CLUSTER))}
    for line in CLUSTER.splitlines():
        for command, words in re.findall(r"qdistill (distill|evaluate)(.*)", line):
            named.setdefault(command, set()).update(re.findall(r" (--[\w-]+)", words))
    for command, options in named.items():
        fields = {field.name.replace("_", "-") for field in dataclasses.fields(COMMANDS[command])}
        assert options <= {f"--{name}" for name in fields}, command
    assert {"--devices", "--processes", "--resume"} <= named["distill"]
    assert {"--devices", "--seed", "--potentials"} <= named["evaluate"]


def test_every_variable_is_read() -> None:
    source = (ROOT / "qdistill" / "_distribute.py").read_text()
    variables = set(re.findall(r"QDISTILL_\w+", CLUSTER))
    assert len(variables) == 3
    for variable in variables:
        assert f'"{variable}"' in source
