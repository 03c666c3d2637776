"""Discovery of what is on no list: functions without a form, and the emulator of a law."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.discovery import blind, hidden, recording_files, recordings
from experiments.discovery.hidden import MIRROR, Hidden
from qdistill.insight import discovery
from qdistill.insight.discovery import _recordings as recordings_of
from qdistill.insight.discovery import _terms as terms
from qdistill.insight.discovery import laws
from qdistill.physics.grid import Grid
from qdistill.system import Propagator, System, rollout
from qdistill.teacher import chebyshev

# Fewer points, runs and frames than the study.
GRID = Grid(128, 40.0, "continuum", origin=-20.0)
X = np.asarray(GRID.positions(), float)
SEED, N_RUN, N_T, NOISE = 1001, 5, 5, 5e-5


@functools.cache
def made(kind: str = "", strength: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hidden, "GRID", GRID)
        patch.setattr(hidden, "N_FRAME", N_T + 5)
        return hidden.make(SEED, Hidden({kind: strength} if kind else {}, NOISE))


def recorded(kind: str = "", strength: float = 0.0) -> recording_files.Runs:
    v, psi = made(kind, strength)
    t = hidden.DT * np.arange(N_T)
    return recording_files.Runs(
        (X,), t, v[:N_RUN].astype(np.float32), psi[:N_RUN, :N_T].astype(np.complex64)
    )


@functools.cache
def law_of(kind: str, strength: float) -> discovery.Law:
    return discovery.find_law(*recorded(kind, strength).of_line)


# What is hidden, the function that is found, and its largest relative error.
CASES: dict[str, tuple[float, str, float]] = {
    "potential": (0.1, "W(x)", 0.01),
    "local absorber": (0.05, "-i w(x)", 0.02),
    # Within a frame a force is a straight line.
    "drive": (0.05, "F(t) x", 0.05),
    "shape": (-0.1, "f(V)", 0.1),
    "quintic": (0.1, "g(|psi|^2)", 0.02),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_function_on_no_list_is_read(kind: str) -> None:
    strength, name, tolerance = CASES[kind]
    law = law_of(kind, strength)
    assert law.form == laws.USUAL
    assert law.terms == ()
    assert list(law.functions) == [name]
    assert law.rivals[name] == ()
    assert law.is_explained
    assert f"{name}: from " in str(law)
    found = law.functions[name]
    (true,) = hidden.truths(
        SEED, Hidden({kind: strength}, 0.0), found.at, found.at, found.at, found.at
    ).values()
    rest, true = (found.values - true)[4:-4], true[4:-4]
    assert np.linalg.norm(rest) < tolerance * np.linalg.norm(true)
    assert np.all(found.low <= found.values)
    assert np.all(found.values <= found.high)


def test_a_hidden_mirror_is_found_through_the_emulator_of_the_law(monkeypatch) -> None:
    runs, law = recorded(MIRROR, 0.5), law_of(MIRROR, 0.5)
    assert list(law.functions) == ["W(x)"]
    monkeypatch.setattr(recordings, "N_RUN", 2)
    # There are 25 numbers of each operator.
    monkeypatch.setattr(recordings, "ENOUGH", 2)
    mirrors = recordings.find_mirrors(runs, law)
    assert mirrors["V alone"] == []
    assert mirrors["law"] == [pytest.approx(hidden.shapes(SEED).middle, abs=0.01)]
    found = recordings.look(runs, "continuum", False, law.functions)
    words = recordings.law_in_words(law, mirrors)
    assert "HIDDEN: V alone does not have it" in words[-1]
    # The energy has the part of the potential that the file does not name. In four frames without
    # it something else is slow.
    assert "W(x)" in " ".join(found["conserved"])
    assert found["drifts"][0] < recordings.look(runs, "continuum", False)["drifts"][0] / 5
    monkeypatch.setattr(discovery, "find_law", lambda *_: law)
    monkeypatch.setattr(recordings, "find_mirrors", lambda *_: mirrors)
    row = blind.score(SEED, Hidden({MIRROR: 0.5}, NOISE), runs)
    assert row["found"] == [MIRROR]
    assert row["false"] == row["missed"] == []


def test_the_emulator_of_a_law_forecasts_what_it_was_not_shown() -> None:
    # Frames after the recorded ones, of a run whose potential it never saw.
    v, psi = made("potential", 0.1)
    law, run = law_of("potential", 0.1), N_RUN
    assert isinstance(law.emulator, Propagator)
    assert law.emulator.is_unitary
    assert law.emulator.is_linear
    ends = []
    for each in (law.emulator, law.emulator.usual):
        start = jnp.asarray(psi[run, :1], jnp.complex64)
        later = rollout(each, start, jnp.asarray(v[run], jnp.float32), N_T + 4)
        ends.append(np.linalg.norm(later[-1] - psi[run, N_T + 4]) / np.linalg.norm(psi[run, 0]))
    assert ends[0] < 2e-3
    assert ends[1] > 20 * ends[0]


def test_the_emulator_of_a_law_keeps_the_precision_of_what_it_moves() -> None:
    v, psi = made("potential", 0.1)
    emulator = law_of("potential", 0.1).emulator
    with jax.enable_x64(True):
        for real, kind in ((jnp.float32, jnp.complex64), (jnp.float64, jnp.complex128)):
            start = jnp.asarray(psi[0, :1], kind)
            assert rollout(emulator, start, jnp.asarray(v[0], real), 2).dtype == kind


def test_the_emulator_without_anything_hidden_is_the_solver() -> None:
    law = discovery.find_law(*recorded("lattice", 1.0).of_line, functions=())
    assert law.form == laws.LATTICE
    grid = law.emulator.system.grid
    lattice = System(type(grid)(grid.shape, grid.lengths, "lattice"), hidden.DT, bounds=(-9, 40))
    v, psi = jnp.asarray(recorded().v[0]), jnp.asarray(recorded().psi[0, :1])
    found, exact = (rollout(each, psi, v, 5) for each in (law.emulator, chebyshev(lattice)))
    # A phase is that of the constant that the dispersion may hold.
    np.testing.assert_allclose(found, exact, atol=1e-3)


def test_losses_and_densities_are_said() -> None:
    lossy = discovery.find_law(*recorded("absorber", 0.05).of_line, functions=()).emulator
    dense = discovery.find_law(*recorded("nonlinear", 0.5).of_line, functions=()).emulator
    assert (lossy.is_unitary, lossy.is_linear) == (False, True)
    assert (dense.is_unitary, dense.is_linear) == (True, False)
    assert dense.usual.is_linear


def test_splines_are_a_partition_of_one() -> None:
    at = np.linspace(-1.0, 3.0, 41)
    made = terms.splines(np, (-1.0, 3.0), 7, at)
    np.testing.assert_allclose(made.sum(axis=0), 1, atol=1e-12)
    # A straight line is exact between splines.
    centres = -1.0 + (np.arange(7) - 1)
    np.testing.assert_allclose(centres @ made, at, atol=1e-12)


def test_ranges_are_those_that_occur() -> None:
    psi = np.broadcast_to(np.exp(-((X / 2) ** 2)).astype(np.complex64), (1, 2, 128))
    recording = recordings_of.record(GRID, 0.2, X[None], psi, 9.0)
    low, high = recording.seen.x
    # All but four thousandths of a normal distribution of deviation 1.
    assert low == pytest.approx(-2.88, abs=GRID.dx[0])
    assert high == pytest.approx(2.88, abs=GRID.dx[0])
    assert recording.seen.v == pytest.approx((low, high), abs=1e-6)
    assert recording.ranges.x[0] < low < high < recording.ranges.x[1]
    assert recording.ranges.t == (0.0, pytest.approx(0.2))


def test_seeds_draw_every_unlisted_kind() -> None:
    drawn = [hidden.draw_unlisted(seed) for seed in range(200)]
    kinds = {kind for each in drawn for kind in each.strengths}
    assert kinds == {*hidden.UNLISTED, "mass", "lattice"}
    assert any(not each.strengths for each in drawn)
    assert hidden.draw_unlisted(3) == hidden.draw_unlisted(3)


def test_a_mirrored_file_hides_its_mirror() -> None:
    strengths = {MIRROR: 0.5}
    v, _ = made(MIRROR, 0.5)
    middle = hidden.shapes(SEED).middle
    secret = hidden.truths(SEED, Hidden(strengths, 0.0), X)[MIRROR]
    for each in v:
        whole = each + secret
        image = np.interp(2 * middle - X, X, whole)
        inside = np.abs(X - middle) < 10
        np.testing.assert_allclose(whole[inside], image[inside], atol=0.02)
        assert np.max(np.abs(each - np.interp(2 * middle - X, X, each))[inside]) > 0.2


def test_functions_are_names_in_a_list() -> None:
    runs = recorded()
    with pytest.raises(ValueError, match="`functions` must be a list of names, but is 'W"):
        discovery.find_law(*runs.of_line, functions="W(x)")
    with pytest.raises(ValueError, match="`functions` must be one of"):
        discovery.find_law(*runs.of_line, functions=("W",))
