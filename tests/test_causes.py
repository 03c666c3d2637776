"""Interventions take away what they name, and no more; who does not know a cause is caught."""

import json
import pathlib
import runpy
import sys
from collections.abc import Callable

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from qdistill.insight import interventions as causes
from qdistill.insight.interventions import (
    INTERVENTIONS,
    Effects,
    Experiment,
    Moment,
    Subject,
    World,
)
from qdistill.insight.interventions import interventions as table
from qdistill.insight.probes.waves import forecast
from qdistill.physics.grid import Grid
from qdistill.runs import folder as runs
from qdistill.runs.checkpoints import Checkpoints
from qdistill.students import Student, from_propagator

ROOT = pathlib.Path(__file__).parents[1]
GRID, DT, N_FRAMES, N_GIVEN = Grid(512, 100.0), 0.1, 110, 2
# The exact solver in complex64, after so many frames.
ROUNDING = 5e-5


@pytest.fixture(scope="module")
def world() -> World:
    return causes.make_world(GRID, DT, (-16.0, 32.0))


@pytest.fixture(scope="module")
def moments(world: World) -> Callable[[str], Moment]:
    """Two cases of an intervention, of one family."""
    family = {"cavity": "double", "meeting": "free"}

    def sample(name: str) -> Moment:
        each = INTERVENTIONS[name]
        chosen = [family.get(each.scene, "barrier")]
        key = jax.random.key(1)
        names, found = causes.sample_moments(key, GRID, DT, world.forwards, each, 2, chosen)
        assert names == chosen * 2
        return found

    return sample


@pytest.fixture(scope="module")
def done(world: World, moments: Callable[[str], Moment]) -> dict[str, Experiment]:
    return {
        name: causes.experiment(world, each, moments(name), N_GIVEN, N_FRAMES)
        for name, each in INTERVENTIONS.items()
    }


@pytest.fixture(scope="module")
def controls() -> dict[str, Subject]:
    return causes.make_controls(GRID, DT)


def of(world: World, subject: Subject, done: Experiment) -> Effects:
    return causes.measure_effects(world, subject.student, subject.propagator, done, N_FRAMES)


def probability(psi: jax.Array) -> np.ndarray:
    return np.sum(np.abs(np.asarray(psi)) ** 2, axis=-1) * GRID.cell


def test_nothing_has_no_effect(
    world: World, done: dict[str, Experiment], controls: dict[str, Subject]
) -> None:
    effects = of(world, controls[causes.EXACT], done["nothing"])
    for values in (effects.effect, effects.moved, effects.own_effect, done["nothing"].gap):
        np.testing.assert_array_equal(values, 0)
    assert np.all(np.isnan(effects.unfaithfulness))


def test_without_a_landscape_the_packet_flies_freely(
    done: dict[str, Experiment], moments: Callable[[str], Moment]
) -> None:
    start = moments("no landscape")
    for psi, changed in zip(start.psi, done["no landscape"].future[1], strict=True):
        free = exact.free_on_lattice(np.asarray(psi, complex), GRID.dx[0], DT * N_FRAMES)
        np.testing.assert_allclose(changed, free, atol=ROUNDING)


def test_parts_that_are_deleted_add_to_the_whole(
    world: World, done: dict[str, Experiment], moments: Callable[[str], Moment]
) -> None:
    at = moments("no reflected part")
    lost = [
        done[name].future[0] - done[name].future[1]
        for name in ("no reflected part", "no transmitted part")
    ]
    inside = table.Intervention("inside", "encounter", "later", table.without(1))
    rest = causes.experiment(world, inside, at, N_GIVEN, N_FRAMES)
    whole = rest.future[0]
    np.testing.assert_allclose(sum(lost) + whole - rest.future[1], whole, atol=ROUNDING)
    # What lies on one side of the barrier is what came back, or through.
    for each, part in zip(lost, (0, 2), strict=True):
        weights = jax.vmap(lambda span, part=part: table.parts(GRID, span)[part])(at.span)
        np.testing.assert_allclose(probability(each), probability(weights * at.psi), atol=1e-4)


def test_closing_the_barrier_turns_back_what_would_tunnel(
    done: dict[str, Experiment], moments: Callable[[str], Moment]
) -> None:
    start, (usual, changed) = moments("barrier closed"), done["barrier closed"].future
    weights = jax.vmap(lambda span: table.parts(GRID, span))(start.span)
    through, closed = (probability(weights[:, 2] * psi) for psi in (usual, changed))
    back, closed_back = (probability(weights[:, 0] * psi) for psi in (usual, changed))
    k = np.asarray(2 * np.pi * np.fft.fftfreq(512, GRID.dx[0]))
    for i in range(2):
        spectrum = np.abs(np.fft.fft(np.asarray(start.psi[i]))) ** 2
        n_points = int(np.sum(np.asarray(start.v[i]) > 0))
        flying = k > 0.5
        for height, got in ((float(start.v[i].max()), through), (table.CLOSED, closed)):
            t = exact.barrier_transmission_on_lattice(k[flying], height, n_points, GRID.dx[0])
            expected = np.sum(spectrum[flying] * t) / np.sum(spectrum)
            assert got[i] == pytest.approx(expected, abs=0.01)
    assert np.all(through > 0.05)
    assert np.all(closed < 0.05 * through)
    np.testing.assert_allclose(closed_back - back, through - closed, atol=0.01)


def test_a_phase_matters_only_where_the_parts_meet(
    world: World, done: dict[str, Experiment], controls: dict[str, Subject]
) -> None:
    flipped = done["phase flipped"]
    both = flipped.given.reshape(4, N_GIVEN, -1), flipped.v.reshape(4, -1)
    frames = forecast(world.exact, world.forwards, *both, N_FRAMES).reshape(2, 2, N_FRAMES, -1)
    density = np.abs(np.asarray(frames)) ** 2
    moved = np.sum(np.abs(density[1] - density[0]), axis=-1) * GRID.cell / 2
    # They fly towards each other, meet, and part.
    assert np.all(moved[:, 0] < 1e-3)
    assert np.all(moved.max(axis=1) > 0.3)
    assert np.all(moved[:, -1] < 0.05)
    # Twice the norm of one of two equal parts, at all times.
    effects = of(world, controls[causes.EXACT], flipped)
    np.testing.assert_allclose(effects.effect, np.sqrt(2), atol=1e-3)
    np.testing.assert_allclose(effects.moved, moved[:, -1], atol=1e-3)


def test_the_exact_solver_is_faithful_and_the_blind_one_sees_no_landscape(
    world: World, done: dict[str, Experiment], controls: dict[str, Subject]
) -> None:
    for name, each in done.items():
        if name == "nothing":
            continue
        seeing, blind = (of(world, subject, each) for subject in controls.values())
        seen = seeing.effect >= 0.01
        # Relative to the effect, which is small for fast waves.
        noise = ROUNDING / seeing.effect[seen]
        assert np.all(seeing.unfaithfulness[seen] < noise), name
        np.testing.assert_allclose(seeing.own_effect, seeing.effect, atol=ROUNDING)
        if INTERVENTIONS[name].on_v is not table._keep_v:
            np.testing.assert_array_equal(blind.own_effect, 0)
            np.testing.assert_allclose(blind.unfaithfulness, 1, rtol=1e-6)


def test_planted_faults_are_caught_by_what_they_break_and_by_nothing_else(
    world: World, done: dict[str, Experiment]
) -> None:
    def healing(v: jax.Array) -> Callable:
        """What is lost comes back: it knows that norms are 1."""
        step = world.forwards(v)
        return lambda psi: step(psi) / (jnp.linalg.norm(psi) * GRID.cell**0.5)

    def stale(v: jax.Array) -> Callable:
        """It goes on from the older of two frames, which is as good while nothing is done."""
        step = world.forwards(v)

        def advance(state: jax.Array) -> jax.Array:
            return jnp.stack([state[1], step(step(state[0]))])

        return advance

    student = Student(2, lambda key: {}, lambda params: stale)
    for name in ("no reflected part", "no landscape"):
        # The history leads to the changed state, so an older frame tells as much.
        assert np.all(of(world, Subject(student, stale), done[name]).unfaithfulness < ROUNDING)
    healed = Subject(from_propagator(healing), healing)
    assert np.all(of(world, healed, done["no reflected part"]).unfaithfulness > 0.1)
    assert np.all(of(world, healed, done["no landscape"]).unfaithfulness < 2 * ROUNDING)
    # What is done to the older frame in place of its world is another world.
    assert done["no landscape"].gap.max() < 0.01 < 0.2 < done["landscape gone"].gap.min()


def test_scenes_are_where_they_should_be(moments: Callable[[str], Moment]) -> None:
    x = np.asarray(GRID.positions())

    def mean(at: Moment) -> np.ndarray:
        return np.sum(x * np.abs(np.asarray(at.psi)) ** 2, axis=-1) * GRID.cell

    contact = moments("landscape gone")
    np.testing.assert_allclose(mean(contact), contact.span[:, 0], atol=1.5)
    trapped = moments("no trapped part")
    inside = jax.vmap(lambda span: table.parts(GRID, span)[1])(trapped.span)
    share = probability(inside * trapped.psi)
    assert np.all((share > 0.1) & (share < 0.999))
    for name in INTERVENTIONS:
        np.testing.assert_allclose(probability(moments(name).psi), 1, atol=1e-3)


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused(world: World) -> None:
    each = INTERVENTIONS["no trapped part"]

    def sample(grid: Grid = GRID, n: int = 1, family: str = "well") -> object:
        key = jax.random.key(0)
        return causes.sample_moments(key, grid, DT, world.forwards, each, n, [family])

    refused: dict[str, Callable[[], object]] = {
        "`grid` must be one-dimensional and 100 bohr long": lambda: sample(Grid(64, 10.0)),
        "`n_case` must be at least 1": lambda: sample(n=0),
        "`families` must be one of 'well', 'double', 'triple'": lambda: sample(family="steps"),
        "`families` must be one of 'free'": lambda: causes.CausesConfig(families=("wall",)),
        "`ahead` must be rising": lambda: causes.CausesConfig(ahead=(2, 1)),
        "`place_cases` must be at least 2": lambda: causes.CausesConfig(place_cases=1),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)


def run_script(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["causes.py", *arguments])
    runpy.run_path(str(ROOT / "experiments" / "causes.py"), run_name="__main__")


def test_smoke_run_writes_findings_and_figures(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "untrained", tmp_path / "out"
    runs.open_folder(folder, small.UNITARY, resume=False)
    state = runs.set_up(small.UNITARY).trainers[0].init(jax.random.key(0))
    with Checkpoints(folder / "checkpoints") as saved:
        saved.save(state, 1.0)
    run_script(monkeypatch, str(folder), "--smoke", "--out", str(out))
    found = json.loads((out / "metrics.json").read_text())
    # Barriers alone are no cavities.
    assert {*INTERVENTIONS} - {*found["interventions"]} == {"no trapped part"}
    for each in found["interventions"].values():
        assert list(each["findings"]) == [causes.EXACT, causes.BLIND, "untrained"]
    assert found["interventions"]["nothing"]["exact"]["all"]["effect"]["high"] == 0
    exact_again = found["sensitivity"]["points"][causes.EXACT]["relative_error"]["psi"]["all"]
    assert [each["value"] for each in exact_again] == [0, 0]
    for name in ("interventions", "sensitivity"):
        assert (out / f"{name}.png").stat().st_size > 10_000
    assert "Unfaithfulness" in capsys.readouterr().out
    for arguments, message in (
        ([str(folder), "--out", str(out)], "is not an empty folder"),
        (["nowhere"], "There is no run in `nowhere`"),
        ([str(folder)] * 2, "`runs` must be of 1 or 2 folders with different names"),
    ):
        with pytest.raises(SystemExit, match=message):
            run_script(monkeypatch, *arguments, "--smoke")
