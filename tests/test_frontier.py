"""Contenders and held-out cases of the frontier, on lines and in squares, against closed forms."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.frontier import cases, contenders, resampling
from experiments.frontier.cases import FrontierConfig, SolversConfig
from experiments.frontier.contenders import UNIT, Contender
from experiments.frontier.kernel import KernelConfig
from qdistill.forecast.cases import Cases
from qdistill.physics import band, packets, potentials
from qdistill.physics.grid import Dispersion, Grid, norm
from qdistill.runs import pretrained
from qdistill.students import PropagatorConfig
from qdistill.system import Propagator, System, rollout
from qdistill.teacher import chebyshev

LATTICE = System(Grid(256, 25.0), UNIT)
CONTINUUM = System(Grid(1024, 100.0, "continuum"), UNIT)
SQUARE = System(Grid((36, 36), (12.0, 12.0), "continuum"), UNIT)
V = potentials.barrier(LATTICE.grid.positions(), 4.0, 2.0, 14.0)


def runs_of(system: System, v: jax.Array, n_units: int = 1) -> Cases:
    """A packet, exactly evolved."""
    psi = packets.gaussian(system.grid, 9.0, 1.5, 3.0)
    solver = chebyshev(dataclasses.replace(system, dt=UNIT, bounds=(0.0, 4.0)), 1e-7)
    frames = jax.jit(lambda psi: rollout(solver, psi[None], v, n_units))(psi)
    return Cases(psi[None, None], v[None], frames[None])


def error_of(contender: Contender, truth: Cases) -> float:
    return float(cases.measure_errors(contender, truth)[0])


@pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
def test_free_packets_are_exact_on_fewer_points(dispersion: Dispersion) -> None:
    system = System(Grid(256, 25.0, dispersion))
    truth = runs_of(system, jnp.zeros(256))
    few = [
        contenders.clamped(system, 10, 60.0, 64),
        contenders.clamped(system, 10, 60.0, 64, "takahashi-imada"),
        *contenders.projected(system, [64]).values(),
        *contenders.cut_off(system, [64]).values(),
    ]
    for contender in few:
        # Rounding: the packet has exp(-50) beyond the waves of 64 points.
        assert error_of(contender, truth) < 2e-5


def test_solvers_err_as_their_orders_say() -> None:
    truth = runs_of(LATTICE, V)
    splits = contenders.split_steps(LATTICE, (20, 160, 320))
    assert "split step, 20 pairs" not in splits  # a resonance
    coarse, fine = (error_of(splits[f"split step, {n} pairs"], truth) for n in (160, 320))
    assert coarse == pytest.approx(4 * fine, rel=0.1)
    expansions = contenders.chebyshevs(LATTICE, (1e-2, 1e-4), (0.0, 4.0)).values()
    for tolerance, contender in zip((1e-2, 1e-4), expansions, strict=True):
        assert error_of(contender, truth) < tolerance


def test_a_projected_propagator_loses_less_with_more_points() -> None:
    truth = runs_of(LATTICE, V)
    errors = [
        error_of(each, truth) for each in contenders.projected(LATTICE, (64, 128, 253)).values()
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    # Three waves are missing of 256, and folded in.
    assert errors[2] < 1e-3


def test_contenders_make_as_many_frames_as_fit() -> None:
    quarter = chebyshev(System(LATTICE.grid, 0.25, bounds=(0.0, 4.0)), 1e-6)
    assert error_of(Contender("solver", quarter), runs_of(LATTICE, V, n_units=2)) < 2e-5
    with pytest.raises(ValueError, match=r"`dt` must be a part of 1 a\.u\., but is 0\.3"):
        contenders.frames_per_unit(chebyshev(System(LATTICE.grid, 0.3)))


def test_an_emulator_is_compared_as_it_was_loaded() -> None:
    """Its state is timed, not a stand-in; its name has the size of its band."""
    emulator = pretrained.load("propagator")
    ((name, contender),) = contenders.emulator(emulator, "propagator").items()
    assert name == "propagator, 224 points"
    assert contender.propagator is emulator
    assert (contender.kind, contender.is_learned) == ("student", True)
    assert not next(iter(contenders.cut_off(CONTINUUM, [224]).values())).is_learned
    square = PropagatorConfig(16).build(SQUARE)
    there = square.bind(jax.jit(square.init)(jax.random.key(0)))
    assert list(contenders.emulator(there, "few")) == ["few, 149 waves"]
    assert list(contenders.emulator(pretrained.load("demo"), "demo")) == ["demo"]


def test_the_best_cap_is_the_best() -> None:
    truth = runs_of(LATTICE, V)
    cap, chosen = cases.best_clamped(LATTICE, 20, truth)
    tried = [error_of(contenders.clamped(LATTICE, 20, each), truth) for each in cases.caps(20)]
    assert error_of(chosen, truth) == pytest.approx(min(tried), rel=1e-4)
    assert cases.caps(20)[int(np.argmin(tried))] == cap


def test_schemes_of_fourth_order_are_named_and_of_their_order() -> None:
    """With the operations of their FFT pairs; psi of Takahashi and Imada is of second order."""
    system = System(Grid(128, 25.0, "continuum"), UNIT)
    v = 2.0 * jnp.exp(-0.5 * ((system.grid.positions() - 12.0) / 1.5) ** 2)
    truth = runs_of(system, v)
    errors = {}
    for scheme, title in contenders.TITLES.items():
        # The packet has waves up to 6/bohr, of 18 hartree.
        few, many = (contenders.clamped(system, n, 60.0, scheme=scheme) for n in (6, 12))
        assert few.kind == title
        assert few.operations == contenders.of_split_step(6, 128)
        errors[scheme] = np.array([error_of(few, truth), error_of(many, truth)])
    for scheme in ("strang", "takahashi-imada"):
        few, many = errors[scheme]
        assert few == pytest.approx(4 * many, rel=0.05)
    few, many = errors["blanes-moan"]
    assert few > 16 * many
    # Chin's, whose steps are shorter, is near rounding already.
    assert errors["chin"][0] < errors["strang"][0] / 40


def test_hops_count_where_gradients_are_hops() -> None:
    pair = contenders.of_split_step(1, 256).unit
    for scheme, n_hops in (("takahashi-imada", 12), ("chin", 6), ("blanes-moan", 0)):
        work = contenders.clamped(LATTICE, 12, 60.0, scheme=scheme).operations
        assert work is not None
        assert work.unit == 12 * pair + n_hops * contenders.of_hops(256)
    for n_pairs, n_coarse, scheme, words in (
        (7, None, "chin", "`n_pairs` must be a multiple of 2"),
        (0, None, "strang", "`n_pairs` must be a multiple of 1"),
        (7, 64, "chin", "`n_pairs` must be a multiple of 2"),
        (8, None, "yoshida", "`scheme` must be one of"),
    ):
        with pytest.raises(ValueError, match=words):
            contenders.clamped(LATTICE, n_pairs, 60.0, n_coarse, scheme)


@pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
def test_corrections_on_few_points_are_those_on_all(dispersion: Dispersion) -> None:
    """On a lattice (k dx)^2 / 2 of the correction is left out, below 7%: k is below 3.8/bohr."""
    system = System(Grid(256, 25.0, dispersion), UNIT)
    v = 2.0 * jnp.exp(-0.5 * ((system.grid.positions() - 12.0) / 1.5) ** 2)
    truth = runs_of(system, v, 4)
    few, all_points, strang = (
        error_of(contenders.clamped(system, 6, 60.0, *which), truth)
        for which in ((64, "takahashi-imada"), (None, "takahashi-imada"), (64, "strang"))
    )
    assert abs(few - all_points) < 0.07 * abs(all_points - strang)


def test_every_scheme_and_the_filters_are_in_the_comparison() -> None:
    """Each takes the nearest multiples of its own FFT pairs, and the best of its caps."""
    truth = runs_of(LATTICE, V)
    found, caps = cases.clamped(LATTICE, truth, (), (), (19, 20))
    assert list(found) == [
        *("Takahashi-Imada, 19 pairs", "Takahashi-Imada, 20 pairs", "Chin, 20 pairs"),
        *("Blanes-Moan, 18 pairs", "filters of theory, 20 pairs"),
    ]
    filters = found["filters of theory, 20 pairs"]
    tried = [
        contenders.filters(LATTICE, 20, cap, width)
        for cap in cases.caps(20)
        for width in cases.SMOOTHINGS
    ]
    assert error_of(filters, truth) == pytest.approx(
        min(error_of(each, truth) for each in tried), rel=1e-4
    )
    assert caps["filters of theory, 20 pairs"] in cases.caps(20)


def test_operations_are_those_of_the_algorithms() -> None:
    """An FFT pair of 1024 points, and a band of 223 waves whose looks are real products."""
    (split,) = contenders.split_steps(CONTINUUM, (400,)).values()
    assert split.operations is not None
    pair = split.operations.unit / 400
    assert pair == 2 * 5 * 1024 * 10 + 12 * 1024
    (band,) = contenders.cut_off(CONTINUUM, (224,)).values()
    assert band.operations is not None
    assert band.operations.look == 2 * 223 * 223 * 2 + 5 * 1024 * 10
    assert band.operations.unit == 6 * 223
    assert band.operations.potential == pytest.approx(9 * 223**3, rel=0.01)
    coarse = contenders.clamped(CONTINUUM, 10, 60.0, 256)
    assert coarse.operations is not None
    assert coarse.operations.unit == 10 * (2 * 5 * 256 * 8 + 12 * 256)
    student = KernelConfig().build(CONTINUUM)
    emulator = student.bind(jax.jit(student.init)(jax.random.key(0)))
    (kernel,) = contenders.emulator(emulator, "kernel").values()
    assert kernel.operations is not None
    # Eleven products of 255 waves, then a complex one with a vector a frame.
    assert kernel.operations.potential == pytest.approx(11 * 2 * 255**3, rel=0.05)
    assert kernel.operations.unit == 8 * 255**2


@pytest.mark.parametrize("n_dim", [1, 2])
def test_baselines_of_few_waves_return_what_is_within_their_band(n_dim: int) -> None:
    """Their state is as long as the band, or as the points; psi comes back on the grid."""
    system = {1: LATTICE, 2: SQUARE}[n_dim]
    v = jax.random.normal(jax.random.key(0), system.grid.shape)
    n_coarse = {1: 64, 2: 20}[n_dim]
    b = contenders.band_of(system.grid, n_coarse)
    random = jax.random.normal(jax.random.key(1), (2, b.n_wave))
    psi = band.from_waves(b, random[0] + 1j * random[1])
    waves = [
        *contenders.cut_off(system, [n_coarse]).values(),
        *contenders.folded(system, [n_coarse]).values(),
    ]
    if n_dim == 1:
        waves += contenders.projected(system, [n_coarse]).values()
    for contender in waves:
        propagator: Propagator = contender.propagator
        step = propagator(v)
        state = step.advance(step.encode(psi[None], jnp.asarray(0)))
        assert state.shape == (b.n_wave,)
        found = step.decode(state)
        np.testing.assert_allclose(band.from_waves(b, band.to_waves(b, found)), found, atol=2e-5)
        if contender.kind != "projected":
            np.testing.assert_allclose(norm(system.grid, found), norm(system.grid, psi), rtol=1e-4)
    coarse = resampling.coarse_grid(system.grid, n_coarse)
    step = contenders.clamped(system, 20, 60.0, n_coarse).propagator(v)
    state = step.advance(step.encode(psi[None], jnp.asarray(0)))
    assert state.shape == coarse.shape
    # Of an even number of points one wave is left out: no point is where psi comes back.
    back = resampling.to_coarse(system.grid, coarse, step.decode(state))
    again = resampling.to_fine(system.grid, coarse, back)
    np.testing.assert_allclose(again, step.decode(state), atol=2e-5)


def test_propagators_are_pytrees_of_static_settings() -> None:
    for groups in (
        contenders.cut_off(LATTICE, [64]),
        contenders.folded(LATTICE, [64]),
        contenders.projected(LATTICE, [64]),
    ):
        (contender,) = groups.values()
        assert jax.tree.leaves(contender.propagator) == []
        assert isinstance(contender.propagator, Propagator)
    capped = contenders.clamped(LATTICE, 20, 60.0, 64).propagator
    assert jax.tree.leaves(capped) == [60.0]


@pytest.mark.parametrize("family", cases.FAMILIES)
def test_cases_are_packets_and_potentials_within_range(family: str) -> None:
    sample, grid = cases.FAMILIES[family], SQUARE.grid
    keys = jax.random.split(jax.random.key(0), 8)
    psi, v = jax.jit(jax.vmap(lambda key: sample(key, grid)))(keys)
    np.testing.assert_allclose(jax.vmap(lambda one: norm(grid, one))(psi), 1, atol=1e-3)
    assert v.shape == (8, 36, 36)
    assert float(v.min()) >= -10
    assert 8 <= float(v.max()) <= 15 or family == "scatterers"
    # No two are alike, and none is flat.
    assert len({float(jnp.sum(one)) for one in v}) == 8
    with pytest.raises(ValueError, match="`lengths` must be between 12"):
        sample(jax.random.key(0), Grid((36, 36), (10.0, 10.0)))


def test_cases_move_with_the_origin_of_the_box() -> None:
    moved = dataclasses.replace(SQUARE.grid, origin=(-6.0, 3.0))
    for sample in cases.FAMILIES.values():
        here, there = (sample(jax.random.key(2), grid) for grid in (SQUARE.grid, moved))
        np.testing.assert_allclose(jnp.abs(there[0]), jnp.abs(here[0]), atol=1e-5)
        assert float(jnp.mean(there[1] != here[1])) < 0.01


def test_a_double_slit_has_two_slits_in_one_wall() -> None:
    _, v = cases.double_slit(jax.random.key(1), SQUARE.grid)
    column = np.asarray(v[np.argmax(np.asarray(v).max(axis=1))])
    edges = np.flatnonzero(np.diff((column == 0).astype(int)))
    assert len(edges) == 4


def test_the_truth_is_that_of_a_solver_of_many_substeps() -> None:
    truth = cases.make_truth(SQUARE, FrontierConfig(2, n_units=2), n_given=1)
    assert truth.frames.shape == (2, 2, 36, 36)
    assert truth.family == ("double slits", "scatterers")
    config = SolversConfig((), (10, 40), (), (), (), (29,))
    groups, caps = cases.line_up(SQUARE, truth, config)
    errors = {
        name: cases.rms(cases.measure_errors(one, truth))
        for some in groups.values()
        for name, one in some.items()
    }
    assert errors["clamped, 40 pairs"] < errors["clamped, 10 pairs"] / 4
    assert {name for name in caps if name.startswith("clamped")} == {
        "clamped, 10 pairs",
        "clamped, 40 pairs",
    }
    assert errors["folded, 613 waves"] < errors["cut off, 613 waves"]


def test_the_truth_on_a_line_gives_frames_before_it_starts() -> None:
    system = dataclasses.replace(CONTINUUM, dt=0.1)
    truth = cases.make_truth(system, FrontierConfig(2, n_units=2))
    assert (truth.given.shape, truth.frames.shape) == ((2, 4, 1024), (2, 2, 1024))
    solver = chebyshev(dataclasses.replace(system, bounds=(-16.0, 16.0)), 1e-6)
    assert error_of(Contender("solver", solver), truth) < 3e-5
