"""Lessons with placebos: what differs, coalitions, violations, and shares."""

import functools
import itertools
import json
import pathlib
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts
from jaxtyping import Array
from matplotlib.figure import Figure
from planted import Planted

from experiments.placebos import (
    coalitions,
    independent,
    placebos,
    placebos_figure,
    processes,
    shifted,
)
from experiments.placebos.coalitions import SYMMETRIES, Table
from experiments.placebos.processes import PROCESSES
from qdistill import teacher
from qdistill.forecast import cases
from qdistill.insight.importance import games
from qdistill.insight.probes.learning import sample_lessons
from qdistill.insight.symmetries import make_symmetries
from qdistill.physics.grid import Grid
from qdistill.students import WindowedConfig
from qdistill.system import LESSONS, System
from qdistill.teacher import split_step

GRID = Grid(256, 100.0, "continuum")
KEYS = jax.random.split(jax.random.key(0), 40)


def draw(process: str, *, is_placebo: bool) -> tuple[np.ndarray, np.ndarray]:
    psi, v = jax.vmap(lambda key: processes.sample(process, is_placebo, key, GRID, 1.0))(KEYS)
    return np.asarray(psi), np.asarray(v)


@pytest.mark.parametrize("process", PROCESSES[:3])
def test_a_placebo_has_the_same_packet_and_no_potential(process: str) -> None:
    psi, v = draw(process, is_placebo=False)
    same, empty = draw(process, is_placebo=True)
    np.testing.assert_array_equal(psi, same)
    assert np.all(np.abs(v).max(axis=1) > 0)
    assert not np.any(empty)


def test_the_placebo_of_interference_has_one_of_the_two_packets() -> None:
    both, _ = draw("interference", is_placebo=False)
    one, _ = draw("interference", is_placebo=True)
    overlap = np.abs(np.sum(one.conj() * both, axis=1) * GRID.dx[0])
    # Two normalised packets without overlap have the share 1 / sqrt(2) each.
    np.testing.assert_allclose(overlap, 0.5**0.5, atol=0.03)


def test_all_processes_have_the_same_packets() -> None:
    psi = [draw(process, is_placebo=True)[0] for process in PROCESSES[:4]]
    for other in psi[1:]:
        np.testing.assert_array_equal(psi[0], other)


def test_heights_and_depths_define_the_processes() -> None:
    psi, over = draw("scattering", is_placebo=False)
    _, through = draw("tunnelling", is_placebo=False)
    _, well = draw("trapping", is_placebo=False)
    waves = np.abs(np.fft.fft(psi, axis=1)) ** 2
    energy = waves @ np.asarray(GRID.kinetic_energy()) / waves.sum(axis=1)
    # The mean kinetic energy exceeds that of the carrier by up to 1 / (8 width^2) = 1/8 hartree.
    assert np.all(over.max(axis=1) < energy)
    assert np.all(through.max(axis=1) > energy - 0.13)
    assert np.all(-well.min(axis=1) > energy - 0.13)
    # The packet begins inside the well, and outside of barriers.
    density = np.abs(psi) ** 2 * GRID.dx[0]
    assert np.all((density * (well < 0)).sum(axis=1) > 0.99)
    assert np.all((density * (over > 0)).sum(axis=1) < 0.01)


def test_coalitions_replace_processes_by_placebos() -> None:
    weights, n = coalitions.weights(), len(PROCESSES)
    assert weights.shape == (2**n, 2 * n)
    np.testing.assert_allclose(weights[:, :n] + weights[:, n:], 1 / n)
    assert np.count_nonzero(weights[0, :n]) == 0
    assert np.count_nonzero(weights[-1, n:]) == 0
    names = processes.register()
    assert len(names) == 2 * n
    assert set(names) <= set(LESSONS)


def test_violations_of_a_split_step() -> None:
    system = System(GRID, dt=0.1)
    psi, v = draw("scattering", is_placebo=False)
    smooth = jax.vmap(lambda v: jnp.convolve(v, jnp.hanning(31) / 15, "same"))(jnp.asarray(v))
    propagator, claims = split_step(system, 1), make_symmetries(GRID)

    def of(name: str) -> float:
        claim = claims[name].claim
        return float(
            coalitions.violation(propagator, claim, jnp.asarray(psi[:2, None]), smooth[0], 20)
        )

    for name in SYMMETRIES[2:]:
        assert of(name) < coalitions.ROUNDING, name
    # Frames of 0.1 a.u. in one step have an error of some 1e-3, so energy oscillates.
    assert 1e-5 < of("energy") < 1e-1


def test_violations_of_an_exact_student_with_a_history_and_of_one_that_moves_packets() -> None:
    system = System(Grid(160, 100.0), bounds=coalitions.WIDE)
    student = WindowedConfig("gru", n_units=2).build(system)
    tests = coalitions.make_tests(system, 0, 1, 4)
    given, v = coalitions._given(student, tests)
    assert given.shape[:3] == (len(v), 2, 4)
    np.testing.assert_array_equal(given[:, :, -1], tests.pairs[0])
    claims, step = make_symmetries(system.grid), teacher.chebyshev(system)

    def from_newest_and_oldest(v: Array, by: int) -> Callable[[Array], Array]:
        one = step(v).advance

        def advance(history: Array) -> Array:
            from_oldest = one(one(one(one(history[0]))))
            new = (one(history[3]) + from_oldest)[None] / 2
            return jnp.concatenate([history[1:], jnp.roll(new, by, axis=-1)])

        return advance

    def of(name: str, by: int) -> float:
        planted = Planted(system, functools.partial(from_newest_and_oldest, by=by), 4)
        return float(coalitions.violation(planted, claims[name].claim, given[0], v[0], 3))

    # By fractions of a cell an edge on the lattice moves only nearly.
    for name in SYMMETRIES[1:]:
        assert of(name, 0) < 3 * coalitions.ROUNDING, name
    for name in ("mirror", "time reversal"):
        assert of(name, 3) > 0.1, name


def make_table(strengths: np.ndarray) -> Table:
    """Errors that fall by a given number of decades with each process, for three seeds."""
    members = games.coalitions(len(PROCESSES))
    rng = np.random.default_rng(0)
    error = 10 ** -(members @ strengths)[None, :, None, None]
    spread = 10 ** (0.01 * rng.standard_normal((3, len(members), 1, 1)))
    violations = np.full((3, len(members), len(SYMMETRIES), 2), 1e-9)
    violations[:, :, :1] = 1e-2 * error
    ones = np.ones((1, 1, 4, 2)) * error * spread
    return Table(ones, np.ones((1, 1, 3, 2)) * error * spread, violations)


def test_shares_are_those_of_an_additive_game_and_built_in_symmetries_get_none() -> None:
    strengths = np.array([0.3, 0.2, 0.4, 0.0, 0.3])
    families = ["barrier", "quadratic", "well"]
    found = placebos.describe(make_table(strengths), families)
    for name in ("smooth potentials", "sharp potentials", "test of trapping"):
        shares = [found[name]["share"][process]["mean"] for process in PROCESSES]
        np.testing.assert_allclose(shares, strengths, atol=0.03)
    assert abs(found["sharp potentials"]["twins differ"]["mean"]) < 0.03
    over = found["smooth potentials"]["over scattering"]
    assert over["trapping"]["mean"] == pytest.approx(0.4 - 0.6, abs=0.03)
    learned, built_in = (found[f"symmetry: {SYMMETRIES[i]}"]["share"] for i in (0, 2))
    np.testing.assert_allclose([row["mean"] for row in learned.values()], strengths, atol=1e-9)
    assert all(row["mean"] == 0 for row in built_in.values())


def test_an_attribution_is_compared_with_the_exact_shares() -> None:
    strengths = np.array([0.3, 0.2, 0.4, 0.0, 0.3])
    cheap = 2 * np.broadcast_to(strengths[None, :, None], (3, 5, 3))
    families = ["barrier", "quadratic", "well"]
    found = placebos.compare(cheap, make_table(strengths), families)["sharp potentials"]
    assert found["correlation of means"] > 0.99
    assert found["sum over exact sum"] == pytest.approx(2, rel=0.05)


def test_shapley_values_are_means_over_all_orders() -> None:
    values = np.random.default_rng(1).standard_normal(2 ** len(PROCESSES))
    shares = np.zeros(len(PROCESSES))
    orders = list(itertools.permutations(range(len(PROCESSES))))
    for order in orders:
        coalition = 0
        for player in order:
            shares[player] += values[coalition | 1 << player] - values[coalition]
            coalition |= 1 << player
    np.testing.assert_allclose(games.shapley(values), shares / len(orders), atol=1e-12)


class Orders(NamedTuple):
    """A package of Shapley values that goes through all orders."""

    game: Any
    n_players: int

    def __call__(self, index: str, order: int) -> "Orders":
        assert (index, order) == ("SV", 1)
        return self

    def get_n_order_values(self, order: int) -> np.ndarray:
        every = list(itertools.permutations(range(self.n_players)))
        gains = np.zeros(self.n_players)
        for players in every:
            members = np.zeros(self.n_players, bool)
            for player in players:
                before = self.game(members[None])[0]
                members[player] = True
                gains[player] += self.game(members[None])[0] - before
        return gains / len(every)


def test_recorded_shares_are_compared_with_another_package(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study" / "metrics.json"
    path.parent.mkdir()
    values = np.random.default_rng(0).normal(size=(2, 8))
    path.write_text(json.dumps({"budgets": {"one": {"test": {"values": values.tolist()}}}}))
    args = independent.Args((path,), tmp_path / "out")
    monkeypatch.setitem(sys.modules, "shapiq", SimpleNamespace(ExactComputer=Orders))
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"{name} 1")
    of = independent.compare(args).metrics["games"]["study"]
    assert of["number"] == 2
    assert of["largest difference"] < 1e-14
    monkeypatch.setitem(sys.modules, "shapiq", None)
    with pytest.raises(ValueError, match="`shapiq` must be installed, by `pip install shapiq`"):
        independent.compare(args)


def test_trainings_are_kept(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    row = make_table(np.zeros(5))
    one = Table(row.processes[:1], row.potentials[:1], row.violations[:1])
    monkeypatch.setattr(coalitions, "_train", lambda *args: calls.append(args))
    monkeypatch.setattr(coalitions, "examine", lambda *args: one)
    system = System(Grid(160, 100.0), bounds=(-16.0, 16.0))
    tests = coalitions.make_tests(system, 0, 1, 2)
    for _ in range(2):
        found = coalitions.measure("smoke", [0, 1], tests, 2, tmp_path, lambda text: None, system)
    assert len(calls) == 2
    assert found.processes.shape == (2, *row.processes.shape[1:])
    with pytest.raises(ValueError, match="Argument `budgets`"):
        coalitions.measure("none", [0], tests, 2, tmp_path, print, system)


def test_a_constant_in_v_is_a_phase_of_the_exact_frames() -> None:
    system, names = System(Grid(160, 100.0), bounds=(-24.0, 24.0)), shifted.register()
    test = sample_lessons(system, 0, 1, 3, names[:4])
    moved = shifted.shifted(test, 1.0, system.dt)
    v = np.asarray(moved.v)
    # The floor of the well and the tops of barriers are at zero.
    assert v[2].min() == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(v[:2].max(axis=1), 0, atol=1e-5)
    assert np.all(v[3] < 0)
    solved = cases.forecast(teacher.chebyshev(system), moved)
    np.testing.assert_allclose(solved, moved.frames, atol=1e-4)
    np.testing.assert_allclose(np.abs(moved.frames), np.abs(test.frames), atol=1e-6)


def test_lessons_with_a_constant_have_the_same_packets() -> None:
    shifted.register()
    draw = [LESSONS[f"matched tunnelling{end}"](KEYS[0], GRID, 1.0) for end in ("", ", shifted")]
    np.testing.assert_array_equal(draw[0][0], draw[1][0])
    constant = np.asarray(draw[1][1] - draw[0][1])
    assert -shifted.DEEPEST < constant.min() < constant.max() + 1e-5 < 0.1
    np.testing.assert_allclose(constant, constant[0], atol=1e-5)
    taught = shifted.weights()
    np.testing.assert_allclose(taught.sum(axis=1), 1)
    assert np.all((taught > 0).sum(axis=1) == 5)


def test_the_script_of_constants_runs(tmp_path: pathlib.Path) -> None:
    done = scripts.run("shifted", "--smoke", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert np.shape(found["cases"]) == (1, 3, 3, 2, 4)
    assert (tmp_path / "constants.png").exists()
    errors = np.ones((3, 3, 3, 2, 4))
    errors[:, 1, 0, :, 2] = 100
    made = shifted.describe(errors)
    assert made["ratios"]["relative L2 error"]["trapping"]["without trapping"][0]["mean"] == 2
    assert made["errors"]["without global phase"]["trapping"]["all"][0]["median"] == 1


def test_the_figure_has_a_row_for_each_budget() -> None:
    strengths = np.array([0.3, 0.2, 0.4, 0.0, 0.3])
    rows = placebos.describe(make_table(strengths), ["barrier", "quadratic", "well"])
    found = {"processes": list(PROCESSES), "budgets": {"short": rows, "long": rows}}
    figure = placebos_figure.plot(found)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 4
    assert "smooth" in placebos.report(found)
