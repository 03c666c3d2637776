"""Every figure from small real runs: what a reader needs of it, and what it survives."""

import functools
from typing import Any

import jax
import matplotlib
import numpy as np
import pytest
from figures import assert_labels, draw, texts, xs, ys
from matplotlib.figure import Figure
from matplotlib.image import AxesImage, imread

from qdistill import plots
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.system import System, rollout
from qdistill.teacher import split_step

N_T, DT = 12, 0.4


@pytest.fixture(scope="module")
def run() -> dict[str, Any]:
    """A packet on its way into a staircase: the truth, and a forecast over a wrong potential."""
    grid = Grid(128, 40.0)
    v = potentials.steps(grid.positions(), (1.0, 2.0, 3.0), 9.0, 22.0)
    psi = packets.gaussian(grid, 12.0, 2.0, 2.0)
    solver = split_step(System(grid, DT), 20)
    evolve = jax.jit(lambda v: rollout(solver, psi[None], v, N_T))
    return {
        "x": np.asarray(grid.positions()),
        "t": DT * np.arange(1, N_T + 1),
        "v": np.asarray(v),
        "truth": np.asarray(evolve(v)),
        "forecast": np.asarray(evolve(1.1 * v)),
    }


def broken(run) -> dict[str, Any]:
    """A forecast that grows, and is NaN, then infinite, from frame 7 on."""
    forecast = run["forecast"].copy()
    forecast[4:6] *= 1e6
    forecast[6:] = np.nan
    forecast[9:] = np.inf
    return run | {"forecast": forecast}


def maps(figure: Figure) -> list[AxesImage]:
    return [image for ax in figure.axes for image in ax.images]


def pixels(image: AxesImage) -> np.ndarray:
    return np.ma.asarray(image.get_array())


# Maps ---------------------------------------------------------------------------------------------


def test_spacetime_shares_one_symmetric_scale_and_gives_the_error_its_own(run) -> None:
    figure = draw(plots.plot_spacetime(**run, title="Staircase"))
    truth, forecast, error = maps(figure)
    low, high = truth.get_clim()
    assert low == -high
    assert forecast.get_clim() == (low, high)
    assert truth.cmap == forecast.cmap != error.cmap
    assert error.get_clim()[0] == 0
    assert 0 < error.get_clim()[1] < high
    # Three maps, three potentials, two colour bars.
    assert len(figure.axes) == 8
    assert_labels(figure, "x (bohr)", "t (a.u.)", "V (hartree)", "(bohr$^{-1/2}$)", "Staircase")


def test_spacetime_lets_time_rise_and_aligns_potential_and_map(run) -> None:
    figure = draw(plots.plot_spacetime(**run))
    top, strip = figure.axes[0], figure.axes[3]
    image = top.images[0]
    np.testing.assert_array_equal(image.get_array(), run["truth"].real)
    assert image.origin == "lower"
    left, right, bottom, up = image.get_extent()
    np.testing.assert_allclose((left, right), (run["x"][0] / 2, run["x"][-1] + run["x"][0] / 2))
    np.testing.assert_allclose((bottom, up), (DT / 2, (N_T + 0.5) * DT))
    assert top.get_xlim() == strip.get_xlim()
    np.testing.assert_allclose(
        (top.get_position().x0, top.get_position().x1),
        (strip.get_position().x0, strip.get_position().x1),
    )
    np.testing.assert_allclose(ys(strip.lines[0]), run["v"])


def test_a_broken_forecast_leaves_the_scale_of_the_truth_and_is_named(run) -> None:
    figure = plots.plot_spacetime(**broken(run))
    truth, forecast, error = maps(figure)
    assert truth.get_clim() == maps(plots.plot_spacetime(**run))[0].get_clim()
    assert np.ma.getmaskarray(pixels(forecast))[6:].all()
    assert not np.ma.getmaskarray(pixels(forecast))[:6].any()
    assert error.get_clim()[1] == 2 * truth.get_clim()[1]
    assert f"not finite\nfrom t = {7 * DT:.3g} a.u." in texts(figure)
    assert "not finite" not in texts(plots.plot_spacetime(**run))


def test_a_forecast_that_is_all_wrong_can_be_drawn(run) -> None:
    for value in (np.nan, 1e30):
        forecast = np.full_like(run["forecast"], value)
        draw(plots.plot_spacetime(**run | {"forecast": forecast}))


def test_the_truth_as_its_own_control_has_an_error_of_zero(run) -> None:
    figure = plots.plot_spacetime(**run | {"forecast": run["truth"]})
    assert np.max(pixels(maps(figure)[2])) == 0


def test_window_map_shows_every_centre_and_the_edges_of_the_potential(run) -> None:
    x, t = run["x"], run["t"]
    density = np.abs(run["truth"]) ** 2
    figure = draw(plots.plot_window_map(x, t, density, run["v"], x[[3, 50, 70]], t[[0, 5, 11]]))
    top = figure.axes[0]
    np.testing.assert_allclose(
        np.asarray(top.collections[0].get_offsets()),
        np.stack([x[[3, 50, 70]], t[[0, 5, 11]]], axis=1),
    )
    # Up three steps and down once, each half a cell from the points beside it.
    edges = [xs(line)[0] for line in top.lines]
    np.testing.assert_allclose(edges, [17.5, 20.5, 23.5, 26.5], atol=40 / 128)
    assert_labels(figure, "x (bohr)", "t (a.u.)", "V (hartree)", "(1/bohr)", "3 window centres")


def test_window_map_needs_neither_windows_nor_edges(run) -> None:
    none = np.zeros(0)
    density = np.abs(run["truth"]) ** 2
    figure = draw(plots.plot_window_map(run["x"], run["t"], density, 0 * run["v"], none, none))
    assert not figure.axes[0].lines
    hill = potentials.triangle(jax.numpy.asarray(run["x"]), 3.0, 10.0, 20.0)
    figure = plots.plot_window_map(run["x"], run["t"], density, hill, none, none)
    edges = [xs(line)[0] for line in figure.axes[0].lines]
    np.testing.assert_allclose(edges, [15, 25], atol=40 / 128)


# Curves -------------------------------------------------------------------------------------------


def test_snapshots_name_frame_time_and_correlation(run) -> None:
    figure = draw(plots.plot_snapshots(**run, frames=(1, 8, N_T)))
    rows = [ax for ax in figure.axes if len(ax.lines) == 2]
    assert len(rows) == 3
    truth, forecast = rows[1].lines
    # Frames are counted from 1.
    np.testing.assert_allclose(ys(truth), run["truth"][7].real)
    np.testing.assert_allclose(ys(forecast), run["forecast"][7].real)
    assert truth.get_linestyle() == "-" != forecast.get_linestyle()
    a, b = run["truth"][7], run["forecast"][7]
    expected = abs(np.vdot(a, b)) / (np.linalg.norm(a) * np.linalg.norm(b))
    assert float(texts(figure).split("correlation ")[2][:7]) == pytest.approx(expected, abs=2e-5)
    assert f"frame 8,  t = {8 * DT:.3g} a.u." in texts(figure)
    assert_labels(figure, "x (bohr)", "V (hartree)", "(bohr$^{-1/2}$)", "truth", "forecast")
    assert len({ax.get_ylim() for ax in rows}) == 1
    low, high = rows[0].get_ylim()
    assert low == -high


def test_snapshots_of_a_broken_forecast_say_so(run) -> None:
    figure = draw(plots.plot_snapshots(**broken(run), frames=(5, 8)))
    assert texts(figure).count("forecast not finite") == 1
    assert "correlation 0.00000" in texts(figure)
    assert figure.axes[0].get_ylim()[1] < 2


@pytest.fixture
def correlations() -> np.ndarray:
    """Of three cases: one at the rounding of float32, one at 0.99, one that falls to 0.5."""
    t = np.linspace(0, 1, N_T)
    return np.stack([1 - 1e-9 * t, 1 - 0.01 * t, 1 - 0.5 * t])


NAMES = ["barrier-1", "barrier-2", "steps"]


def test_correlations_draw_every_case_the_mean_and_the_worst_by_name(run, correlations) -> None:
    baselines = {"paper": 0.9959, "simple": 0.175}
    figure = draw(plots.plot_correlations(run["t"], correlations, NAMES, baselines))
    ax = figure.axes[0]
    assert ax.get_yscale() == "log"
    # Three cases, the worst once more, the mean, two baselines.
    assert len(ax.lines) == 7
    np.testing.assert_allclose(ys(ax.lines[0]), 1e-7)
    np.testing.assert_allclose(ys(ax.lines[1])[1:], 1 - correlations[1, 1:])
    colours = [line.get_color() for line in ax.lines[:3]]
    assert colours[0] == colours[1] != colours[2]
    np.testing.assert_allclose(ys(ax.lines[5]), 1 - 0.9959)
    assert ax.get_ylim()[0] <= 1e-7 < 1 - 0.175 < ax.get_ylim()[1]
    assert_labels(figure, "worst, steps", "mean of 3 cases", "paper 0.9959", "simple 0.175")
    assert_labels(figure, "t (a.u.)", "infidelity, 1 $-$ correlation", "0.999")


def test_correlations_leave_out_what_is_not_finite(run, correlations) -> None:
    correlations[1, 5:] = np.nan
    assert "left out" in texts(draw(plots.plot_correlations(run["t"], correlations, NAMES)))
    draw(plots.plot_correlations(run["t"], np.full_like(correlations, np.nan), NAMES))
    draw(plots.plot_correlations(run["t"][:1], np.ones((1, 1)), ["one frame of one case"]))


def test_training_smooths_the_loss_and_shows_every_lesson() -> None:
    step = np.arange(1, 401)
    rng = np.random.default_rng(0)
    loss = step**-0.8 * np.exp(0.3 * rng.normal(size=400))
    lessons = np.stack([loss, 2 * loss], axis=1)
    figure = draw(plots.plot_training(step, loss, 1e-3 / step, lessons, ("free", "barrier")))
    top, bottom = figure.axes
    raw, smooth, *rest = top.lines
    assert len(rest) == 2
    np.testing.assert_allclose(ys(raw), loss)
    np.testing.assert_allclose(ys(smooth), step**-0.8, rtol=0.6)
    assert np.std(np.log(ys(smooth) * step**0.8)[20:]) < 0.15
    assert top.get_yscale() == "log"
    assert top.get_xlim() == bottom.get_xlim()
    assert_labels(figure, "training step", "learning rate", "loss (mean squared error)", "barrier")


def test_training_may_blow_up_or_have_one_record() -> None:
    step, loss = np.arange(1, 9), np.array([1, 0.5, 0.3, 0.2, np.nan, np.inf, np.nan, np.nan])
    figure = draw(plots.plot_training(step, loss, np.ones(8)))
    assert "left out" in texts(figure)
    np.testing.assert_allclose(ys(figure.axes[0].lines[1])[0], 1)
    draw(plots.plot_training(step[:1], loss[:1], np.ones(1)))
    draw(plots.plot_training(step, np.full(8, np.nan), np.ones(8)))


def test_potentials_have_a_panel_each_with_one_scale(run) -> None:
    density = np.abs(run["truth"][0]) ** 2
    potentials = {f"case {i}": (i - 2) * run["v"] for i in range(7)}
    figure = draw(plots.plot_potentials(run["x"], potentials, dict.fromkeys(potentials, density)))
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in panels] == list(potentials)
    assert len({ax.get_ylim() for ax in panels}) == 1
    assert panels[0].get_ylim()[0] < -6 < 12 < panels[0].get_ylim()[1]
    assert_labels(figure, "x (bohr)", "V (hartree)", f"{density.max():.2g} / bohr")


# Input and output ---------------------------------------------------------------------------------


def test_jax_arrays_draw_the_same(run) -> None:
    as_jax: dict[str, Any] = {name: jax.numpy.asarray(value) for name, value in run.items()}
    ours, theirs = plots.plot_spacetime(**as_jax), plots.plot_spacetime(**run)
    for a, b in zip(maps(ours), maps(theirs), strict=True):
        np.testing.assert_array_equal(pixels(a), pixels(b))


def test_save_makes_the_folder_and_a_png_of_1500_pixels(run, tmp_path) -> None:
    path = tmp_path / "new" / "folder" / "run.png"
    plots.save(plots.plot_snapshots(**run, frames=(3,)), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert imread(path).shape[1] == 1500


def test_the_look_does_not_leak(run) -> None:
    before = dict(matplotlib.rcParams)
    plots.plot_snapshots(**run, frames=(3,))
    assert dict(matplotlib.rcParams) == before


def test_a_map_backwards_in_time_begins_at_its_foot(run) -> None:
    figure = plots.plot_spacetime(**run | {"t": -run["t"]})
    bottom, top = figure.axes[0].get_ylim()
    assert top < bottom < 0.1


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_by_words(run, correlations) -> None:
    x, t, v, truth, forecast = run.values()
    density = np.abs(truth) ** 2
    spacetime = functools.partial(plots.plot_spacetime, **run)
    snapshots = functools.partial(plots.plot_snapshots, **run)
    refused = {
        "`v` must be of shape (128,)": lambda: spacetime(v=v[1:]),
        "`forecast` must be of shape (12, 128)": lambda: spacetime(forecast=forecast[1:]),
        "`truth` must be finite": lambda: spacetime(truth=truth * np.nan),
        "`x` must be evenly spaced": lambda: spacetime(x=x**2),
        "`t` must be rising": lambda: spacetime(t=np.abs(t - t[5])),
        "`t` must be a list of 2 points or more": lambda: spacetime(t=t[:0]),
        "`frames` must be at least one frame": lambda: snapshots(frames=()),
        "`frames` must be between 1 and 12": lambda: snapshots(frames=(0, 3)),
        "`correlations` must be of shape (3, 12)": lambda: plots.plot_correlations(
            t, correlations[:2], NAMES
        ),
        "`names` must be at least one name": lambda: plots.plot_correlations(t, truth[:0], []),
        "`baselines` must be between 0 and 1": lambda: plots.plot_correlations(
            t, correlations, NAMES, {"paper": 99.6}
        ),
        "`step` must be a list of 1 points or more": lambda: plots.plot_training(t[:0], t, t),
        "`loss` must be of shape (12,)": lambda: plots.plot_training(t, t[1:], t),
        "`lesson_losses` must be of shape (12, 1)": lambda: plots.plot_training(
            t, t, t, np.ones((12, 2)), ("free",)
        ),
        "`density` must be of shape (12, 128)": lambda: plots.plot_window_map(
            x, t, density.T, v, x, x
        ),
        "`centres_t` must be of shape (128,)": lambda: plots.plot_window_map(
            x, t, density, v, x, t
        ),
        "`potentials` must be at least one potential": lambda: plots.plot_potentials(x, {}, {}),
        "`densities` must be of the names ['a']": lambda: plots.plot_potentials(
            x, {"a": v}, {"b": v}
        ),
        "`densities['a']` must be of shape (128,)": lambda: plots.plot_potentials(
            x, {"a": v}, {"a": t}
        ),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)
