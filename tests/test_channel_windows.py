"""The paper's students with channels: the layout of their windows, and what is built in."""

import dataclasses
import pathlib
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import PyTree
from steps import roll

from qdistill import students
from qdistill.physics.grid import Grid
from qdistill.runs import presets, report
from qdistill.students import FORMS, Emulator, WindowConfig, WindowedConfig, windowed, windows
from qdistill.system import System
from qdistill.training import batches
from qdistill.training.batches import BatchConfig, Block

LINE, DT, SCALE = Grid(32, 8.0), 0.1, 3.0
TWO = System(LINE, DT, n_channel=2)
SMALL = WindowConfig(n_window=7, n_history=2, sigma=1.5, v_scale=SCALE, gauge=True)
FORM = WindowedConfig("gru", n_units=6, windows=SMALL)
PSI = jax.random.normal(jax.random.key(1), (2, 2, 32), jnp.complex64)
_RAW = jax.random.normal(jax.random.key(2), (2, 2, 32), jnp.complex64)
V = (_RAW + _RAW.swapaxes(0, 1).conj()) / 2


def init(form: WindowedConfig, system: System) -> PyTree:
    return jax.jit(form.build(system).init)(jax.random.key(0))


def matrix(fields: jax.Array) -> jax.Array:
    """The Hermitian 2 x 2 matrix of the last four fields of a window."""
    first, second, real, imag = (SCALE * jnp.moveaxis(fields[..., 4:], -1, 0)).astype(jnp.complex64)
    return jnp.stack([jnp.stack([first, real + 1j * imag]), jnp.stack([real - 1j * imag, second])])


@pytest.mark.parametrize("name", windowed.NETWORKS)
def test_every_network_forecasts_every_number_of_channels(name: str) -> None:
    for n in (0, 1, 2, 3):
        student = WindowedConfig(name, n_units=4, windows=SMALL).build(System(LINE, DT, n))
        params = jax.eval_shape(student.init, jax.random.key(0))
        channels = (n,) * bool(n)
        v = jnp.zeros((*channels, *channels, 7))
        forecast = jax.eval_shape(
            student.forecast_window, params, jnp.zeros((2, *channels, 7), jnp.complex64), v
        )
        assert forecast.shape == (*channels, 7)


def test_one_channel_is_none_to_the_bit() -> None:
    alone, one = (dataclasses.replace(TWO, n_channel=n) for n in (0, 1))
    params = init(FORM, alone)
    jax.tree.map(np.testing.assert_array_equal, params, init(FORM, one))
    expected = roll(FORM.build(alone).bind(params), PSI[:, 0], V[0, 0].real, 3)
    found = roll(FORM.build(one).bind(params), PSI[:, :1], V[:1, :1].real, 3)
    np.testing.assert_array_equal(found[:, 0], expected)


def test_a_window_holds_the_whole_hermitian_matrix() -> None:
    fields, unit = windows.encode(SMALL, PSI[..., :7], V[..., :7])
    assert fields.shape == (2, 7, 8)
    np.testing.assert_allclose(matrix(fields[-1]), V[..., :7], atol=1e-6)
    back = windows.decode(fields[-1, :, :4], unit, 2)
    np.testing.assert_allclose(back, PSI[-1, :, :7], rtol=1e-5, atol=1e-6)


def test_the_gauge_takes_one_phase_and_keeps_that_between_channels() -> None:
    emulator = FORM.build(TWO).bind(init(FORM, TWO))
    later, factor = roll(emulator, PSI, V, 2), 0.4 - 0.7j
    # The floor of 3e-4 enters squared: relative deviations of about 1e-6.
    turned = roll(emulator, factor * PSI, V, 2)
    np.testing.assert_allclose(turned, factor * later, rtol=1e-4, atol=1e-5)
    between = jnp.array([1, 1j])[None, :, None]
    other = roll(emulator, between * PSI, V, 2)
    assert np.linalg.norm(other - between * later) > 0.1 * np.linalg.norm(later)
    fields, _ = windows.encode(SMALL, (between * PSI)[..., :7], V[..., :7])
    made = fields[..., :2] + 1j * fields[..., 2:4]
    np.testing.assert_allclose(
        made[..., 1] / made[..., 0], 1j * PSI[:, 1, :7] / PSI[:, 0, :7], rtol=1e-4
    )


class Kick(nn.Module):
    """Applies exp(-i V dt) of the potential in the window, without kinetic energy."""

    @nn.compact
    def __call__(self, window: jax.Array) -> jax.Array:
        """Re psi and Im psi of both channels, one frame later."""
        last = window[-1]
        psi = last[:, :2] + 1j * last[:, 2:4]
        turn = jax.vmap(jax.scipy.linalg.expm, -1)(-1j * DT * matrix(last))
        later = jnp.einsum("xij,xj->xi", turn, psi)
        return jnp.concatenate([later.real, later.imag], axis=-1)


@pytest.mark.parametrize("gauge", [False, True])
def test_a_network_that_turns_channels_by_the_coupling_is_rabis_oscillation(
    monkeypatch: pytest.MonkeyPatch, gauge: bool
) -> None:
    """Its probability at a detuning D and coupling C is C^2 / W^2 sin^2 W t, W^2 = C^2 + D^2/4."""
    monkeypatch.setitem(windowed.NETWORKS, "kick", Kick)
    monkeypatch.setitem(FORMS, "kick", WindowedConfig)
    form = WindowedConfig("kick", windows=dataclasses.replace(SMALL, gauge=gauge))
    detuning, coupling = 1.3, 0.9 * jnp.exp(1j * LINE.positions())
    v = jnp.zeros((2, 2, 32), jnp.complex64).at[1, 1].set(detuning)
    v = v.at[0, 1].set(coupling).at[1, 0].set(coupling.conj())
    psi = jnp.zeros((2, 2, 32), jnp.complex64).at[:, 0].set(jnp.sqrt(0.125))
    later = roll(form.build(TWO).bind({}), psi, v, 20)
    rabi = np.hypot(0.9, detuning / 2)
    upper = (0.9 / rabi * np.sin(rabi * DT * np.arange(1, 21))) ** 2
    found = np.sum(np.abs(np.asarray(later)) ** 2, axis=-1) * LINE.cell
    np.testing.assert_allclose(found[:, 1], upper, atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-4)


def block(v: jax.Array = V) -> Block:
    frames = jax.random.normal(jax.random.key(4), (3, 5, 2, 32), jnp.complex64)
    run, time, centre = jnp.array([[0, 2, 1]]), jnp.array([[1, 0, 2]]), jnp.array([[30, 5, 0]])
    many = v[None] * jnp.arange(1.0, 4.0)[:, None, None, None]
    return Block(frames, many, jnp.zeros(3, int), run, time, centre)


def test_examples_are_cut_from_all_channels() -> None:
    of = block()
    batch = batches.cut_batch(of, 0, 2, 1, 7)
    assert batch.psi.shape == (3, 3, 2, 7)
    assert batch.v.shape == (3, 2, 2, 7)
    for i, (run, time, centre) in enumerate(zip(of.run[0], of.time[0], of.centre[0], strict=True)):
        around = windows.around(of.frames[run, time : time + 3], centre[None], 7)[..., 0, :]
        np.testing.assert_array_equal(batch.psi[i], around)
        np.testing.assert_array_equal(
            batch.v[i], windows.around(of.v[run], centre[None], 7)[..., 0, :]
        )


@pytest.mark.parametrize("placement", ["potential", "amplitude"])
def test_windows_are_placed_by_the_probability_in_all_channels(placement: str) -> None:
    config = BatchConfig(placement=placement, n_batch=2, n_block=1)  # type: ignore[arg-type]
    bump = jnp.zeros(32).at[9].set(1.0)
    alone = batches.window_weights(config, 7, PSI[:, 1], bump)
    none = jnp.zeros((2, 2, 32))
    # The one channel that is populated, and the coupling that is there, are not the first ones.
    second = batches.window_weights(
        config, 7, PSI.at[:, 0].set(0), none.at[0, 1].set(bump).at[1, 0].set(bump)
    )
    np.testing.assert_array_equal(second, alone)
    if placement == "amplitude":
        both = batches.window_weights(
            dataclasses.replace(config, floor=0.0), 7, jnp.stack([PSI[:, 1]] * 2, axis=1), none
        )
        one = batches.window_weights(
            dataclasses.replace(config, floor=0.0), 7, PSI[:, 1], jnp.zeros(32)
        )
        np.testing.assert_allclose(both, one, rtol=1e-5)


def test_a_wrong_number_of_channels_is_refused_in_words() -> None:
    emulator = FORM.build(TWO).bind(init(FORM, TWO))
    with pytest.raises(ValueError, match=r"`psi` must be of shape \(2, 32\), or .* \(2, 3, 32\)"):
        emulator.forecast(jnp.ones((2, 3, 32), jnp.complex64), V, 2)
    with pytest.raises(ValueError, match=r"`v` must be of shape \(2, 2, 32\), but .* \(3, 3, 32\)"):
        emulator.forecast(PSI, jnp.zeros((3, 3, 32)), 2)
    with pytest.raises(ValueError, match=r"`v` must be of shape \(2, 2, 7\), but .* \(7,\)"):
        windows.encode(SMALL, PSI[..., :7], jnp.zeros(7))
    with pytest.raises(ValueError, match=r"`forecast` must be of shape \(7, 6\), but is \(7, 4\)"):
        windows.decode(jnp.zeros((7, 4)), jnp.ones((), jnp.complex64), 3)
    of_one = FORM.build(dataclasses.replace(TWO, n_channel=0))
    with pytest.raises(ValueError, match="params"):
        of_one.bind(init(FORM, TWO)).forecast(PSI[:, 0], jnp.zeros(32), 2)


def test_a_network_of_one_channel_is_refused_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    class Last(nn.Module):
        """The last frame of one channel, where two are wanted."""

        @nn.compact
        def __call__(self, window: jax.Array) -> jax.Array:
            """Two parts."""
            return window[-1, :, :2]

    monkeypatch.setitem(windowed.NETWORKS, "last", Last)
    monkeypatch.setitem(FORMS, "last", WindowedConfig)
    student = WindowedConfig("last", windows=SMALL).build(TWO)
    with pytest.raises(ValueError, match=r"of shape \(7, 4\), but is one that returns shape"):
        student.forecast_window({}, PSI[..., :7], V[..., :7])


def test_more_channels_have_more_parameters() -> None:
    """Five inputs a point more, and two outputs."""
    sizes = [
        students.count_parameters(jax.eval_shape(FORM.build(s).init, jax.random.key(0)))
        for s in (dataclasses.replace(TWO, n_channel=0), TWO)
    ]
    assert sizes[1] - sizes[0] == 5 * 7 * 6 + 2 * 7 * (6 + 1)


@pytest.mark.usefixtures("without_checker")
def test_windows_of_channels_are_not_drawn(tmp_path: pathlib.Path) -> None:
    (tmp_path / "metrics.jsonl").touch()
    config = presets.PRESETS["gru-demo"][1]
    assert config.training.stages[0].batches.examples == "windows"
    emulator = Emulator(FORM.build(TWO), init(FORM, TWO), config)
    nothing: Any = None
    assert report.draw(tmp_path, emulator, nothing) == []
