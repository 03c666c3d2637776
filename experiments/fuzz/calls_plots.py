"""Calls of `qdistill.plots`."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.fuzz.calls import Calls, New, Samples
from experiments.fuzz.calls_insight import found_by_probes
from qdistill import plots as drawn
from qdistill.insight.design import Design, Verdict
from qdistill.insight.flight import FlightReport
from qdistill.insight.probes import describe_learning

NAMES = ["free", "barrier"]


def plots(calls: Calls, s: Samples) -> None:
    """Add the calls of figures and animations; every call draws its figure."""
    x, v = np.asarray(s.x), np.asarray(s.v)
    t = 0.1 * np.arange(1, 4)
    here = {"x": x, "v": v}
    psi = np.asarray(s.frames)
    flights = {"truth": psi, "forecast": 1j * psi}
    _frames(calls, s, here, t, flights)
    _runs(calls, x, v, t)
    _reports(calls, x, v, t, psi)
    _made_up(calls)


def _frames(calls: Calls, s: Samples, here: Any, t: Any, flights: Any) -> None:
    add = calls.add
    x, psi = here["x"], flights["truth"]
    film: dict[str, Any] = {"path": New("film.gif"), "title": "", "seconds": 0.1}
    add(drawn.plot_spacetime, **here, t=t, **flights, title="")
    add(drawn.plot_snapshots, **here, t=t, **flights, frames=[1, 3])
    add(drawn.animate_forecast, **here, t=t, **flights, **film, n_given=1)
    add(drawn.animate_wavefunction, **here, t=t, psi=psi, **film)
    add(drawn.plot_wavefunction, **here, t=t, psi=psi, title="", scale=None)
    add(drawn.colour_phase, psi=psi, scale=1.0)
    plane: dict[str, Any] = {"x": x[:8], "y": x[:6], "v": np.outer(here["v"][:8], x[:6])}
    on_plane = np.multiply.outer(psi[0, :8], psi[0, :6])
    add(drawn.plot_wavefunction_2d, **plane, psi=on_plane, title="", scale=None)
    add(
        drawn.animate_wavefunction_2d, **plane, t=t, psi=np.stack([on_plane] * 3), **film, scale=1.0
    )
    add(
        drawn.plot_window_map,
        **here, t=t, density=np.abs(psi) ** 2, centres_x=np.array([12.0]),
        centres_t=np.array([0.2]),
    )  # fmt: skip
    add(
        drawn.plot_potentials,
        x=x, potentials={"it": here["v"]}, densities={"it": np.abs(psi[0]) ** 2},
    )  # fmt: skip
    k = np.linspace(0, 4, 9)
    both = np.abs(psi[:, None] * np.ones((1, 2, 1))) ** 2
    add(drawn.plot_channels, x=x, t=t, energies=both[0], densities=both, title="")
    add(drawn.plot_populations, t=t, populations={"it": both[:, :, 20]}, title="")
    shares = k / 4
    add(
        drawn.plot_probabilities,
        systems={"it": drawn.Outcomes(k, {"through": shares}, {"through": (k[:3], shares[:3])})},
    )  # fmt: skip
    add(
        drawn.plot_phases,
        **here, kicks=np.stack([here["v"]] * 2), k=k, drifts=np.stack([k**2 / 2]),
        known=k**2 / 2, taught=3.0,
    )  # fmt: skip
    add(drawn.plot_dispersion, k=k, learned=k**2 / 2, known={"lattice": k**2 / 2}, taught=3.0)
    add(drawn.save, figure=Figure(), path=New("figure.png"))
    add(drawn.draw, report=FlightReport({}, "", x, t, here["v"], psi, 1j * psi))


def _runs(calls: Calls, x: Any, v: Any, t: Any) -> None:
    add = calls.add
    step, loss = np.array([10, 20, 30]), np.array([1.0, 0.1, 0.01])
    add(
        drawn.plot_training,
        step=step, loss=loss, learning_rate=loss, lesson_losses=np.stack([loss, loss], axis=1),
        lesson_names=NAMES,
    )  # fmt: skip
    add(
        drawn.plot_runs,
        logs={"it": (step, t, loss)}, scores={"it": 0.01}, baselines={"the paper's": 0.1},
    )  # fmt: skip
    add(
        drawn.plot_correlations,
        t=t, correlations=np.array([[0.99, 0.9, 0.8]]), names=["barrier"], baselines={"it": 0.9},
    )  # fmt: skip
    add(drawn.plot_errors, t=t, errors={"it": loss[None]}, ylabel="error")


def _reports(calls: Calls, x: Any, v: Any, t: Any, psi: Any) -> None:
    add = calls.add
    k = np.linspace(0.1, 4, 21)
    found = found_by_probes(k)
    one = {"solver": found}

    def column(name: str) -> dict[str, Any]:
        return {who: getattr(each, name) for who, each in one.items()}

    add(drawn.plot_waves, waves=column("dispersion"), known={"lattice": k**2 / 2}, taught=3.0)
    add(drawn.plot_response, uniform=column("uniform"), bump=column("bump"))
    add(drawn.plot_light_cones, cones=column("light_cone"))
    add(
        drawn.plot_transmission,
        scattering=column("scattering"), resonances=column("resonances"),
    )  # fmt: skip
    step, error = np.array([0, 10, 20]), np.array([[1.0, 0.9], [0.3, 0.5], [0.1, 0.2]])
    add(drawn.plot_order, learning=describe_learning(step, error, tuple(NAMES), 10.0, 0.1))
    share = np.sin(k) ** 2
    verdict = Verdict(k[:2], share[:2], 1 - share[:2], share[:2])
    add(
        drawn.plot_designs,
        designs={"splitter": Design(x, v, k, share, share, verdict, np.array([0.1]))},
    )  # fmt: skip


def _made_up(calls: Calls) -> None:
    add = calls.add
    interval = np.array([[0.5, 0.2], [0.4, 0.1], [0.6, 0.3]])
    pairs = np.array([[0.0, 0.3], [0.3, 0.0]])
    add(drawn.plot_shares, lessons=NAMES, measures={"Shapley value": interval}, pairs=pairs)
    add(drawn.plot_family_shares, lessons=NAMES, families=["well"], shares=interval[:1])
    cells = [(1e-7, None, "holds"), (3e-3, 0.5, "partly kept")]
    add(
        drawn.plot_symmetries,
        formulas={"mirror": "x -> -x", "phase": "psi -> i psi"}, columns={"it": cells},
        rounding=1e-6,
    )  # fmt: skip
    middle = {"median": 0.5, "low": 0.4, "high": 0.6}
    both = {"effect": middle, "moved": middle}
    row = {
        "exact": {"all": both, "barrier": both},
        "findings": {"solver": {"taught": {"effect_error": middle}}},
    }
    add(drawn.plot_interventions, interventions={"no potential": row})
    maps = np.full((3, 5), 0.5).tolist()
    subject = {
        "frames": ["t", "all frames alike", "newest with its past"],
        "rms": {"Re psi": maps, "Im psi": maps, "v": maps[:1]},
    }
    add(
        drawn.plot_sensitivity,
        sensitivity={"offset_points": [-2, -1, 0, 1, 2], "points": {"solver": subject}},
        kind="points",
    )  # fmt: skip
