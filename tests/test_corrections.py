"""Corrections of splittings: closed forms, planted corrections, and the script."""

import dataclasses
import json
import pathlib

import jax
import numpy as np
import pytest
import scripts

from experiments.corrections import (
    figure,
    fits,
    from_scratch,
    newton_grid,
    optimisers,
    optimum,
    replacements,
    splittings,
    study,
    theory,
    unsmoothed,
)
from experiments.corrections.fits import Ensemble
from experiments.shelf import correction
from qdistill.physics.grid import Grid
from qdistill.runs import folder, presets
from qdistill.system import System

both_dispersions = pytest.mark.parametrize("dispersion", ["lattice", "continuum"])


def box(dispersion: str) -> Grid:
    return Grid(64, 12.8, dispersion)


def well(grid: Grid) -> np.ndarray:
    x = np.asarray(grid.positions(), float) - grid.middle[0]
    return -4 * np.exp(-(x**2) / 8)


@pytest.mark.parametrize("share", [0.25, 0.21, 1 / 6])
def test_two_pairs_have_the_known_shift_of_energies(share: float) -> None:
    made = theory.commutators((share, 1 - 2 * share, share), (0.5, 0.5))
    assert made.invariant == pytest.approx(-correction(share), abs=1e-12)


@pytest.mark.parametrize("n_pairs", [1, 2, 3, 4])
def test_equal_substeps_have_the_commutators_of_strang(n_pairs: int) -> None:
    made = theory.commutators(study.trapezoid(n_pairs), np.full(n_pairs, 1 / n_pairs))
    assert made.alpha == pytest.approx(-1 / 12 / n_pairs**2, abs=1e-12)
    assert made.beta == pytest.approx(-1 / 24 / n_pairs**2, abs=1e-12)


@pytest.mark.parametrize("n_pairs", [2, 3, 4])
def test_both_commutators_vanish_at_fourth_order(n_pairs: int) -> None:
    shares, gradient = study.fourth_order(n_pairs)
    unit = 1 / (24 * n_pairs**2)
    made = theory.commutators(shares, np.full(n_pairs, 1 / n_pairs), gradient * unit)
    assert made == pytest.approx((0, 0), abs=1e-12)


@pytest.mark.parametrize(
    ("kicks", "drifts"),
    [
        ((0.5, 0.5), (1.0,)),
        ((0.2, 0.6, 0.2), (0.5, 0.5)),
        ((0.1, 0.4, 0.4, 0.1), (0.3, 0.4, 0.3)),
    ],
)
@both_dispersions
def test_energies_are_shifted_by_the_invariant(
    kicks: tuple[float, ...], drifts: tuple[float, ...], dispersion: str
) -> None:
    system, grid = System(box(dispersion), 0.02), box(dispersion)
    expected = theory.commutators(kicks, drifts).invariant * system.dt**2
    made = splittings.of_solver(system, kicks, drifts)
    found = theory.levels(made, grid, well(grid), -0.2)
    assert len(found.shift) > 2
    assert theory.measured_invariant([found]) == pytest.approx(expected, rel=2e-3)


def test_errors_of_the_kinetic_energy_are_no_part_of_the_invariant() -> None:
    grid = box("continuum")
    system = System(grid, 0.02)
    made = splittings.of_solver(system, (0.5, 0.5), (1.0,))
    raised = splittings.Splitting(
        system, made.shares, lambda grid: made.drifts(grid) + 1e-3 * system.dt, made.local
    )
    plain, shifted = (theory.levels(each, grid, well(grid), -0.2) for each in (made, raised))
    np.testing.assert_allclose(shifted.shift, plain.shift, atol=1e-9)
    np.testing.assert_allclose(shifted.of_kinetic - plain.of_kinetic, 1e-3, atol=1e-9)


@both_dispersions
def test_planted_coefficients_are_found(dispersion: str) -> None:
    system = System(box(dispersion), 0.1)
    v = Ensemble((1.0, 2.0)).sample(np.random.default_rng(0), system.grid, 4)
    plain = splittings.of_solver(system, (0.2, 0.6, 0.2), (0.5, 0.5))
    assert fits.fit(plain, system.grid, v)["gradient"] == 0
    planted = plain.replaced((-0.5, 0.2, -0.5), (0.1, 0.0, 0.1))
    found = fits.fit(planted, system.grid, v)
    assert found["gradient"] == pytest.approx(-0.8)
    assert found["curvature"] == pytest.approx(0.2)
    assert found["r2"] == pytest.approx(1)
    assert [kick["gradient"] for kick in found["kicks"]] == pytest.approx([-0.5, 0.2, -0.5])
    np.testing.assert_allclose(fits.shares_of_drifts(planted), (0.5, 0.5))


def test_a_correction_with_the_wrong_sign_is_not_taken_for_the_right_one() -> None:
    grid = box("continuum")
    system = System(grid, 0.05)
    strang = study.trapezoid(2)
    shifts = []
    for gradient in (-1.0, 0.0, 1.0):
        made = splittings.of_solver(system, strang, (0.5, 0.5), gradient * strang)
        found = theory.levels(made, grid, well(grid), -0.2)
        shifts.append(theory.measured_invariant([found]) / made.unit)
    assert shifts == pytest.approx([0, 1, 2], abs=0.01)


def test_the_optimum_with_free_shares_is_the_scheme_of_fourth_order() -> None:
    system = System(Grid(256, 25.0, "continuum"), 0.1)
    v = Ensemble((1.0, 2.0)).sample(np.random.default_rng(0), system.grid, 4)
    plain = splittings.of_solver(system, study.trapezoid(2), (0.5, 0.5))
    found = optimum.find(plain, optimum.pose(system, v, 0, 20), with_shares=True)
    shares, gradient = study.fourth_order(2)
    np.testing.assert_allclose(found.splitting.shares, shares, atol=2e-3)
    assert found.gradient == pytest.approx(gradient, abs=0.03)
    assert found.interval[0] < found.gradient < found.interval[1]
    assert found.error < 0.5 * found.start


def test_edges_are_rectangular_at_width_zero() -> None:
    system = System(Grid(64, 12.8))
    sharp = replacements.Edges(0.0).sample(np.random.default_rng(0), system, 3)
    smooth = replacements.Edges(1e-3).sample(np.random.default_rng(0), system, 3)
    assert all(len(np.unique(v)) == 2 for v in sharp)
    np.testing.assert_allclose(smooth, sharp, atol=1e-3 * np.abs(sharp).max())


def test_smoke_run_has_every_part(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out"
    done = scripts.run("corrections", "--smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "metrics.json").read_text())
    (training,) = found["trainings"].values()
    (solvers,) = found["solvers"].values()
    assert solvers["strang"]["ensembles"]["steep"]["gradient"] == 0
    planted = solvers["takahashi-imada"]["ensembles"]["steep"]
    assert planted["gradient"] == pytest.approx(-1)
    assert planted["invariant"] == pytest.approx(0, abs=1e-9)
    assert len(training["ensembles"]["medium"]["kicks"]) == 3
    assert "interventions" in training
    errors = found["packaged"]["demo"]["interventions"]["local phases zero"]
    assert len(errors["smooth"]["cases"]) + len(errors["sharp"]["cases"]) == 10
    assert (out / "corrections.png").exists()
    # The trainings are kept, so the same command without training finds them.
    assert (out / "trainings" / next(iter(found["trainings"]))).exists()


def test_unknown_emulators_are_refused(tmp_path: pathlib.Path) -> None:
    done = scripts.run("corrections", "--packaged", "gru", "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "`packaged` must be" in done.stderr


def test_the_question_on_splittings_from_scratch_is_decided_by_intervals() -> None:
    def row(gradient: float, invariant: float) -> dict:
        numbers = {"gradient": gradient, "curvature": 0.0, "alpha": -2.0, "beta": -2.0 + invariant}
        of = numbers | {"invariant": invariant}
        return {
            "shares": [0.25],
            "ensembles": dict.fromkeys(study.ENSEMBLES, of),
            "energies": {"invariant": invariant},
        }

    learned = {str(i): row(-1.1 + 0.1 * i, -0.1 + 0.1 * i) for i in range(3)}
    found = from_scratch.answer(learned)
    assert found["is negative"]
    assert found["is of fourth order"]
    scattered = {str(i): row(-4.0 + 4.0 * i, -3.0 + 3.0 * i) for i in range(3)}
    found = from_scratch.answer(scattered)
    assert not found["is negative"]
    # An interval that contains 1 as well says nothing.
    assert not found["is of fourth order"]
    assert "negative: False" in from_scratch.table(found)


def test_trainings_without_smoothed_boxes_differ_in_nothing_else(tmp_path: pathlib.Path) -> None:
    done = scripts.run("unsmoothed", "--smoke", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    before, after = (found["versions"][name] for name in (unsmoothed.FIRST, unsmoothed.LAST))
    assert after["error"]["sharp"]["mean"] < before["error"]["sharp"]["mean"]
    # The preset's own smoothing gives the preset's own boxes; none gives vertical edges.
    config = unsmoothed.config_of(unsmoothed.Args(smoke=True))
    setup = folder.set_up(config)
    state = setup.trainers[1].init(jax.random.key(0))
    drawn = setup.trainers[1].make_block(state).spectra.v
    same, sharp = (
        unsmoothed.with_softness(config, softness)[1].make_block(state).spectra.v
        for softness in (1.0, 0.0)
    )
    np.testing.assert_array_equal(same, drawn)
    assert all(len(np.unique(v)) <= 2 for v in np.asarray(sharp))


def test_every_combination_is_trained_once(tmp_path: pathlib.Path) -> None:
    every = list(newton_grid.combinations(newton_grid.Args()))
    assert len(every) == len(set(every)) == 32
    for start, dispersion, dt, n_pairs in every:
        made = newton_grid.config_of(start, dispersion, dt, n_pairs, is_small=False)
        assert made.training == presets.PRESETS[newton_grid.PRESET[start]][1].training
        assert (made.system.dt, made.system.grid.dispersion) == (dt, dispersion)
    done = scripts.run("newton_grid", "--smoke", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())["trainings"]
    assert found["informed-continuum-3-dt0.2"]["theory"] == {"share": 0.125, "gradient": -1.125}


def test_every_training_is_drawn_in_the_panel() -> None:
    def row(alpha: float, beta: float) -> dict:
        return {"ensembles": {figure.ENSEMBLE: {"alpha": alpha, "beta": beta}}}

    ways = {"Gauss-Newton": {"0": row(0.0, -0.1)}, "Adam": {"0": row(-2.6, 9.0)}}
    (ax,) = figure.plot_ways(ways).axes
    places = {
        str(line.get_markerfacecolor()): np.asarray(line.get_xydata())
        for line in ax.lines
        if line.get_marker() in ("o", "^") and np.size(line.get_xdata())
    }
    assert places.pop("white")[0] == pytest.approx((-2.6, 2.5), abs=0.1)
    (inside,) = places.values()
    np.testing.assert_allclose(inside, [(0.0, -0.1)])


def test_adam_lowers_the_loss_of_the_gauss_newton_steps() -> None:
    args = dataclasses.replace(optimisers.smoke(optimisers.Args()), n_blocks=10)
    config = unsmoothed.config_of(unsmoothed.Args(smoke=True))
    student, stage = folder.set_up(config).student, config.training.stages[-1]
    trainer = folder.set_up(config).trainers[-1]
    state = trainer.init(jax.random.key(0))
    examples = trainer.make_block(state._replace(step=state.step + 100)).spectra
    measure = optimisers.loss(optimisers._problem(student, stage, False))
    before = measure(state.params, examples)
    after = optimisers._by_adam(student, stage, trainer, state, False, args)
    assert measure(after, examples) < before
