"""What a job costs, and the comparison of made-up costs."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.frontier import compare, costs
from experiments.frontier.cases import FrontierConfig
from experiments.frontier.contenders import Contender, Operations
from experiments.frontier.costs import Cost
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.system import Step, System

LINE = System(Grid(64, 16.0, "continuum"), 0.5)
PSI = packets.gaussian(LINE.grid, 8.0, 1.5, 1.0)
GIVEN = jnp.stack([PSI, -PSI])[:, None]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Busy:
    """A propagator that works on its potential, its packets, or its looks only."""

    part: str = dataclasses.field(metadata={"static": True})
    system: System = dataclasses.field(default=LINE, metadata={"static": True})

    n_history: ClassVar[int] = 1
    is_linear: ClassVar[bool] = True
    is_unitary: ClassVar[bool] = True
    is_differentiable: ClassVar[bool] = True

    def __call__(self, v: jax.Array) -> Step:
        def work(part: str, psi: jax.Array) -> jax.Array:
            """All of the same matrix, which no compiler knows to be the identity."""
            return psi if part != self.part else (jnp.diag(1 + 0 * v) @ jnp.eye(64)) @ psi

        once = work("potential", jnp.ones(64))
        return Step(
            lambda frames, n: frames[-1] * once,
            lambda psi: work("packet", psi),
            lambda psi: work("look", psi),
        )


def seconds_of(setup: float, packet: float, look: float):
    """A clock for `costs.measure` that needs no time."""

    def timer(propagator, given, v):
        return lambda n, is_film: setup + len(given) * n * (packet + look * is_film)

    return timer


def test_every_part_of_a_job_is_told_from_long_and_short_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(costs, "_timer", seconds_of(4.0, 0.3, 0.5))
    found = costs.measure({"a": Contender("a", Busy("none"))}, GIVEN, jnp.zeros(64), 7, 3)["a"]
    for part, expected in (("setup", 4.0), ("packet", 0.3), ("look", 0.5)):
        np.testing.assert_allclose(getattr(found, part), np.full(3, expected))


def test_noise_makes_no_negative_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was held up while nothing was done."""
    monkeypatch.setattr(costs, "_timer", seconds_of(0.2, -0.05, -0.03))
    found = costs.measure({"a": Contender("a", Busy("none"))}, GIVEN, jnp.zeros(64), 7, 2)["a"]
    assert np.all(found.packet == 0)
    assert np.all(found.look == 0)
    assert np.all(found.of_job(16, 100, 100) == 0.2)


@pytest.mark.parametrize("part", ["potential", "packet", "look"])
def test_nothing_that_is_timed_is_optimised_away(part: str) -> None:
    """Of what a run of each kind asks of the machine; loops are counted once."""

    def flops(part: str, is_film: bool) -> float:
        run = costs._run.lower(Busy(part), GIVEN, jnp.zeros(64), 3, is_film).compile()
        return (run.cost_analysis() or {}).get("flops", 0.0)

    product = 2 * 64**2
    for is_film in (False, True):
        more = flops(part, is_film) - flops("none", is_film)
        # The last psi is decoded whether or not it is looked at before.
        assert more > product * (2 if (part, is_film) == ("look", True) else 1)


def test_real_runs_take_time() -> None:
    found = costs.measure({"a": Contender("a", Busy("packet"))}, GIVEN, jnp.zeros(64), 4, 2)["a"]
    assert np.all(found.setup > 0)
    assert np.all(np.isfinite(found.of_job(2, 4, 4)))


def test_a_job_is_a_potential_its_packets_and_looks_at_them() -> None:
    config = FrontierConfig(n_packets=2, job_units=5)
    costs_of = {"a": Cost(np.full(3, 4.0), np.full(3, 0.3), np.full(3, 0.5))}
    spent = compare.in_seconds(costs_of, config)
    np.testing.assert_allclose(spent["film"]["a"], 4 + 2 * (5 * 0.3 + 5 * 0.5))
    np.testing.assert_allclose(spent["end"]["a"], 4 + 2 * (5 * 0.3 + 0.5))
    assert Operations(4, 0.3, 0.5).of_job(2, 5, 1) == pytest.approx(8.0)


def test_the_most_exact_solver_in_the_time_of_a_student_is_next_to_it() -> None:
    config = FrontierConfig(n_bootstrap=200)
    errors = {
        "quick": np.full(6, 5e-2), "equal": np.full(6, 1e-2), "late": np.full(6, 1e-5),
        "student": np.full(6, 5e-3),
    }  # fmt: skip
    seconds = {name: np.full(3, each) for name, each in zip(errors, (1, 4.3, 4.5, 4), strict=True)}
    solvers = list(errors)[:3]
    found = compare.at_equal_time("student", solvers, errors, seconds, config)
    assert found.pop("solver") == "equal"
    assert list(found.values()) == pytest.approx([0.5] * 3)
    # Where rounds do not agree on who is in time, the interval has both.
    seconds["late"] = np.array([4.3, 4.5, 4.5])
    found = compare.at_equal_time("student", solvers, errors, seconds, config)
    assert found["ratio"] == pytest.approx(0.5)
    assert found["ratio_high"] == pytest.approx(500)
    seconds["student"] = np.full(3, 0.5)
    assert compare.at_equal_time("student", solvers, errors, seconds, config) == {"solver": None}


def test_the_cheapest_at_a_level_wins() -> None:
    config = FrontierConfig(n_bootstrap=200)
    errors = {
        "slow": np.full(6, 1e-4), "fast": np.full(6, 5e-2), "student": np.full(6, 5e-3),
    }  # fmt: skip
    seconds = {"slow": 8.0, "fast": 1.0, "student": 2.0}
    found = compare.compare(
        errors, {name: np.full(3, s) for name, s in seconds.items()}, ["student"], config
    )
    for level, solver_name, ratio in (("0.1", "fast", 0.5), ("0.01", "slow", 4.0)):
        assert (found[level]["solver"], found[level]["student"]) == (solver_name, "student")
        for key in ("ratio", "ratio_low", "ratio_high"):
            assert found[level][key] == pytest.approx(ratio)
    assert found["0.001"] == {"solver": "slow", "student": None}


def test_an_interval_holds_the_luck_of_the_potentials() -> None:
    """Who fails on one potential of four is within 0.01 on 0.32 of all draws, (3/4)^4."""
    config = FrontierConfig(levels=(1e-2,), n_bootstrap=2000)
    errors = {
        "slow": np.full(4, 1e-4),
        "fast": np.array([1e-3, 1e-3, 1e-3, 3e-2]),
        "student": np.zeros(4),
    }
    seconds = {n: np.full(2, s) for n, s in zip(errors, (8.0, 1.0, 2.0), strict=True)}
    row = compare.compare(errors, seconds, ["student"], config)["0.01"]
    assert row["solver"] == "slow"
    assert (row["ratio_low"], row["ratio"], row["ratio_high"]) == (0.5, 4.0, 4.0)
