"""Compare solvers of two channels with stationary scattering, published numbers and QuTiP."""

import contextlib
import dataclasses
import functools
import itertools
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from experiments import runner, timing
from experiments.tully import passages
from qdistill import plots
from qdistill._checks import require_at_least, require_one_of
from qdistill.physics import channels, crossings, packets, stationary
from qdistill.physics.grid import Grid
from qdistill.physics.hamiltonian import hamiltonian
from qdistill.runs import pretrained
from qdistill.system import Propagator, System, rollout
from qdistill.teacher import SCHEMES, chebyshev, expansion, split_step

OUTCOMES = ("reflected, lower", "reflected, upper", "transmitted, lower", "transmitted, upper")
# Of incoming plane waves on the lower state, by model and momentum, in the order of OUTCOMES. From
# 15 on one transmission of the second model is published, and the other is what is left.
# Source: Tully 1990, recomputed by the group of J. Subotnik.
PUBLISHED: dict[int, dict[float, tuple[float, ...]]] = {
    1: {5.0: (0.1331, 0, 0.8669, 0), 20.0: (0, 0, 0.5068, 0.4932)},
    2: {
        10.2125: (0.5861, 0, 0.4139, 0),
        15.0: (0, 0, 1 - 0.1328, 0.1328),
        20.0: (0, 0, 1 - 0.0445, 0.0445),
        30.0: (0, 0, 1 - 0.6664, 0.6664),
    },
    3: {10.0: (0.0900, 0.2100, 0.7000, 0), 30.0: (0, 0, 0.5695, 0.4305)},
}
MOMENTA = {1: (4.0, 25.0), 2: (8.0, 35.0), 3: (6.0, 35.0)}
TITLES = {1: "one crossing", 2: "two crossings", 3: "extended coupling"}
FRAME, MOMENTUM, MODEL = 20.0, 20.0, 2
# Momentum of the packet whose populations are drawn.
FAST = 30.0
# Solvers that are timed next to QuTiP's, of about the errors of these.
TIMED = (("takahashi-imada", 2), ("takahashi-imada", 4), ("chin", 2), ("chin", 8))
# Solvers of QuTiP, if it is installed: the one that it takes by default, and a precise one.
QUTIP: dict[str, dict[str, Any]] = {
    "adams": {},
    "vern9": {"atol": 1e-10, "rtol": 1e-8},
}


@dataclasses.dataclass(frozen=True)
class Args:
    """Scatter on Tully's models by stationary states, and propagate a packet by each solver."""

    out: pathlib.Path = pathlib.Path("runs/channels")
    """Folder of the results."""
    n_points: int = 8192
    """Number of points of stationary states, on 30 bohr."""
    n_momenta: int = 400
    """Number of momenta of a curve."""
    n_frames: int = 80
    """Number of frames of 20 a.u. of the packet."""
    schemes: tuple[str, ...] = tuple(SCHEMES)
    """Schemes of split steps whose errors are measured."""
    n_substeps: tuple[int, ...] = (2, 4, 8)
    """Substeps a frame of these."""
    n_rounds: int = 0
    """Rounds of interleaved timing, for an idle machine; by default nothing is timed."""
    smoke: bool = False
    """Take few points, momenta and frames, in seconds."""


class Flight(NamedTuple):
    """A packet that meets both crossings of the second model, on 512 points."""

    system: System
    v: jax.Array
    states: jax.Array
    energies: jax.Array
    psi: jax.Array


def scatter(args: Args) -> dict[int, plots.Outcomes]:
    """Return the probabilities of the three models against momentum, and the published ones."""
    grid = Grid(args.n_points, 30.0, "continuum", origin=-15.0, mass=2000.0)
    found = {}

    @jax.jit
    def solve(v: jax.Array, energies: jax.Array) -> jax.Array:
        def one(energy: jax.Array) -> jax.Array:
            waves = stationary.scatter(grid, v, energy)
            return jnp.concatenate([waves.reflection[:, 0], waves.transmission[:, 0]])

        return jax.vmap(one)(energies)

    for model, table in PUBLISHED.items():
        v = crossings.TULLY[model](grid.positions())
        at = np.array(list(table))
        k = np.unique(np.append(np.linspace(*MOMENTA[model], args.n_momenta), at).round(6))
        bottom = np.linalg.eigvalsh(np.asarray(v[..., 0]))[0]
        curves = np.asarray(solve(v, jnp.asarray(bottom + k**2 / (2 * grid.mass[0]))))
        points = np.array(list(table.values()))
        found[model] = plots.Outcomes(
            k,
            dict(zip(OUTCOMES, curves.T, strict=True)),
            {name: (at, column) for name, column in zip(OUTCOMES, points.T, strict=True)},
        )
    return found


def largest_deviation(found: plots.Outcomes) -> float:
    """Return the largest deviation of a curve from a published number."""
    return max(
        float(np.max(np.abs(np.interp(at, found.k, found.curves[name]) - values)))
        for name, (at, values) in found.points.items()
    )


def take_off() -> Flight:
    """Return the packet at the start."""
    grid = Grid(512, 40.0, "continuum", origin=-20.0, mass=2000.0)
    system = System(grid, FRAME, n_channel=2)
    v = crossings.TULLY[MODEL](grid.positions())
    energies, states, _ = channels.adiabatic(v)
    packet = packets.gaussian(grid, -9.0, 1.0, MOMENTUM)
    return Flight(system, v, states, energies, states[:, 0, :1] * packet[None])


def diagonalise(flight: Flight, t: float) -> np.ndarray:
    """Return psi after t, by diagonalisation of both channels together."""
    grid, shape = flight.system.grid, flight.psi.shape
    energies, states = np.linalg.eigh(_matrix(flight))
    turned = states.conj().T @ np.asarray(flight.psi).ravel()
    return (states @ (np.exp(-1j * t * energies) * turned)).reshape(shape[0], *grid.shape)


def _matrix(flight: Flight) -> np.ndarray:
    h, shape = hamiltonian(flight.system.grid, flight.v), flight.psi.shape
    n = flight.psi.size
    columns = jax.jit(jax.vmap(lambda one: h(one.reshape(shape)).ravel()))(jnp.eye(n) + 0j)
    matrix = np.asarray(columns).T
    return (matrix + matrix.conj().T).real / 2


def errors_of_solvers(flight: Flight, args: Args) -> dict[str, dict[str, Any]]:
    """Return error, norm and work of each solver over the whole flight, in double precision."""
    n_frames = args.n_frames
    exact = diagonalise(flight, n_frames * FRAME)
    system = flight.system
    rows: dict[str, dict[str, Any]] = {}

    def add(name: str, psi: Any, work: int, unit: str) -> None:
        error = np.linalg.norm(np.asarray(psi) - exact) / np.linalg.norm(exact)
        size = np.linalg.norm(np.asarray(psi)) / np.linalg.norm(np.asarray(flight.psi))
        rows[name] = {"relative_error": float(error), "norm_error": float(abs(size - 1))}
        rows[name] |= {"work": work, "unit": unit}

    for scheme, n in itertools.product(args.schemes, args.n_substeps):
        solver = split_step(system, n, scheme=scheme)
        n_pair = solver.scheme.n_pairs
        psi = jax.jit(lambda s=solver: rollout(s, flight.psi[None], flight.v, n_frames)[-1])()
        add(f"{scheme}, {n} substeps", psi, n * n_pair * n_frames, "FFT pairs")
    for exponent in (-6, -12):
        tolerance = 10.0**exponent
        psi = rollout(chebyshev(system, tolerance), flight.psi[None], flight.v, n_frames)[-1]
        # As the solver has it: half the width of the spectrum times the duration of a frame.
        low, high = float(flight.energies.min()), float(flight.energies.max())
        radius = 1.0001 * (float(system.grid.kinetic_energy().max()) + high - low) / 2
        n_term = len(expansion.coefficients(radius * FRAME, tolerance))
        add(f"chebyshev, 1e{exponent}", psi, n_term * n_frames, "FFT pairs")
    for method, options in QUTIP.items():
        with contextlib.suppress(ImportError):
            psi, work = by_qutip(flight, n_frames * FRAME, {"method": method, **options})
            add(f"QuTiP, {method}", psi, work, "products with H")
    return rows


def by_qutip(flight: Flight, t: float, options: dict[str, Any]) -> tuple[np.ndarray, int]:
    """Return psi after t by a solver of QuTiP, and the number of products with its Hamiltonian."""
    import qutip

    matrix, start, options = _for_qutip(flight, options)
    n_product = 0

    def count(t: float, **kwargs: Any) -> float:
        nonlocal n_product
        n_product += 1
        return 1.0

    # The Hamiltonian has a factor of 1, which counts.
    h = qutip.QobjEvo([[matrix, count]])
    found = qutip.sesolve(h, start, [0.0, t], options=options)
    size = float(np.linalg.norm(flight.psi))
    return size * found.final_state.full().reshape(flight.psi.shape), n_product


def _for_qutip(flight: Flight, options: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """The Hamiltonian, the normalised packet and all options."""
    import qutip

    psi = np.asarray(flight.psi).reshape(-1, 1)
    options = {"store_final_state": True, "progress_bar": "", "nsteps": 1_000_000, **options}
    start = qutip.Qobj(psi / np.linalg.norm(psi))
    return qutip.Qobj(_matrix(flight)).to("dense"), start, options | {"normalize_output": False}


def time_solvers(flight: Flight, args: Args) -> dict[str, float]:
    """Return the median seconds of the whole flight by each solver, in interleaved rounds."""
    runs: dict[str, timing.Run] = {}
    t = args.n_frames * FRAME
    for scheme, n in TIMED:
        solver = split_step(flight.system, n, scheme=scheme)
        fly = jax.jit(lambda psi, s=solver: rollout(s, psi[None], flight.v, args.n_frames)[-1])
        runs[f"{scheme}, {n} substeps"] = functools.partial(_wait, fly, flight.psi)
    for method, options in QUTIP.items():
        with contextlib.suppress(ImportError):
            import qutip

            h, start, every = _for_qutip(flight, {"method": method, **options})
            runs[f"QuTiP, {method}"] = functools.partial(
                qutip.sesolve, h, start, [0.0, t], options=every
            )
    # Compiled before they are timed.
    timing.seconds_by_round(runs, 1)
    return timing.interleave(runs, args.n_rounds)


def _wait(run: Any, psi: jax.Array) -> None:
    run(psi).block_until_ready()


def draw(args: Args, found: dict[int, plots.Outcomes], flight: Flight) -> None:
    """Draw probabilities, the packet on its curves, and populations in time."""
    systems = {f"{model}: {TITLES[model]}": each for model, each in found.items()}
    plots.save(plots.plot_probabilities(systems), args.out / "probabilities.png")
    grid = flight.system.grid
    x, t = np.asarray(grid.positions()), FRAME * np.arange(1, args.n_frames + 1)

    exact = _fly(split_step(flight.system, 8, scheme="blanes-moan"), flight, args.n_frames)
    shown = np.linspace(args.n_frames // 4, args.n_frames, 4).astype(int) - 1
    where = f"Tully's second model, momentum {MOMENTUM:g}"
    title = f"{where}: the adiabatic curves, and the packet on them"
    figure = plots.plot_channels(x, t[shown], np.asarray(flight.energies), exact[shown], title)
    plots.save(figure, args.out / "packet.png")
    plots.save(_populations(args.n_frames), args.out / "populations.png")


def _populations(n_frames: int) -> Figure:
    """The populations of a faster packet, in the box of the packaged student."""
    model = passages.Model(MODEL)
    student = pretrained.find("tully").on(model.grid)
    packet, system = passages.passages(model, np.array([FAST])), student.system
    energies, states, _ = channels.adiabatic(packet.v)
    flight = Flight(system, packet.v, states, energies, packet.psi[0])
    propagators: dict[str, Propagator] = {
        "exact": chebyshev(system),
        "student, taught single crossings": student,
    }
    populations = {
        name: _fly(each, flight, 2 * n_frames).sum(axis=-1) * model.grid.cell
        for name, each in propagators.items()
    }
    t = system.dt * np.arange(1, 2 * n_frames + 1)
    title = f"Tully's second model, momentum {FAST:g}: populations of the adiabatic states"
    return plots.plot_populations(t, populations, title)


def _fly(propagator: Propagator, flight: Flight, n_frames: int) -> np.ndarray:
    """The probability densities of the adiabatic states in time."""
    psi = jax.jit(lambda: rollout(propagator, flight.psi[None], flight.v, n_frames))()
    over = jax.vmap(lambda psi: channels.to_adiabatic(flight.states, psi))(psi)
    return np.asarray(jnp.abs(over) ** 2)


def measure(args: Args) -> runner.Results:
    """Scatter, propagate, draw."""
    require_at_least(2, n_points=args.n_points, n_momenta=args.n_momenta)
    require_at_least(4, n_frames=args.n_frames)
    require_at_least(0, n_rounds=args.n_rounds)
    for scheme in args.schemes:
        require_one_of(SCHEMES, schemes=scheme)
    with jax.enable_x64(True):
        found, flight = scatter(args), take_off()
        rows = errors_of_solvers(flight, args)
        seconds = time_solvers(flight, args) if args.n_rounds else {}
        draw(args, found, flight)
    deviations = {TITLES[model]: largest_deviation(each) for model, each in found.items()}
    kept = {
        "deviation_from_published": deviations,
        "packet": {"model": MODEL, "momentum": MOMENTUM, "t_au": FRAME * args.n_frames},
        "solvers": rows,
        "probabilities": {
            TITLES[model]: {"k": each.k.tolist(), **{n: c.tolist() for n, c in each.curves.items()}}
            for model, each in found.items()
        },
    }
    kept |= {"seconds": seconds} if seconds else {}
    lines = [f"{title}: within {value:.1e}" for title, value in deviations.items()]
    lines += [f"{name:34} {row['relative_error']:.1e}" for name, row in rows.items()]
    lines += [f"{name:34} {value:.3g} s" for name, value in seconds.items()]
    return runner.Results(runner.rounded(kept), "\n".join(lines))


def smaller(args: Args) -> Args:
    """Return options that take seconds."""
    few: dict[str, Any] = {"n_points": 256, "n_momenta": 4, "n_frames": 4}
    return dataclasses.replace(args, **few, schemes=("chin",), n_substeps=(8,))


if __name__ == "__main__":
    runner.main(measure, Args, smaller)
