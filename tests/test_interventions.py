"""Interventions take away what they name, and no more; who does not know a cause is caught."""

import json
import pathlib
from collections.abc import Callable

import exact as closed_forms
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts
import small
from planted import Planted

from qdistill import teacher
from qdistill.insight import harness, interventions
from qdistill.insight.interventions import (
    INTERVENTIONS,
    Blind,
    Intervened,
    InterventionConfig,
    Moment,
    table,
)
from qdistill.physics.grid import Grid
from qdistill.runs import folder as runs
from qdistill.runs.checkpoints import Checkpoints
from qdistill.system import Propagator, System
from qdistill.teacher import Chebyshev

SYSTEM = System(Grid(512, 100.0), 0.1)
GRID, N_FRAMES, N_GIVEN = SYSTEM.grid, 110, 2
# The exact solver in complex64, after so many frames.
ROUNDING = 5e-5


@pytest.fixture(scope="module")
def solver() -> Chebyshev:
    return harness.solve_exactly(SYSTEM, (-16.0, 32.0))


@pytest.fixture(scope="module")
def moments(solver: Chebyshev) -> Callable[[str], Moment]:
    """Two cases of an intervention, of one family."""
    family = {"cavity": "double", "meeting": "free"}

    def sample(name: str) -> Moment:
        each = INTERVENTIONS[name]
        chosen = [family.get(each.scene, "barrier")]
        key = jax.random.key(1)
        names, found = interventions.sample_moments(key, solver, each, 2, chosen)
        assert names == chosen * 2
        return found

    return sample


@pytest.fixture(scope="module")
def done(solver: Chebyshev, moments: Callable[[str], Moment]) -> dict[str, Intervened]:
    return {
        name: interventions.intervene(solver, each, moments(name), N_GIVEN, N_FRAMES)
        for name, each in INTERVENTIONS.items()
    }


@pytest.fixture(scope="module")
def controls() -> tuple[Chebyshev, Blind]:
    return interventions.make_controls(SYSTEM)


def futures(done: Intervened) -> tuple[jax.Array, jax.Array]:
    """At the horizon, usual and changed."""
    return done.usual.frames[:, -1], done.changed.frames[:, -1]


def probability(psi: jax.Array) -> np.ndarray:
    return np.sum(np.abs(np.asarray(psi)) ** 2, axis=-1) * GRID.cell


def test_nothing_has_no_effect(
    done: dict[str, Intervened], controls: tuple[Chebyshev, Blind]
) -> None:
    effects = interventions.measure_effects(controls[0], done["nothing"])
    for values in (effects.effect, effects.moved, effects.own_effect, done["nothing"].gap):
        np.testing.assert_array_equal(values, 0)
    assert np.all(np.isnan(effects.effect_error))


def test_without_a_potential_the_packet_flies_freely(
    done: dict[str, Intervened], moments: Callable[[str], Moment]
) -> None:
    start, time = moments("no potential"), SYSTEM.dt * N_FRAMES
    for psi, changed in zip(start.psi, futures(done["no potential"])[1], strict=True):
        free = closed_forms.free_on_lattice(np.asarray(psi, complex), GRID.dx[0], time)
        np.testing.assert_allclose(changed, free, atol=ROUNDING)


def test_parts_that_are_deleted_add_to_the_whole(
    solver: Chebyshev, done: dict[str, Intervened], moments: Callable[[str], Moment]
) -> None:
    at = moments("no reflected part")
    lost = [
        jnp.subtract(*futures(done[name])) for name in ("no reflected part", "no transmitted part")
    ]
    inside = table.Intervention("inside", "encounter", "later", table.without(1))
    whole, rest = futures(interventions.intervene(solver, inside, at, N_GIVEN, N_FRAMES))
    np.testing.assert_allclose(sum(lost) + whole - rest, whole, atol=ROUNDING)
    # What lies on one side of the barrier is what came back, or through.
    for each, part in zip(lost, (0, 2), strict=True):
        weights = jax.vmap(lambda span, part=part: table.parts(GRID, span)[part])(at.span)
        np.testing.assert_allclose(probability(each), probability(weights * at.psi), atol=1e-4)


def test_closing_the_barrier_turns_back_what_would_tunnel(
    done: dict[str, Intervened], moments: Callable[[str], Moment]
) -> None:
    start, (usual, changed) = moments("barrier closed"), futures(done["barrier closed"])
    weights = jax.vmap(lambda span: table.parts(GRID, span))(start.span)
    through, closed = (probability(weights[:, 2] * psi) for psi in (usual, changed))
    back, closed_back = (probability(weights[:, 0] * psi) for psi in (usual, changed))
    k = np.asarray(2 * np.pi * np.fft.fftfreq(512, GRID.dx[0]))
    transmit = closed_forms.barrier_transmission_on_lattice
    for i in range(2):
        spectrum = np.abs(np.fft.fft(np.asarray(start.psi[i]))) ** 2
        n_points = int(np.sum(np.asarray(start.v[i]) > 0))
        flying = k > 0.5
        for height, got in ((float(start.v[i].max()), through), (table.CLOSED, closed)):
            t = transmit(k[flying], height, n_points, GRID.dx[0])
            expected = np.sum(spectrum[flying] * t) / np.sum(spectrum)
            assert got[i] == pytest.approx(expected, abs=0.01)
    assert np.all(through > 0.05)
    assert np.all(closed < 0.05 * through)
    np.testing.assert_allclose(closed_back - back, through - closed, atol=0.01)


def test_a_phase_matters_only_where_the_parts_meet(
    done: dict[str, Intervened], controls: tuple[Chebyshev, Blind]
) -> None:
    flipped = done["phase flipped"]
    frames = np.stack([flipped.usual.frames, flipped.changed.frames])
    density = np.abs(frames) ** 2
    moved = np.sum(np.abs(density[1] - density[0]), axis=-1) * GRID.cell / 2
    # They fly towards each other, meet, and part.
    assert np.all(moved[:, 0] < 1e-3)
    assert np.all(moved.max(axis=1) > 0.3)
    assert np.all(moved[:, -1] < 0.05)
    # Twice the norm of one of two equal parts, at all times.
    effects = interventions.measure_effects(controls[0], flipped)
    np.testing.assert_allclose(effects.effect, np.sqrt(2), atol=1e-3)
    np.testing.assert_allclose(effects.moved, moved[:, -1], atol=1e-3)


def test_the_exact_solver_is_faithful_and_the_blind_one_sees_no_potential(
    done: dict[str, Intervened], controls: tuple[Chebyshev, Blind]
) -> None:
    for name, each in done.items():
        if name == "nothing":
            continue
        seeing, blind = (interventions.measure_effects(each_one, each) for each_one in controls)
        seen = seeing.effect >= 0.01
        # Relative to the effect, which is small for fast waves.
        noise = ROUNDING / seeing.effect[seen]
        assert np.all(seeing.effect_error[seen] < noise), name
        np.testing.assert_allclose(seeing.own_effect, seeing.effect, atol=ROUNDING)
        if INTERVENTIONS[name].on_v is not table.keep_v:
            np.testing.assert_array_equal(blind.own_effect, 0)
            np.testing.assert_allclose(blind.effect_error, 1, rtol=1e-6)


def test_planted_faults_are_caught_by_what_they_break_and_by_nothing_else(
    solver: Chebyshev, done: dict[str, Intervened]
) -> None:
    def healing(v: jax.Array) -> Callable:
        """What is lost comes back: it knows that norms are 1."""
        step = solver(v).advance
        return lambda psi: step(psi) / (jnp.linalg.norm(psi) * GRID.cell**0.5)

    def stale(v: jax.Array) -> Callable:
        """It goes on from the older of two frames, which is as good while nothing is done."""
        step = solver(v).advance
        return lambda frames: jnp.stack([frames[1], step(step(frames[0]))])

    def error(propagator: Propagator, name: str) -> np.ndarray:
        return interventions.measure_effects(propagator, done[name]).effect_error

    for name in ("no reflected part", "no potential"):
        # The history leads to the changed state, so an older frame tells as much.
        assert np.all(error(Planted(SYSTEM, stale, 2), name) < ROUNDING)
    healed = Planted(SYSTEM, healing)
    assert np.all(error(healed, "no reflected part") > 0.1)
    assert np.all(error(healed, "no potential") < 2 * ROUNDING)
    # What is done to the older frame in place of its potential is another world.
    assert done["no potential"].gap.max() < 0.01 < 0.2 < done["potential gone"].gap.min()


def test_scenes_are_where_they_should_be(moments: Callable[[str], Moment]) -> None:
    x = np.asarray(GRID.positions())

    def mean(at: Moment) -> np.ndarray:
        return np.sum(x * np.abs(np.asarray(at.psi)) ** 2, axis=-1) * GRID.cell

    contact = moments("potential gone")
    np.testing.assert_allclose(mean(contact), contact.span[:, 0], atol=1.5)
    trapped = moments("no trapped part")
    inside = jax.vmap(lambda span: table.parts(GRID, span)[1])(trapped.span)
    share = probability(inside * trapped.psi)
    assert np.all((share > 0.1) & (share < 0.999))
    for name in INTERVENTIONS:
        np.testing.assert_allclose(probability(moments(name).psi), 1, atol=1e-3)


def test_scenes_grow_with_the_box() -> None:
    key, small = jax.random.key(3), Grid(512, 40.0, origin=-20.0)
    large = Grid(512, 100.0)
    for kind in ("encounter", "meeting", "cavity"):
        sample, families = interventions.SCENES[kind]
        for family in (families[0], families[-1]):
            here, there = (sample(key, grid, family) for grid in (small, large))
            places = (here.moment.span + 20) / 40, there.moment.span / 100
            np.testing.assert_allclose(*places, atol=1 / 512)
            np.testing.assert_allclose(here.moment.energy, there.moment.energy, rtol=1e-6)
            np.testing.assert_allclose(here.times, 0.4 * there.times, atol=0.05)


@pytest.mark.parametrize("kind", ["encounter", "cavity"])
def test_heavier_packets_take_longer_by_the_root_of_the_mass(kind: str) -> None:
    sample, families = interventions.SCENES[kind]
    times = []
    for mass in (0.25, 1.0, 4.0):
        scene = sample(jax.random.key(3), Grid(1024, 100.0, "continuum", mass=mass), families[0])
        times.append(np.asarray(scene.times) / np.sqrt(mass))
    np.testing.assert_allclose(times[0], times[1], rtol=1e-3)
    np.testing.assert_allclose(times[2], times[1], rtol=1e-3)


def test_null_models_and_seeds_are_treated_alike_in_a_small_box() -> None:
    system = System(Grid(256, 40.0), 0.1)
    coarse = teacher.split_step(system, 3, kinetic_cap=40.0)
    seeds = [teacher.split_step(system, n) for n in (8, 9)]
    config = InterventionConfig(1, ("barrier",), 4, places=1, place_cases=2, ahead=(1,), reach=8)
    report = interventions.evaluate({"student": seeds}, 0, config, nulls={"clamped": coarse})
    numbers = report.numbers
    names = [harness.EXACT, interventions.BLIND, "student", "clamped"]
    assert list(numbers["roles"].items()) == list(
        zip(names, ("exact", "negative", "emulator", "null"), strict=True)
    )
    # Barriers alone are no cavities.
    assert {*INTERVENTIONS} - {*numbers["interventions"]} == {"no trapped part"}
    for each in numbers["interventions"].values():
        assert list(each["findings"]) == names
    assert numbers["interventions"]["nothing"]["exact"]["all"]["effect"]["high"] == 0
    assert not numbers["interventions"]["nothing"]["control_fires"]
    assert numbers["interventions"]["potential gone"]["control_fires"]
    for kind in ("points", "waves"):
        asked = numbers["sensitivity"][kind]
        assert list(asked) == [name for name in names if name != interventions.BLIND]
        itself = asked[harness.EXACT]["relative_error"]["psi"]["all"]
        assert [each["value"] for each in itself] == [0]
        errors = [asked[who]["relative_error"]["psi"]["all"][0]["value"] for who in names[2:]]
        assert 0 < errors[0] < errors[1]
    assert "clamped (null model)" in str(report)
    assert "blind solver (negative control)" in str(report)
    report.to_json()


def test_it_is_all_done_in_double_precision() -> None:
    system = System(Grid(128, 40.0), 0.1)
    config = InterventionConfig(1, ("barrier",), 3, places=1, place_cases=2, ahead=(1,), reach=4)
    with jax.enable_x64(True):
        report = interventions.evaluate({"fine": teacher.split_step(system, 8)}, 0, config)
    findings = report.numbers["interventions"]["potential gone"]["findings"]
    assert findings[harness.EXACT]["all"]["effect_error"]["median"] < 1e-10
    assert 1e-8 < findings["fine"]["all"]["effect_error"]["median"] < 0.1


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused(solver: Chebyshev) -> None:
    each = INTERVENTIONS["no trapped part"]
    square = teacher.split_step(System(Grid((8, 8), (4.0, 4.0))), 4)
    channels = teacher.split_step(System(Grid(64, 10.0), n_channel=2), 4)

    def sample(exact: Propagator = solver, n: int = 1, family: str = "well") -> object:
        return interventions.sample_moments(jax.random.key(0), exact, each, n, [family])

    refused: dict[str, Callable[[], object]] = {
        "`grid` must be one-dimensional": lambda: sample(square),
        "`n_case` must be at least 1": lambda: sample(n=0),
        "`families` must be one of 'well', 'double', 'triple'": lambda: sample(family="steps"),
        "`families` must be one of 'free'": lambda: InterventionConfig(families=("a",)),
        "`ahead` must be rising": lambda: InterventionConfig(ahead=(2, 1)),
        "`place_cases` must be at least 2": lambda: InterventionConfig(place_cases=1),
        "`emulators` must be at least one": lambda: interventions.evaluate({}),
        "`system` must be one with a real": lambda: interventions.evaluate({"a": channels}),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)


# The script ---------------------------------------------------------------------------------------


def test_smoke_run_writes_findings_and_figures(tmp_path: pathlib.Path) -> None:
    folder, out = tmp_path / "untrained", tmp_path / "out"
    runs.open_folder(folder, small.UNITARY, resume=False)
    state = runs.set_up(small.UNITARY).trainers[0].init(jax.random.key(0))
    with Checkpoints(folder / "checkpoints") as saved:
        saved.save(state, 1.0)
    done = scripts.run("interventions", str(folder), "--smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "metrics.json").read_text())
    # Barriers alone are no cavities.
    assert {*INTERVENTIONS} - {*found["interventions"]} == {"no trapped part"}
    for each in found["interventions"].values():
        names = [harness.EXACT, interventions.BLIND, "untrained", "clamped-2"]
        assert list(each["findings"]) == names
    assert found["interventions"]["nothing"]["exact"]["all"]["effect"]["high"] == 0
    exact_again = found["sensitivity"]["points"][harness.EXACT]["relative_error"]["psi"]["all"]
    assert [each["value"] for each in exact_again] == [0, 0]
    for name in ("interventions", "sensitivity"):
        assert (out / f"{name}.png").stat().st_size > 10_000
    assert "Relative error of each effect" in done.stdout
    for arguments, message in (
        ([str(folder), "--out", str(out)], "is not an empty folder"),
        (["nowhere"], "There is no run in `nowhere`"),
        ([str(folder)] * 2, "`runs` must be at least one emulator, each given once"),
    ):
        refused = scripts.run("interventions", *arguments, "--smoke")
        assert refused.returncode == 1
        assert message in refused.words


def test_backwards_in_time_the_moments_are_those_of_reversed_packets() -> None:
    ahead, back = (
        interventions.sample_moments(
            jax.random.key(0), teacher.chebyshev(System(GRID, dt, bounds=(-20.0, 20.0))),
            next(each for each in INTERVENTIONS.values() if each.when == "contact"), 1,
        )[1]
        for dt in (0.2, -0.2)
    )  # fmt: skip
    np.testing.assert_allclose(back.psi, jnp.conj(ahead.psi), atol=1e-3)
