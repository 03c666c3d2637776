"""Solvers of other packages on the same problem, if installed, and plain C.

Every peer is a function ``(problem, n_cores) -> (run, n_packets)``: `run()` evolves the first
`n_packets` of the problem and returns their last states. Slow peers take few packets. The setup of
a peer is not timed. A peer that is not installed raises `ImportError`, or `OSError` for the C
compiler.
"""

import ctypes
import importlib.metadata
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from experiments.throughput.peers.splittings import (
    N_SUBSTEPS,
    matterwave_split,
    pyfftw_split,
    scipy_split,
    torch_split,
)
from experiments.throughput.problem import Problem, dense_hamiltonian
from qdistill.physics.grid import Grid

Run: TypeAlias = Callable[[], np.ndarray]
Peer: TypeAlias = Callable[[Problem, int], tuple[Run, int]]


def c_realspace(problem: Problem, n_cores: int) -> tuple[Run, int]:
    """Return the paper's real-space splitting in C, 200 steps per frame of 0.1; lattice only."""
    if problem.grid.dispersion != "lattice":
        raise ImportError("the paper's splitting has the lattice's dispersion only")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise OSError("no C compiler is installed")
    source = pathlib.Path(__file__).with_name("realspace.c")
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder) / "realspace.so"
        options = ["-O2", "-shared", "-fPIC", "-pthread"]
        subprocess.run([compiler, *options, source, "-o", target, "-lm"], check=True)
        library = ctypes.CDLL(str(target))
    n = min(problem.n_packets, 4 * n_cores)
    v, start = problem.v[:n].astype("f8"), problem.psi[:n].astype("c16")
    n_steps = round(200 * problem.dt / 0.1)

    def run() -> np.ndarray:
        psi = start.copy()
        library.evolve(
            *map(ctypes.c_int, (psi.shape[1], n, n_steps * problem.n_frames, n_cores)),
            *map(ctypes.c_double, (problem.dt / n_steps, problem.grid.dx[0])),
            *(ctypes.c_void_p(x.ctypes.data) for x in (v, psi)),
        )
        return psi

    return run, n


def qutip_krylov(problem: Problem, n_cores: int) -> tuple[Run, int]:
    """Return QuTiP's Krylov solver, one packet after the other."""
    import qutip

    n = min(problem.n_packets, 2)
    times = [0.0, problem.dt * problem.n_frames]
    options = {"method": "krylov", "krylov_dim": 20, "nsteps": 100_000}
    options |= {"store_states": True, "progress_bar": ""}
    energies = [
        qutip.Qobj(_hamiltonian(problem.grid, v)).to(
            "csr" if problem.grid.dispersion == "lattice" else "dense"
        )
        for v in problem.v[:n]
    ]

    def run() -> np.ndarray:
        last = [
            qutip.sesolve(h, qutip.Qobj(psi[:, None]), times, options=options).states[-1]
            for h, psi in zip(energies, problem.psi[:n].astype("c16"), strict=True)
        ]
        return np.stack([psi.full()[:, 0] for psi in last])

    return run, n


def dynamiqs_dopri(problem: Problem, n_cores: int) -> tuple[Run, int]:
    """Return dynamiqs' Dopri8 on complex64: diagonals on the lattice, dense on the continuum."""
    import dynamiqs

    n = min(problem.n_packets, 2)
    layout = dynamiqs.dia if problem.grid.dispersion == "lattice" else dynamiqs.dense
    times = jnp.asarray([0.0, problem.dt * problem.n_frames])
    method = dynamiqs.method.Dopri8(rtol=1e-5, atol=1e-5, max_steps=10**6)
    options = {"method": method, "save_states": False, "progress_meter": False}
    energies = [
        dynamiqs.asqarray(_hamiltonian(problem.grid, v).astype("c8"), layout=layout)
        for v in problem.v[:n]
    ]

    def run() -> np.ndarray:
        last = [
            dynamiqs.sesolve(h, psi[:, None], times, **options).final_state
            for h, psi in zip(energies, problem.psi[:n].astype("c8"), strict=True)
        ]
        return np.stack([np.asarray(psi.to_jax())[:, 0] for psi in last])

    return run, n


def diffrax_dopri(problem: Problem, n_cores: int) -> tuple[Run, int]:
    """Return Diffrax's Dopri8 on complex64 with this package's Hamiltonian, mapped over packets."""
    import diffrax

    from qdistill.physics.hamiltonian import hamiltonian

    n = min(problem.n_packets, 8)
    v, start = jnp.asarray(problem.v[:n], "f4"), jnp.asarray(problem.psi[:n], "c8")

    @jax.jit
    @jax.vmap
    def last(v: jax.Array, psi: jax.Array) -> jax.Array:
        h = hamiltonian(problem.grid, v)
        # As (Re, Im): Diffrax documents its support of complex numbers as unfinished.
        term = diffrax.ODETerm(lambda t, u, args: _as_pair(-1j * h(u[0] + 1j * u[1])))
        solution = diffrax.diffeqsolve(
            term,
            diffrax.Dopri8(),
            0.0,
            problem.dt * problem.n_frames,
            1e-3,
            _as_pair(psi),
            stepsize_controller=diffrax.PIDController(rtol=1e-5, atol=1e-5),
            max_steps=None,
        )
        return solution.ys[-1, 0] + 1j * solution.ys[-1, 1]

    return lambda: np.asarray(last(v, start)), n


PEERS: dict[str, tuple[Peer, str]] = {
    "C, real-space splitting": (c_realspace, ""),
    f"scipy, {N_SUBSTEPS} substeps": (scipy_split, "scipy"),
    f"pyFFTW, {N_SUBSTEPS} substeps": (pyfftw_split, "pyFFTW"),
    f"torch, {N_SUBSTEPS} substeps": (torch_split, "torch"),
    f"matterwave, {N_SUBSTEPS} substeps": (matterwave_split, "matterwave"),
    "QuTiP, Krylov": (qutip_krylov, "qutip"),
    "dynamiqs, Dopri8": (dynamiqs_dopri, "dynamiqs"),
    "diffrax, Dopri8": (diffrax_dopri, "diffrax"),
}
"""A name to the peer, and the package that it needs."""


def versions() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {}
    for _, package in PEERS.values():
        try:
            found[package] = importlib.metadata.version(package or "numpy")
        except importlib.metadata.PackageNotFoundError:
            continue
    return {name: version for name, version in found.items() if name}


def _hamiltonian(grid: Grid, v: np.ndarray) -> np.ndarray:
    h = dense_hamiltonian(grid, v.astype("f8"))
    # Matrix elements that are zero up to the rounding of the FFT, 1e-14.
    return np.where(np.abs(h) > 1e-9, h, 0)


def _as_pair(psi: jax.Array) -> jax.Array:
    return jnp.stack([psi.real, psi.imag])
