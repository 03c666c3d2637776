"""The study of discovered charges: systems, evidence, and a short run."""

import numpy as np
import pytest

from experiments.discovery import discover, wells
from qdistill.physics import files
from qdistill.physics.grid import Grid
from qdistill.system import System

GRID = Grid(1024, 100.0)
LINE = System(GRID)
# Where the form of a splitting does not decide what is conserved.
ANHARMONIC = {"quartic", "double well", "Poeschl-Teller", "barrier"}


@pytest.mark.parametrize("draw", [0, 1])
def test_potentials_fit_the_box(draw: int) -> None:
    found = wells.known(LINE, draw)
    assert {name for name, known in found.items() if known.is_anharmonic} == ANHARMONIC
    for known in found.values():
        v = np.asarray(known.v)
        files.require_periodic(GRID, "v", v)
        assert np.abs(v).max() <= wells.CEILING
        # The tops of wells, where the ceiling is, are far from all packets.
        psi = np.asarray(wells.draw(LINE, known, 4, 0))
        inside = np.sum(np.abs(psi) ** 2 * (v < wells.CEILING), axis=1) * GRID.dx[0]
        np.testing.assert_allclose(inside, 1, atol=1e-3)


def test_draws_differ_in_strength() -> None:
    first, second = (np.asarray(wells.known(LINE, i)["barrier"].v) for i in (0, 1))
    assert 0.8 <= second.max() / first.max() <= 1.2
    assert first.max() != second.max()


def rows(drifts: np.ndarray, error: float) -> list[dict]:
    return [{"drifts": [each, 1.0], "error": error, "n_static": 1} for each in drifts]


@pytest.mark.parametrize(
    ("better", "verdict"), [(0.1, "learned"), (1.0, "as a null model"), (10.0, "as a null model")]
)
def test_only_a_charge_that_null_models_break_is_learned(better: float, verdict: str) -> None:
    rng = np.random.default_rng(0)
    systems = {
        name: [
            {
                "student": rows(better * 1e-3 * rng.uniform(0.9, 1.1, 5), 0.01),
                "null": rows(1e-3 * rng.uniform(0.9, 1.1, 1), 0.012),
            }
            for _ in range(3)
        ]
        for name in ANHARMONIC
    }
    found = {
        "roles": {"student": "emulator", "null": "null"},
        "theory": {name: {"is_anharmonic": True} for name in ANHARMONIC},
        "systems": systems,
    }
    evidence = discover.weigh(found)["student"]
    assert evidence["verdict"] == verdict
    assert evidence["nulls"] == ("null",)


def test_a_short_run_finds_the_energy_in_anharmonic_wells() -> None:
    args = discover.smoke(discover.Args(runs=("demo",), masses=(1.1,)))
    results = discover.discover(args)
    # A solver for another mass is as wrong as one likes, and conserves an energy: T / 1.1 + V.
    (row,) = results.metrics["systems"]["quartic"][0]["clamped-2, mass x 1.1"]
    assert row["error"] > 0.05
    assert row["n_static"] == 1
    (charge,) = row["charges"]
    assert charge.endswith(" T + V")
    assert float(charge.split()[0]) == pytest.approx(1 / 1.1, rel=2e-3)
    for name in ("quartic", "double well", "Poeschl-Teller"):
        (members,) = results.metrics["systems"][name]
        for who in ("exact solver", "demo", "clamped-2"):
            (row,) = members[who]
            assert row["n_static"] == 1
            assert row["closure"]["dimension"] == 2
        (random,) = members["demo, random phases"]
        assert random["n_static"] == 0
    assert "T + V" in results.report
    assert list(results.figures) == ["charges"]
