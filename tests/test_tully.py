"""The study of Tully's models: its packets, its solvers, and its students, at small sizes."""

import collections
import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.tully import apart, passages, readout, tully_nulls, tully_study, untaught
from experiments.tully import tully_trainings as trainings
from experiments.tully.grown import GrownConfig
from experiments.tully.passages import Model
from qdistill.insight.harness import Disturbed
from qdistill.physics.grid import Grid
from qdistill.runs import presets
from qdistill.students import UnitaryConfig
from qdistill.system import System, rollout
from qdistill.teacher import split_step

SMALL = System(Grid(64, 3.75, "continuum", origin=-1.9, mass=2000.0), 10.0, n_channel=2)
KEY = jax.random.key(0)


def test_the_packet_of_a_model_is_on_its_lower_state_at_the_left() -> None:
    of = passages.passages(Model(2), np.array([20.0]))
    seen = jax.tree.map(np.asarray, passages.observe(of, of.psi[:, None]))
    np.testing.assert_allclose(seen["probabilities"][0, 0], [[1, 0], [0, 0]], atol=1e-5)
    assert float(seen["inside"][0, 0]) < 1e-5
    # Ends of segments are multiples of the longest frame, by when a free packet has passed.
    assert of.longest[0] * passages.LONGEST * passages.N_SEGMENT >= 22 * 2000 / 20


def test_two_crossings_move_apart_without_a_change_of_shape() -> None:
    there, here = (np.asarray(Model(2, apart).potential()) for apart in (1.5, 0.0))
    grid = Model(2).grid
    x = np.asarray(grid.positions())
    for i, j in ((0, 1), (1, 1)):
        moved = np.interp(np.abs(x) + 0.75, x, there[i, j])
        far = np.abs(x) < 20
        np.testing.assert_allclose(moved[far], here[i, j][far], atol=1e-4)


@pytest.mark.parametrize("scheme", ["strang", "takahashi-imada", "blanes-moan"])
def test_traced_splittings_are_those_of_the_teacher(scheme: str) -> None:
    x = SMALL.grid.positions()
    v = jnp.array([[0.05, 0.02], [0.02, -0.03]])[..., None] * jnp.exp(-4 * x**2)[None, None]
    psi = jnp.stack([jnp.exp(-4 * x**2 + 3j * x), 0.3j * jnp.exp(-3 * x**2)])
    family = tully_nulls.families()[scheme]
    made = tully_nulls.make(SMALL, family.kicks, family.drifts, 5.0, family.gradients)
    # Two of its frames are two substeps of the teacher's one.
    own = jax.jit(lambda: rollout(made, psi[None], v, 2)[-1])()
    expected = rollout(split_step(SMALL, 2, scheme=scheme), psi[None], v, 1)[0]
    assert np.linalg.norm(own - expected) < 1e-5 * np.linalg.norm(psi)
    # Three of these are one scheme, for some shares and weight.
    two = tully_nulls.two_pairs(0.25, 0.0)
    made = tully_nulls.make(SMALL, two.kicks, two.drifts, 10.0, two.gradients)
    own = jax.jit(lambda: rollout(made, psi[None], v, 1)[-1])()
    strang = rollout(split_step(SMALL, 2), psi[None], v, 1)[0]
    assert np.linalg.norm(own - strang) < 1e-5 * np.linalg.norm(psi)


def test_a_student_with_the_phases_of_a_solver_is_read_out_as_that_solver() -> None:
    system = presets.PRESETS["tully"][1].system
    student = UnitaryConfig(2, "informed", 40.0, knot_spacing=0.85).build(system)
    params = jax.jit(student.init)(KEY)
    # The mean over the nearest ring grows as V'' dx^2 / 2, that of the squares as V'^2 dx^2 / 4.
    (dx,), h = system.grid.dx, 5.0
    kernel = jnp.zeros((16, 2)).at[8, 1].set(-4 / dx**2 * h**2 / 24 / 2000 / 0.25)
    made = student.bind(
        params | {"landscape": params["landscape"] | {"direct": {"kernel": kernel}}}
    )
    found = readout.measure(made)
    np.testing.assert_allclose(found["masses"]["both"], 2000, rtol=1e-3)
    kicks = found["kicks"]
    assert kicks["end share"] == pytest.approx(0.25)
    assert kicks["square of slope"] == pytest.approx(-1, abs=0.02)
    assert kicks["curvature"] == pytest.approx(0, abs=0.02)
    assert kicks["residual"] < 1e-3


def test_channels_apart_begin_without_potential_and_keep_the_norm() -> None:
    student = apart.ApartConfig(reach=2).build(SMALL)
    params = jax.jit(student.init)(KEY)
    psi = jax.random.normal(KEY, (2, 64), jnp.complex64)
    v = jnp.ones((2, 2, 64)) * jnp.cos(jnp.arange(64.0))[None, None]
    np.testing.assert_allclose(student.step(params, v).advance(psi), psi, atol=1e-5)
    leaves, tree = jax.tree.flatten(params)
    params = jax.tree.unflatten(tree, [leaf + 0.1 for leaf in leaves])
    later = student.step(params, v).advance(psi)
    assert float(jnp.linalg.norm(later)) == pytest.approx(float(jnp.linalg.norm(psi)), rel=1e-5)
    assert np.linalg.norm(later - psi) > 0.1


def test_longer_frames_cover_the_same_times_and_begin_with_the_shorter_ones() -> None:
    long = trainings.Training(dt=40.0)
    config = long.config_in(pathlib.Path("place"))
    assert isinstance(config.student, GrownConfig)
    assert config.student.grown_from == "place/crossing-dt20-seed0"
    short = trainings.Training().config_in(pathlib.Path("place"))
    assert short == presets.PRESETS["tully"][1]
    assert [stage.batches.n_target for stage in config.training.stages] == [2, 4, 8]
    assert {stage.batches.n_frames for stage in config.training.stages} == {19}


def test_longer_frames_and_further_kinds_have_seeds_of_their_own() -> None:
    plan = list(trainings.all_of_them(10, ("apart",)))
    of = collections.Counter((each.kind, each.dt) for each in plan)
    assert of["crossing", 10.0] == of["placebo", 10.0] == 10
    assert of["crossing", 80.0] == of["apart", 10.0] == trainings.N_FURTHER
    assert {each.shorter for each in plan} <= {None, *plan}


def test_the_preset_trains_and_the_study_measures_it(tmp_path: pathlib.Path) -> None:
    bench = tully_study.Bench((33.0, 33.5), (2,))
    plan = [trainings.Training(seed=seed) for seed in (0, 1)]
    found = tully_study.run(tmp_path, plan, bench, is_small=True)
    row = found["summary"]["crossing-dt10, model 2"]
    assert row["error"]["n"] == 2
    # Nothing is learned in two blocks, so one pair in 80 a.u. may be as good.
    assert row["error"]["mean"] > 10 * row["best"]
    assert row["best"] <= row["strang"] < 0.01
    exact = found["truth"]["model 2"]
    total = sum(np.array(exact[name]) for name in ("R lower", "R upper", "T lower", "T upper"))
    np.testing.assert_allclose(total, 1, atol=1e-3)
    assert "model 2" in tully_study.table(found)
    # Nothing is measured twice.
    files = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "measured").iterdir()}
    tully_study.run(tmp_path, plan, bench, is_small=True)
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "measured").iterdir()}
    assert files == again


@pytest.mark.parametrize(
    ("name", "through"),
    [("without coupling", "T upper"), ("adiabatic", "T lower"), ("free", "T upper")],
)
def test_trivial_forecasts_pass_on_one_state(name: str, through: str) -> None:
    """In model 1 the diabatic state of the packet is the upper one behind the crossing."""
    of = passages.passages(Model(1), np.array([25.0]))
    frames = untaught.trivial(name, Model(1), of)
    found = passages.compare(of, frames, frames)
    assert found[through] == [pytest.approx(1, abs=1e-3)]
    assert max(found["final"]) == 0


def test_the_gru_is_measured_next_to_its_null_model() -> None:
    training = trainings.Training(student="gru")
    config = training.config_in(pathlib.Path("place"))
    assert config.benchmark.n_given == config.student.windows.n_history == 4  # type: ignore[attr-defined]
    assert config.curriculum == presets.PRESETS["tully"][1].curriculum
    student = dataclasses.replace(trainings.GRU, n_units=2).build(config.system)
    made = student.bind(jax.jit(student.init)(KEY))
    bench = tully_study.Bench((33.5,), (2,))
    untrained = tully_study.emulator(made, bench)["model 2"]
    # Nothing is learned: errors are of order one, whatever becomes of the norm.
    assert untrained["final"][0] > 0.5
    of, exact = bench.of(Model(2))
    system = passages.system_of(Model(2), 10.0)
    null = Disturbed(passages.exact(Model(2), 10.0), student.on(system.grid).bind(made.params), 0.0)
    alone = passages.compare(of, tully_study.frames_of(null, Model(2), of), exact)
    # In 192 frames of single precision.
    assert alone["final"][0] < 1e-3
    faded = passages.compare(of, 0.5 * exact, exact, is_in_time=True)
    assert faded["probability"][0] > 0.1
    assert faded["scaled"][0] < 1e-5
    diverged = passages.compare(of, exact * jnp.nan, exact)
    assert diverged["final"] == [passages.HIGHEST]


def test_the_exact_probabilities_are_those_of_the_table() -> None:
    """Averages over a packet of a spread of one bohr, by a renormalised Numerov solver."""
    of = passages.passages(Model(1), np.array([20.0]))
    frames = passages.evolve(passages.exact(Model(1)), of.psi, of.v, of.longest)
    sides = np.asarray(passages.observe(of, frames)["probabilities"])[0, -1]
    np.testing.assert_allclose(sides[:, 1], [0.5070, 0.4930], atol=2e-4)
    assert dataclasses.asdict(Model(1)) == {"number": 1, "apart": 0.0}
