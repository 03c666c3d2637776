"""Who is asked, how intervals are drawn, and what a verdict says."""

import json
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import Planted

from qdistill.insight import harness
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.system import System, rollout
from qdistill.teacher import split_step

SYSTEM = System(Grid(64, 20.0), bounds=(-1.0, 5.0))
FINE, COARSE = split_step(SYSTEM, 8), split_step(SYSTEM, 2, kinetic_cap=10.0)


def test_null_models_stand_next_to_emulators_and_controls_in_front() -> None:
    panel = harness.make_panel({"student": [FINE, FINE]}, {"clamped": COARSE})
    assert panel.system.bounds is None
    assert panel.roles == {"student": "emulator", "clamped": "null"}
    assert [len(member.seeds) for member in panel.members.values()] == [2, 1]
    assert panel.n_history == 1
    whole = panel.with_controls(FINE, {"blind": COARSE})
    assert list(whole.members) == [harness.EXACT, "blind", "student", "clamped"]
    assert list(whole.without("negative").members) == [harness.EXACT, "student", "clamped"]


def test_the_past_leads_to_the_present() -> None:
    solver = harness.solve_exactly(SYSTEM, (0.0, 2.0))
    x = SYSTEM.grid.positions()
    psi, v = packets.gaussian(SYSTEM.grid, 8.0, 1.0, 2.0), 2 * jnp.exp(-((x - 10) ** 2))
    past = jax.jit(lambda psi, v: harness.recall(solver, psi, v, 4))(psi, v)
    assert past.shape == (4, 64)
    np.testing.assert_array_equal(past[-1], psi)
    np.testing.assert_allclose(rollout(solver, past[:1], v, 3), past[1:], atol=1e-5)
    np.testing.assert_array_equal(harness.recall(solver, psi, v, 1), psi[None])


class Rocked(System):
    """A potential that swings, differently before and after t = 0."""

    is_autonomous = False

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        """V sin(3 t + 1)."""
        return v * jnp.sin(3 * t + 1)


def test_the_newest_given_frame_of_a_driven_system_is_at_time_zero() -> None:
    solver = split_step(Rocked(SYSTEM.grid, 0.2), 20)
    x = SYSTEM.grid.positions()
    psi, v = packets.gaussian(SYSTEM.grid, 8.0, 1.0, 2.0), 4 * jnp.exp(-((x - 10) ** 2))
    past = harness.recall(solver, psi, v, 3)
    np.testing.assert_allclose(rollout(solver, past[:1], v, 2, n0=-2), past[1:], atol=1e-5)
    frames = harness.forecast(solver, past[None], v[None], 2)[0]
    np.testing.assert_allclose(frames, rollout(solver, psi[None], v, 2), atol=1e-6)
    assert jnp.max(jnp.abs(frames - rollout(solver, psi[None], v, 2, n0=2))) > 0.05


def test_many_cases_are_forecast_a_few_at_a_time() -> None:
    given = jax.random.normal(jax.random.key(0), (35, 1, 64), jnp.complex64)
    v = jax.random.uniform(jax.random.key(1), (35, 64))
    frames = harness.forecast(FINE, given, v, 2)
    at_once = jax.jit(jax.vmap(lambda given, v: rollout(FINE, given, v, 2)))(given, v)
    np.testing.assert_allclose(frames, at_once, atol=1e-5)


def test_bootstrap_takes_seeds_and_cases_as_wholes() -> None:
    rng = np.random.default_rng(0)
    cases = rng.normal(size=(1, 40)) + 5
    alone = harness.bootstrap(cases)
    assert alone.low < alone.median < alone.high
    assert 0.2 < alone.high - alone.low < 1.2
    # Equal seeds tell nothing more; seeds that differ widen the interval.
    assert harness.bootstrap(np.repeat(cases, 5, axis=0)) == pytest.approx(alone, abs=0.15)
    differing = harness.bootstrap(cases + np.arange(5)[:, None])
    assert differing.high - differing.low > 2
    assert harness.bootstrap(cases) == alone
    assert harness.bootstrap(np.array([[1.0, np.nan, 3.0, np.inf, 2.0]])).median == 2
    assert np.isnan(harness.bootstrap(np.full((1, 3), np.nan)).median)


def test_resamples_are_drawn_axis_by_axis_and_kept() -> None:
    seeds, cases = harness.resample((3, 8), 5)
    rng = np.random.default_rng(5)
    for i in range(2):
        np.testing.assert_array_equal(seeds[i], rng.integers(3, size=3))
        np.testing.assert_array_equal(cases[i], rng.integers(8, size=8))
    with pytest.raises(ValueError, match="read-only"):
        cases[0, 0] = 0


@pytest.mark.parametrize(
    ("own", "exact", "excess", "ratio", "words"),
    [
        (1e-7, 1e-7, 1e-8, 0.9, "holds"),
        (1e-2, 1e-7, 1e-2, 0.1, "kept"),
        (1e-2, 1e-7, 1e-2, 0.5, "partly kept"),
        (1e-2, 1e-7, 1e-2, 0.7, "as accurate"),
        (1e-2, 1e-2, 1e-3, 0.7, "as the teacher"),
        (1e-1, 1e-2, 1e-1, 0.1, "kept"),
        (1e-7, 1e-2, 1e-2, 0.9, "unlike the teacher"),
        (1e-1, 1e-2, 1e-1, 0.9, "as accurate"),
        (np.inf, 1e-7, np.inf, np.nan, "diverges"),
    ],
)
def test_verdicts(own: float, exact: float, excess: float, ratio: float, words: str) -> None:
    at = [harness.Interval(a, a, a) for a in (own, exact, excess, ratio)]
    assert harness.verdict(at[0], at[1], at[2], at[3], rounding=1e-6) == words


def test_a_control_fires_far_above_its_claim() -> None:
    claim = harness.Interval(1e-3, 1e-4, 1e-2)
    assert harness.fires(harness.Interval(1.0, 4e-3, 2.0), claim, 1e-6)
    assert not harness.fires(harness.Interval(1.0, 2e-3, 2.0), claim, 1e-6)
    assert not harness.fires(harness.Interval(1.0, 4e-3, 2.0), claim, 1e-2)


def test_a_report_prints_its_table_and_writes_json() -> None:
    report = harness.Report({"a": [np.inf, 1.0], "b": {"c": float("nan")}}, "the table")
    assert str(report) == "the table"
    assert json.loads(report.to_json()) == {"a": [None, 1.0], "b": {"c": None}}


def test_tables_line_up() -> None:
    sections = {"first": {"a": ["1", "22"]}, "second one": {"bb": ["333", "4"]}}
    lines = harness.make_table(["x", "y"], sections).splitlines()
    assert lines[0].startswith("first")
    assert lines[2].startswith("second one")
    assert len({len(line) for line in lines}) == 1
    assert harness.make_table(["x"], {"": {"a": ["1"]}}).splitlines()[1] == "a  1"


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_by_words() -> None:
    no_tree: Any = types.SimpleNamespace(system=SYSTEM, n_history=1)
    memory = Planted(SYSTEM, lambda v: lambda frames: frames, 2)
    other = split_step(System(Grid(32, 20.0)), 8)
    panel = harness.make_panel({harness.EXACT: FINE})
    refused: dict[str, Callable[[], Any]] = {
        "`emulators` must be at least one": lambda: harness.make_panel({}),
        "`a` must be of at least one seed": lambda: harness.make_panel({"a": []}),
        "`a` must be seeds of one student": lambda: harness.make_panel({"a": [FINE, memory]}),
        "`b` must be of the system of 'a'": lambda: harness.make_panel({"a": FINE, "b": other}),
        "`nulls` must be named differently": lambda: harness.make_panel({"a": FINE}, {"a": FINE}),
        "`a` must be a pytree": lambda: harness.make_panel({"a": no_tree}),
        "`emulators` must be named differently": lambda: panel.with_controls(FINE),
        "`n_case` must be at least 1": lambda: harness.bootstrap(np.zeros((1, 0))),
        "`n_given` must be at least 1": lambda: harness.recall(
            FINE, jnp.ones(64), jnp.zeros(64), 0
        ),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)
