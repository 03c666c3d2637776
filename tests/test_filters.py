"""Filters of kicks at sharp edges: closed forms, a round trip, and the script."""

import json
import pathlib

import numpy as np
import pytest
import scripts

from experiments.corrections import filters, splittings, study
from qdistill.physics.grid import Grid
from qdistill.system import System


def plain(n_pairs: int, dt: float) -> splittings.Splitting:
    """The split step without a clamp."""
    system = System(Grid(512, 51.2, "continuum"), dt)
    drifts = np.full(n_pairs, 1 / n_pairs)
    return splittings.of_solver(system, study.trapezoid(n_pairs), drifts, cap=1e9)


@pytest.mark.parametrize(("n_pairs", "end"), [(2, 1 / 6), (3, 1 / 8)])
def test_short_frames_have_the_shares_of_simpsons_rules(n_pairs: int, end: float) -> None:
    theory = filters.perturbation_theory(plain(n_pairs, 0.01), largest=2.0, every=4)
    slow = theory.q < 4
    np.testing.assert_allclose(theory.shares[0][slow], end, atol=1e-4)
    np.testing.assert_allclose(theory.shares.sum(axis=0)[slow], 1, atol=1e-5)


def test_waves_in_resonance_with_the_frame_want_equal_substeps() -> None:
    """From q = sqrt(25 + 4 pi / 0.1) - 5 = 7.3 to the end of elastic scattering, momenta to 5."""
    theory = filters.perturbation_theory(plain(2, 0.1), every=4)
    reached = (theory.q > 7.6) & (theory.q < 10)
    np.testing.assert_allclose(theory.shares[0][reached], 0.25, atol=0.01)


def test_filters_are_read_as_they_were_planted() -> None:
    made = plain(2, 0.1)
    q = np.linspace(0, 32, 33)
    end = 0.25 - 0.05 * np.exp(-(((q - 6) / 4) ** 2))
    slow = -np.exp(-((q / 8) ** 2))
    planted = filters.Filters(q, np.array([end, 1 - 2 * end, end]), np.array([slow] * 3))
    found = filters.read(filters.filtered(made, planted), 3.0).at(q)
    np.testing.assert_allclose(found.shares[:, 1:-1], planted.shares[:, 1:-1], atol=1e-3)
    np.testing.assert_allclose(found.gradients[:, 1:-1], planted.gradients[:, 1:-1], atol=2e-2)


def test_smoke_run_writes_filters_and_a_figure(tmp_path: pathlib.Path) -> None:
    done = scripts.run("sharp_edges", "demo", "--smoke", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    row = found["emulators"]["demo"]["trainings"][0]
    assert row["errors"]["both filters"]["sharp"]["median"] > 0
    # Elastic scattering needs the sum 1; the emulator is trained.
    assert abs(row["learned"]["total"][1] - 1) < 0.01
    assert (tmp_path / "out" / "sharp_edges.png").exists()


@pytest.mark.parametrize("dispersion", ["continuum", "lattice"])
@pytest.mark.parametrize(("shares", "wanted"), [((1, 4, 1), -4 / 3), ((1, 3, 3, 1), -9 / 8)])
def test_second_order_theory_has_the_corrections_of_fourth_order_on_gentle_hills(
    dispersion: str, shares: tuple[int, ...], wanted: float
) -> None:
    n = len(shares) - 1
    parts = np.array(shares) / sum(shares)
    system = System(Grid(1024, 100.0, dispersion), dt=0.1)
    made = splittings.of_solver(system, parts, [1 / n] * n, cap=1e9)
    box = filters.make_box(made)
    hill = np.exp(-((np.asarray(box.positions(), float) - box.middle[0]) ** 2) / 2)
    flat = np.repeat(parts[:, None], 2, axis=1)
    of_v = filters.Filters(np.array([0.0, 100.0]), flat, np.zeros_like(flat))
    found = filters.second_order(made, of_v, hill, largest=2.0)
    # What is left is of the next order in k h, and on the lattice (k dx)^2 / 4, 1% at 2 per bohr.
    slow = found.q <= 2
    np.testing.assert_allclose(found.gradients.sum(axis=0)[slow], wanted, rtol=0.01)
