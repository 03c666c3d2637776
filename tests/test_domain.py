"""Emulators know what they were taught: refusals, and one warning of what lies outside."""

import dataclasses
import functools
import re
import types
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.curriculum import CurriculumConfig
from qdistill.forecast import paper
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.runs.pretrained import load
from qdistill.students import (
    Emulator,
    OutsideTaught,
    Reach,
    UnitaryConfig,
    base,
    domain,
)
from qdistill.system import System, rollout
from qdistill.teacher import split_step

SYSTEM = System(Grid(128, 12.5), bounds=(-16.0, 16.0))
GRID, X = SYSTEM.grid, SYSTEM.grid.positions()
V = potentials.barrier(X, 5.0, 3.0, 6.0)
PSI = packets.gaussian(GRID, 3.0, 0.5, 2.0)
TAUGHT = Reach(energy=20.0, low=-6.0, high=10.0, edge=8.0)


@functools.cache
def make() -> Emulator:
    """An emulator with nothing learned, told what it was taught."""
    student = UnitaryConfig(n_units=2, reach=1, start="informed").build(SYSTEM)
    config = types.SimpleNamespace(system=SYSTEM)
    return student.bind(jax.jit(student.init)(jax.random.key(0)), config=config, reach=TAUGHT)


def said(call: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert all(issubclass(each.category, OutsideTaught) for each in caught)
    return [str(each.message) for each in caught]


# One warning.


def test_what_was_taught_draws_no_warning() -> None:
    assert said(lambda: make().forecast(PSI, V, 2)) == []
    assert said(lambda: make().forecast(PSI, -V, 2)) == []


NAMES = ("kinetic energies", "heights", "an edge")


@pytest.mark.parametrize(
    ("k", "v", "names", "words"),
    [
        (7.0, 0 * X, NAMES[:1], "hartree, taught up to 20"),
        (2.0, 15 * jnp.exp(-((X - 6) ** 2)), NAMES[1:2], "to 15 hartree, taught from -6 to 10"),
        (2.0, -9 * jnp.exp(-((X - 6) ** 2)), NAMES[1:2], "heights from -8.98 to"),
        (2.0, 2 * V - 1.5, NAMES[2:], "an edge of 10 hartree .*, taught up to 8"),
        (7.0, 3 * V, NAMES, "heights from 0 to 15 .* an edge of 15"),
    ],
)
def test_what_was_not_taught_draws_one_warning_that_names_it(
    k: float, v: jax.Array, names: tuple[str, ...], words: str
) -> None:
    (message,) = said(lambda: make().forecast(packets.gaussian(GRID, 3.0, 0.5, k), v, 2))
    assert [name for name in NAMES if name in message] == list(names)
    assert re.search(words, message)


def test_nothing_is_known_inside_transformations() -> None:
    def forecast(psi: jax.Array, v: jax.Array) -> jax.Array:
        return jnp.sum(jnp.abs(make().forecast(psi, v, 2)[:, :40]) ** 2)

    fast = packets.gaussian(GRID, 3.0, 0.5, 7.0)
    assert said(lambda: jax.jit(forecast)(fast, 3 * V)) == []
    assert said(lambda: jax.vmap(forecast, (0, None))(jnp.stack([fast, PSI]), 3 * V)) == []
    assert said(lambda: jax.grad(forecast, 1)(fast, 3 * V)) == []
    # Constants of a program may be known, and harm nothing.
    given, v = jnp.stack([PSI, PSI]), np.asarray(V)
    assert said(lambda: jax.jit(lambda a: a * make().forecast(given, v, 2))(1.0)) == []
    psi = np.asarray(PSI)
    assert said(lambda: jax.jit(lambda a: a * make().forecast(psi, v, 2))(1.0)) == []


def test_without_a_config_nothing_is_known() -> None:
    alone = make().student.bind(make().params)
    assert alone.taught is None
    assert said(lambda: alone.forecast(PSI, 9 * V, 2)) == []


# What was taught.


def test_it_is_sampled_from_the_lessons_and_kept() -> None:
    config = CurriculumConfig(("barrier", "free"), weights=(0.0, 1.0))
    found = domain.of_lessons(SYSTEM, config)
    assert domain.of_lessons(SYSTEM, config) is found
    assert found is not None
    # Packets in empty space, of up to 10 hartree and with a spread of up to 4 / bohr.
    assert found[1:] == (0.0, 0.0, 0.0)
    assert 10 < found.energy < 70
    emulator = dataclasses.replace(
        make(), reach=None, config=types.SimpleNamespace(system=SYSTEM, curriculum=config)
    )
    assert emulator.taught == found
    lost = CurriculumConfig(("diving",))
    assert domain.of_lessons(SYSTEM, lost) is None


def test_a_reach_is_that_of_waves_and_steps() -> None:
    system = System(Grid(16, 4.0, "continuum"), n_channel=2)
    waves = [np.exp(2j * np.pi * n * np.asarray(system.grid.positions()) / 4) for n in (1, 3)]
    energies = [(2 * np.pi * n / 4) ** 2 / 2 for n in (1, 3)]
    local = np.zeros((2, 2, 16))
    local[0, 0, 5], local[1, 1, 6:] = -2.0, 3.0
    for few, energy in ((0.09, energies[0]), (0.2, energies[1])):
        # The probability in the fast wave is few^2: 0.8% or 4%.
        found = domain.reach(system, np.stack([waves[0], few * waves[1]]), local)
        assert found == pytest.approx((energy, -2.0, 3.0, 3.0))
    many = domain.reach(system, np.stack([np.stack(waves), 0 * np.stack(waves)]), local[None])
    assert many.energy == pytest.approx(energies[1])


@pytest.mark.parametrize("name", ["demo", "gru"])
def test_the_papers_cases_are_within_what_was_taught(name: str) -> None:
    emulator = load(name)
    assert emulator.taught is not None
    for psi, v in zip(*paper.make_cases(emulator.system.grid)[1:], strict=True):
        emulator.check(psi[None], v)


# Refusals.


def test_a_packet_beyond_the_band_is_refused_with_the_band() -> None:
    emulator = load("propagator")
    grid = emulator.system.grid
    fast, slow = (packets.gaussian(grid, 30.0, 2.0, k) for k in (8.0, 5.0))
    with pytest.raises(
        ValueError, match=r"`psi` must be .* \|k\| <= 6.97 but for 0.01 of its prob"
    ):
        emulator.forecast(fast, "0*x", 2)
    emulator.check(slow[None], jnp.zeros(1024))
    with pytest.raises(ValueError, match=r"`psi` must be .* \|k\| <= 6.97 but for 0.01 of"):
        rollout(emulator, fast[None], jnp.zeros(1024), 2)


def test_a_rollout_warns_of_what_was_not_taught_outside_of_jit() -> None:
    (message,) = said(lambda: rollout(make(), PSI[None], 3 * V, 2))
    assert "heights from 0 to 15" in message
    assert said(lambda: jax.jit(lambda v: rollout(make(), PSI[None], v, 2))(3 * V)) == []


def test_any_number_of_points_is_accepted_at_the_taught_spacing_alone() -> None:
    emulator = make()
    wide = emulator.on(Grid(150, 150 * GRID.dx[0]))
    assert said(lambda: wide.forecast(jnp.pad(PSI, (0, 22)), jnp.pad(V, (0, 22)), 2)) == []
    other = dataclasses.replace(SYSTEM, grid=Grid(128, 16.0))
    student = dataclasses.replace(emulator.student, system=other)
    with pytest.raises(ValueError, match=r"`grid` must be .* points 0\.0976562 bohr apart"):
        dataclasses.replace(emulator, student=student).forecast(PSI, V, 2)
    student = dataclasses.replace(student, system=dataclasses.replace(SYSTEM, dt=0.3))
    with pytest.raises(ValueError, match=r"`dt` must be 0\.1, as it was taught, but is 0\.3"):
        dataclasses.replace(emulator, student=student).forecast(PSI, V, 2)


def test_a_batch_where_frames_are_meant_is_refused() -> None:
    batch = jnp.stack([packets.gaussian(GRID, x0, 0.5, 2.0) for x0 in (3.0, 6.0, 9.0)])
    words = r"`psi` must be frames that follow each other, \(n_frames, 128\), but is states of "
    cure = r".* take jax.vmap\(lambda psi: emulator.forecast\(psi, v, n_frames\)\)"
    with pytest.raises(ValueError, match=words + "which one has a correlation of 0.0" + cure):
        make().forecast(batch, V, 2)
    scaled = jnp.array([1.0, 2.0, 4.0])[:, None] * PSI[None]
    with pytest.raises(ValueError, match=words + "norms 1, 2, 4" + cure):
        make().forecast(scaled, V, 2)
    # A state of two channels is not two frames.
    with pytest.raises(ValueError, match=words + r".* Two channels take .* load\('tully'\)"):
        make().forecast(jnp.stack([PSI, 0 * PSI]), V, 2)
    for bad in (jnp.nan, jnp.inf):
        with pytest.raises(ValueError, match="`psi` must be finite"):
            make().forecast(PSI.at[3].set(bad), V, 2)
    frames = jnp.stack([PSI, *rollout(split_step(SYSTEM, 20), PSI[None], V, 3)])
    assert said(lambda: make().forecast(frames, V, 2)) == []


# What is compiled.


def test_the_programs_that_are_kept_are_few() -> None:
    """Each length of a forecast is a program."""
    base._program.cache_clear()
    student = make().student
    for n_frames in range(1, base.N_PROGRAMS + 9):
        structure = jax.tree.structure((make(), None, V))
        base._program(structure, (1, 128), 0, n_frames)
    assert base._program.cache_info().currsize == base.N_PROGRAMS
    for _ in range(2):
        make().forecast(PSI, V, 2)
        student.bind(make().params).forecast(PSI, 2 * V, 2)
    assert base._program.cache_info().hits >= 3
