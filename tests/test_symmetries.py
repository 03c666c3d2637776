"""The audit of a panel, in boxes of any length and dimension, and its script."""

import dataclasses
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts
import small

from qdistill import teacher
from qdistill.insight import harness, symmetries
from qdistill.insight.symmetries import cases as crossed
from qdistill.insight.symmetries import make_symmetries
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.runs import config
from qdistill.runs import folder as runs
from qdistill.runs.checkpoints import Checkpoints
from qdistill.students import Emulator, UnitaryConfig
from qdistill.system import System

SMALL = System(Grid(512, 40.0, origin=-20.0), 0.1)
PLANE = System(Grid((16, 20), (8.0, 10.0), "continuum"), 0.1)
# Built into a learned splitting, so that training does not matter.
KINDS = [f"{v}, {psi}" for v in symmetries.POTENTIALS for psi in symmetries.PACKETS]
BUILT_IN = (
    "superposition", "scaling", "global phase", "mirror", "translation, whole cells",
    "time reversal", "constant in V", "inner products", "composition",
)  # fmt: skip


# The same student, cases and frames in several tests: these share their compiled programs.
STUDENT = UnitaryConfig(reach=2, n_units=4)
RUN = dataclasses.replace(small.UNITARY, system=SMALL, student=STUDENT)
N_CASE, N_FRAMES, SEED = 2, 4, 5


def untrained(system: System, seed: int = 0) -> Emulator:
    student = STUDENT.build(system)
    return student.bind(jax.jit(student.init)(jax.random.key(seed)))


def summary(report: symmetries.SymmetryReport, who: str, kind: str) -> dict[str, Any]:
    return report.numbers["findings"][who][kind]


def test_seeds_and_null_models_are_treated_alike_in_a_box_of_40_bohr() -> None:
    seeds = [untrained(SMALL, seed) for seed in (0, 1)]
    # In it nothing is learned: two pairs of FFTs with the kinetic energy clamped.
    clamped = teacher.split_step(SMALL, 2, kinetic_cap=40.0)
    report = symmetries.evaluate({"student": seeds}, SEED, N_CASE, N_FRAMES, {"clamped": clamped})
    numbers = report.numbers
    roles = {harness.EXACT: "exact", "student": "emulator", "clamped": "null"}
    assert numbers["roles"] == roles
    assert list(numbers["findings"]) == list(roles)
    for who in roles:
        assert list(numbers["findings"][who]) == KINDS
        for rows in numbers["findings"][who].values():
            assert list(rows) == list(make_symmetries(SMALL.grid))
            for name in BUILT_IN:
                assert rows[name]["verdict"] == "holds", (who, name)
    exact = summary(report, harness.EXACT, "other potentials, single packets")
    assert exact["Galilean boost"]["verdict"] == "as the teacher"
    assert all(row["control_fires"] for row in exact.values())
    # An untrained student knows no kinetic energy, the null model nearly all of it.
    boosts = [summary(report, who, KINDS[0])["Galilean boost"] for who in ("student", "clamped")]
    assert boosts[0]["violation"]["median"] > 10 * boosts[1]["violation"]["median"]
    for who in ("student", "clamped"):
        assert summary(report, who, KINDS[0])["energy"]["rho"]["median"] >= 0
    assert f"clamped (null model), {KINDS[0]}" in str(report)
    assert json.loads(report.to_json())["findings"].keys() == roles.keys()


def test_packets_meet_potentials_wherever_the_box_is() -> None:
    every = make_symmetries(SMALL.grid)
    for key in jax.random.split(jax.random.key(0), 3):
        solver, cases = symmetries.sample_cases(key, SMALL, N_CASE, 2, N_FRAMES, every)
        assert solver.system.grid == SMALL.grid
        for frames in np.asarray(cases["other potentials, single packets"].given):
            density = np.abs(frames[-1]) ** 2 * SMALL.grid.cell
            assert -10 < density @ SMALL.grid.positions() < 0


def test_distances_are_in_units_of_the_box() -> None:
    table = make_symmetries(SMALL.grid)
    assert table["translation, whole cells"].formula == "x -> x + 18 dx in psi and V"
    assert table["Galilean boost"].formula == "k -> k + k0 in empty space, k0 = 2 pi 3 / L"


def test_a_plane_is_audited_along_both_axes() -> None:
    members: harness.Ensembles = {
        "clamped": teacher.split_step(PLANE, 2),
        "student": untrained(PLANE),
    }
    report = symmetries.evaluate(members, 0, 2, 8, lessons=("wall", "shape"))
    exact = report.numbers["findings"][harness.EXACT]
    assert list(exact) == ["wall", "shape"]
    both = {f"{name}, y" for name in ("mirror", "translation, whole cells")}
    assert set(exact["wall"]) == set(make_symmetries(SMALL.grid)) | both
    for who in (harness.EXACT, *members):
        for kind, rows in report.numbers["findings"][who].items():
            for name in {*BUILT_IN, *both}:
                assert rows[name]["verdict"] == "holds", (who, kind, name)
    for rows in exact.values():
        # Interpolated between so few points, edges ring.
        silent = {name for name, row in rows.items() if not row["control_fires"]}
        assert silent == {"translation, fractions"}
        # On the continuum boosts hold in empty space, and energy with any potential.
        assert rows["Galilean boost"]["verdict"] == rows["energy"]["verdict"] == "holds"


def test_the_audit_is_as_sharp_as_the_precision() -> None:
    system = System(Grid(64, 20.0), 0.1)
    solver, names = teacher.split_step(system, 4), ("superposition", "mirror", "time reversal")
    few = {name: make_symmetries(system.grid)[name] for name in names}
    with jax.enable_x64(True):
        report = symmetries.evaluate({"split step": solver}, 0, 2, 4, symmetries=few)
    assert report.numbers["rounding"] < 1e-10
    for who in (harness.EXACT, "split step"):
        for kind in KINDS:
            for name, row in summary(report, who, kind).items():
                assert row["verdict"] == "holds", (who, kind, name)


class Trapped(System):
    """A line in a trap that is centred on the mirror's axis, so that places differ."""

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """V + x^2 / 20."""
        return v + (self.grid.positions(dtype=v.dtype) - 10.078125) ** 2 / 20

    def sample(self, name: str, key: Any, difficulty: Any) -> Any:
        """A packet anywhere, and no potential but the trap."""
        centre = jax.random.uniform(key, (), float, 7.0, 13.0)
        return packets.gaussian(self.grid, centre, 1.0, 1.0), jnp.zeros(self.grid.shape)


def test_a_system_of_your_own_breaks_what_its_potential_breaks() -> None:
    system = Trapped(Grid(128, 20.0, "continuum"), 0.1)
    solver = teacher.split_step(system, 8)
    report = symmetries.evaluate({"split step": solver}, 0, 2, 8, lessons=("trap",))
    rows = summary(report, harness.EXACT, "trap")
    assert rows["mirror"]["verdict"] == "holds"
    assert rows["energy"]["verdict"] == "holds"
    assert rows["translation, whole cells"]["verdict"] == "as the teacher"
    itself = summary(report, "split step", "trap")
    assert itself["translation, whole cells"]["verdict"] == "as the teacher"
    with pytest.raises(ValueError, match="`lessons` must be given for this system"):
        symmetries.evaluate({"split step": solver}, 0, 2, 3)


# The script ---------------------------------------------------------------------------------------


def begin(folder: pathlib.Path, settings: config.Config) -> str:
    """The folder of a run that has only just begun."""
    runs.open_folder(folder, settings, resume=False)
    state = runs.set_up(settings).trainers[0].init(jax.random.key(settings.seed))
    with Checkpoints(folder / "checkpoints") as saved:
        saved.save(state, 1.0)
    return str(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two seeds of a unitary student."""
    root = tmp_path_factory.mktemp("runs")
    return [begin(root / f"seed-{seed}", dataclasses.replace(RUN, seed=seed)) for seed in (0, 1)]


def test_smoke_run_writes_findings_and_a_figure(folders: list[str], tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out"
    done = scripts.run("symmetries", *folders, "--smoke", "--out", str(out), "--seed", str(SEED))
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "metrics.json").read_text())
    assert json.loads((out / "config.json").read_text())["runs"] == folders
    assert (out / "symmetries.png").stat().st_size > 10_000
    assert found["seed"] == SEED
    # Runs that differ in their seed only are one student.
    assert list(found["findings"]) == ["exact solver", "seed-0", "clamped-2"]
    for kinds in found["findings"].values():
        assert list(kinds) == KINDS
        for rows in kinds.values():
            assert list(rows) == list(make_symmetries(SMALL.grid))
    solver, student = (found["findings"][name][KINDS[-1]] for name in ("exact solver", "seed-0"))
    for name in BUILT_IN:
        assert solver[name]["verdict"] == "holds", name
        assert student[name]["verdict"] == "holds", name
    assert solver["Galilean boost"]["verdict"] == "as the teacher"
    assert all(row["control_fires"] for row in solver.values())
    assert "rho (95%)" in done.stdout
    again = scripts.run("symmetries", folders[0], "--smoke", "--out", str(out))
    assert again.returncode == 1
    assert "is not an empty folder" in again.words


def test_bad_options_are_refused_in_a_sentence(folders: list[str], tmp_path: pathlib.Path) -> None:
    continuum = System(Grid(dispersion="continuum"))
    other = begin(tmp_path / "other", dataclasses.replace(RUN, system=continuum))
    for arguments, message in (
        ([], "`runs` must be at least one emulator"),
        (["nowhere"], "There is no run in `nowhere`"),
        ([folders[0], other], "must be of the system of 'seed-0'"),
        ([folders[0], "--cases", "1"], "`n_case` must be at least 2, but is 1"),
        ([folders[0], "--frames", "1"], "`n_frames` must be at least 2, but is 1"),
    ):
        out = tmp_path / "out"
        done = scripts.run("symmetries", *arguments, "--out", str(out))
        assert done.returncode == 1
        assert done.stderr.startswith("experiments/symmetries.py: ")
        assert message in done.words
        assert not out.exists()


def test_backwards_in_time_packets_arrive_at_the_potentials() -> None:
    ahead, back = (
        crossed._crossed(jax.random.key(0), dataclasses.replace(SMALL, dt=dt), 1, 1)
        for dt in (0.1, -0.1)
    )
    for kind in KINDS:
        if "single" in kind:
            np.testing.assert_allclose(back[kind].given, jnp.conj(ahead[kind].given), atol=1e-3)
