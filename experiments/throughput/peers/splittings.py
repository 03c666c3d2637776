"""Split steps with the FFTs of other packages: as they come, and with any splitting of one pair."""

import concurrent.futures
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from experiments.throughput.devices import on_each, split
from experiments.throughput.problem import Problem
from qdistill._distribute import mesh_of
from qdistill.teacher import SCHEMES, schemes
from qdistill.teacher.schemes import Scheme

Run: TypeAlias = Callable[[], np.ndarray]
N_SUBSTEPS = 10
"""Of the split steps: the fewest past the resonance of the continuum at frames of 0.1."""
N_CHUNK = 16
"""Packets that are evolved together where the arrays of all are larger than the cache."""


@dataclasses.dataclass(frozen=True)
class Method:
    """A splitting that every solver can be given.

    Attributes:
      n_substeps: Substeps per frame; each has one pair of FFTs.
      kinetic_cap: Cap of the kinetic energy in hartree; None for none.
      scheme: Strang's or Takahashi and Imada's scheme. On the continuum the correction of the
        latter is a potential, so that it costs nothing.
    """

    n_substeps: int = N_SUBSTEPS
    kinetic_cap: float | None = None
    scheme: Scheme = SCHEMES["strang"]


AS_IT_COMES = Method()


def phases(
    problem: Problem, method: Method
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return half and full kick, drift and initial state; computed in float64, as complex64.

    Raises:
      ImportError: For a correction on the lattice, where it is no potential.
    """
    grid, h = problem.grid, problem.dt / method.n_substeps
    v, kinetic = problem.v.astype("f8"), grid.kinetic_energy()
    if method.kinetic_cap is not None:
        kinetic = np.minimum(kinetic, method.kinetic_cap)
    if method.scheme.gradients:
        if grid.dispersion != "continuum":
            raise ImportError("the correction is a potential on the continuum only")
        width, share = method.scheme.smoothing, sum(method.scheme.gradients)
        with jax.enable_x64(True):
            slopes = [
                schemes.square_of_gradient(grid, schemes.smooth(grid, jnp.asarray(each), width))
                for each in v
            ]
        v = v + share * h**2 * np.stack(slopes)
    parts = np.exp(-0.5j * h * v), np.exp(-1j * h * v), np.exp(-1j * h * kinetic)
    half, full, drift = (np.ascontiguousarray(part.astype("c8")) for part in parts)
    return half, full, drift, problem.psi.astype("c8")


def scipy_split(problem: Problem, n_cores: int) -> tuple[Run, int]:
    """Return a split step with scipy.fft on complex64, with a worker per core."""
    import scipy.fft

    half, full, drift, start = phases(problem, AS_IT_COMES)

    def run() -> np.ndarray:
        psi = half * start
        for i in range(n_total := N_SUBSTEPS * problem.n_frames):
            wave = scipy.fft.fft(psi, axis=1, workers=n_cores, overwrite_x=True)
            wave *= drift
            psi = scipy.fft.ifft(wave, axis=1, workers=n_cores, overwrite_x=True)
            psi *= full if i + 1 < n_total else half
        return psi

    return run, problem.n_packets


def pyfftw_split(problem: Problem, n_cores: int, method: Method = AS_IT_COMES) -> tuple[Run, int]:
    """Return a split step with FFTW on complex64, with measured plans and a thread per core."""
    half, full, drift, start = phases(problem, method)
    evolve = _fftw_loop(start.shape, drift, method.n_substeps * problem.n_frames, n_cores)
    return lambda: evolve(start, half, full), problem.n_packets


def pyfftw_by_packets(
    problem: Problem, n_cores: int, method: Method = AS_IT_COMES
) -> tuple[Run, int]:
    """Return the same in chunks of packets, each with FFTs of one thread; a chunk per core."""
    half, full, drift, start = phases(problem, method)
    size = min(N_CHUNK, -(-problem.n_packets // n_cores))
    n_total = method.n_substeps * problem.n_frames
    arrays = [np.array_split(each, -(-len(start) // size)) for each in (start, half, full)]
    loops = [_fftw_loop(each.shape, drift, n_total, 1) for each in arrays[0]]
    pool = concurrent.futures.ThreadPoolExecutor(n_cores)

    def run() -> np.ndarray:
        jobs = zip(loops, *arrays, strict=True)
        return np.concatenate(list(pool.map(lambda job: job[0](*job[1:]), jobs)))

    return run, problem.n_packets


def _fftw_loop(
    shape: tuple[int, ...], drift: np.ndarray, n_total: int, n_threads: int
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """The function from start, half and full kicks to the state after a number of substeps."""
    import pyfftw

    psi = pyfftw.empty_aligned(shape, "c8")
    options = {"axes": (1,), "threads": n_threads, "flags": ("FFTW_MEASURE",)}
    forward = pyfftw.FFTW(psi, psi, **options)
    backward = pyfftw.FFTW(psi, psi, direction="FFTW_BACKWARD", **options)
    # `execute` omits the factor 1 / n.
    drift = drift / np.complex64(shape[1])

    def evolve(start: np.ndarray, half: np.ndarray, full: np.ndarray) -> np.ndarray:
        np.multiply(half, start, out=psi)
        for i in range(n_total):
            forward.execute()
            np.multiply(psi, drift, out=psi)
            backward.execute()
            np.multiply(psi, full if i + 1 < n_total else half, out=psi)
        return psi.copy()

    return evolve


def torch_split(problem: Problem, n_cores: int) -> tuple[Run, int]:
    """Return a split step with torch.fft on complex64, eager: on a GPU, or a thread per core."""
    import torch

    torch.set_num_threads(n_cores)
    where = "cuda" if jax.default_backend() == "gpu" and torch.cuda.is_available() else "cpu"
    given = (torch.from_numpy(each).to(where) for each in phases(problem, AS_IT_COMES))
    half, full, drift, start = given

    @torch.inference_mode()
    def run() -> np.ndarray:
        psi = half * start
        for i in range(n_total := N_SUBSTEPS * problem.n_frames):
            psi = torch.fft.ifft(torch.fft.fft(psi).mul_(drift))
            psi.mul_(full if i + 1 < n_total else half)
        return psi.cpu().numpy()

    return run, problem.n_packets


def matterwave_split(problem: Problem, n_cores: int) -> tuple[Run, int]:
    """Return matterwave's `split_step` on complex64: scanned, mapped over packets, and jitted.

    The package is in SI units. Times of hbar and masses of hbar^2 make its equation that of
    atomic units.
    """
    matterwave, fa, axis = _matterwave(problem)
    h, n_total = problem.dt / N_SUBSTEPS, N_SUBSTEPS * problem.n_frames
    hbar = matterwave.split_step.__globals__["hbar"]
    (mass,) = problem.grid.mass

    @jax.jit
    @jax.vmap
    def last(v: jax.Array, psi: jax.Array) -> jax.Array:
        field = fa.array(v, axis, "pos")

        def advance(psi: Any, _: None) -> tuple[Any, None]:
            return matterwave.split_step(psi, dt=h * hbar, mass=mass * hbar**2, V=field), None

        start = fa.array(psi, axis, "pos").into_factors_applied(False)
        return jax.lax.scan(advance, start, None, length=n_total)[0].values("pos")

    v, psi = jnp.asarray(problem.v, "f4"), jnp.asarray(problem.psi, "c8")
    compiled = last.lower(v, psi).compile()
    return lambda: np.asarray(compiled(v, psi)), problem.n_packets


def matterwave_given(problem: Problem, n_cores: int, method: Method) -> tuple[Run, int]:
    """Return a splitting written with matterwave's arrays, with its kicks and drifts given.

    As for this package's solvers, packets are split over the devices, in chunks, and the last kick
    of a substep and the first of the next are one.
    """
    _, fa, axis = _matterwave(problem)
    half, full, drift, start = phases(problem, method)
    n_total = method.n_substeps * problem.n_frames
    row = mesh_of()

    def last(half: jax.Array, full: jax.Array, psi: jax.Array) -> jax.Array:
        # Frequencies are in increasing order.
        turn = fa.array(jnp.asarray(np.fft.fftshift(drift)), axis, "freq")
        first, joint = (fa.array(each, axis, "pos") for each in (half, full))

        def substep(psi: Any) -> Any:
            return (psi.into_space("freq") * turn).into_space("pos")

        def advance(psi: Any, _: None) -> tuple[Any, None]:
            return substep(psi) * joint, None

        begin = (fa.array(psi, axis, "pos") * first).into_factors_applied(False)
        end = jax.lax.scan(advance, begin, None, length=n_total - 1)[0]
        return (substep(end) * first).values("pos")

    def in_chunks(*arrays: jax.Array) -> jax.Array:
        return jax.lax.map(lambda each: last(*each), arrays, batch_size=N_CHUNK)

    inputs = split(row, tuple(map(jnp.asarray, (half, full, start))))
    compiled = jax.jit(on_each(row, in_chunks)).lower(*inputs).compile()
    return lambda: np.asarray(compiled(*inputs)), problem.n_packets


def _matterwave(problem: Problem) -> tuple[Any, Any, Any]:
    """The two modules of matterwave, and the axis of the problem."""
    import fftarray
    import matterwave

    if problem.grid.dispersion != "continuum":
        raise ImportError("matterwave has the kinetic energy of the continuum only")
    _register(fftarray.jax_register_pytree_nodes)
    (n_x,), (dx,), (origin,) = problem.grid.shape, problem.grid.dx, problem.grid.origin
    axis = fftarray.dim("x", n_x, d_pos=dx, pos_min=float(origin), freq_min=-0.5 / dx)
    return matterwave, fftarray, axis


@functools.cache
def _register(register: Callable[[], None]) -> None:
    """Call a function that must be called once a process."""
    register()
