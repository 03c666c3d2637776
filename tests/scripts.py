"""Scripts anywhere below experiments/, as a shell runs them, but in this process."""

import contextlib
import io
import os
import pathlib
import runpy
from typing import NamedTuple

import pytest

ROOT = pathlib.Path(__file__).parents[1]


class Done(NamedTuple):
    """What `subprocess.run` returns."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def words(self) -> str:
        """Of stderr, without frames and line breaks."""
        return " ".join(self.stderr.replace("│", " ").split())


def find(name: str) -> str:
    """The path of a script as it is typed: `experiments/ladder/compare_students.py`."""
    (path,) = (ROOT / "experiments").rglob(f"{name}.py")
    return os.path.relpath(path)


def run(name: str, *arguments: str) -> Done:
    """Run a script. An error that it does not turn into a sentence is raised here."""
    path, code = find(name), 0
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr("sys.argv", [path, *arguments])
        patch.setenv("COLUMNS", "200")
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as leaving:
            # As Python does: a number is the status, anything else goes to stderr.
            is_status = leaving.code is None or isinstance(leaving.code, int)
            code = int(leaving.code or 0) if is_status else 1
            if not is_status:
                print(leaving.code, file=err)
    return Done(code, out.getvalue(), err.getvalue())
