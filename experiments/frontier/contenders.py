"""The contenders of the comparison: propagators, and counts of their operations.

Operations are real additions and multiplications, counted analytically.
"""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments import filtered
from experiments.frontier.baselines import CoarseSplitStep, Projected, Truncated
from experiments.frontier.kernel import Kernel
from qdistill._checks import refuse, require_one_of
from qdistill.physics.band import Band
from qdistill.physics.grid import Grid, Scalar
from qdistill.runs import extensions, pretrained
from qdistill.students import BandStudent, EffectiveHamiltonian, Emulator, count_parameters
from qdistill.system import Propagator, System
from qdistill.teacher import SCHEMES, SplitStep, chebyshev, expansion, split_step

# Time in a.u. between two outputs of psi; contenders choose their steps in between.
UNIT = 1.0
# Size of the larger basis of a projected exact frame: at least so many points, and so many times
# the band; as few as do not reduce the accuracy.
N_EXACT, EXACT_REACH = 320, 1.25
# Largest wave that is folded on a line, in units of the band's edge: the best value for bands of
# any size. A series truncated at second order overshoots, so that more waves are worse.
FOLD_REACH = 2.3
# Gradients are smoothed over 0.1 bohr, which reduces the error at sharp edges.
SMOOTHING = 0.1
TITLES = {
    "strang": "clamped split step",
    "takahashi-imada": "Takahashi-Imada",
    "chin": "Chin",
    "blanes-moan": "Blanes-Moan",
}
FILTERS = "filters of theory"


class Operations(NamedTuple):
    """The numbers of operations of a propagator.

    Attributes:
      potential: Operations of the setup of a potential, without exponentials at single points and
        without encoding packets.
      unit: Operations of one packet over one unit of time.
      look: Operations of decoding one psi from the state.
    """

    potential: float
    unit: float
    look: float = 0.0

    def of_job(self, n_packets: int, n_units: int, n_looks: int) -> float:
        """Return the operations of a job: one potential, its packets, their time and outputs."""
        return self.potential + n_packets * (n_units * self.unit + n_looks * self.look)


class Contender(NamedTuple):
    """A propagator in the comparison.

    Attributes:
      kind: Kind of the contender; those of a kind differ in their settings.
      propagator: An emulator, a solver or a baseline, with a frame that divides `UNIT`.
      operations: Numbers of operations, if known.
    """

    kind: str
    propagator: Propagator
    operations: Operations | None = None

    @property
    def is_learned(self) -> bool:
        """Whether the propagator is an emulator."""
        return isinstance(self.propagator, Emulator)


def frames_per_unit(propagator: Propagator) -> int:
    """Return the number of frames in 1 a.u.

    Raises:
      ValueError: If 1 a.u. is not a multiple of the frame.
    """
    dt = propagator.system.dt
    n_frames = round(UNIT / dt)
    if abs(n_frames * dt - UNIT) > 1e-9:
        refuse("dt", f"a part of {UNIT:g} a.u.", dt)
    return n_frames


def of_unit(system: System) -> System:
    """Return the system with frames of 1 a.u."""
    return dataclasses.replace(system, dt=UNIT)


def split_steps(system: System, numbers: Sequence[int]) -> dict[str, Contender]:
    """Return plain split steps with given numbers of FFT pairs per a.u., without resonances."""
    highest = system.grid.kinetic_energy().max()
    return {
        f"split step, {n} pairs": Contender(
            "split step", split_step(of_unit(system), n), of_split_step(n, *system.grid.shape)
        )
        for n in numbers
        if highest * UNIT / n < 2 * np.pi
    }


def clamped(
    system: System,
    n_pairs: int,
    cap: Scalar,
    n_coarse: int | None = None,
    scheme: str = "strang",
) -> Contender:
    """Return the split step with clamped kinetic energy, for any number of FFT pairs.

    Args:
      system: The system.
      n_pairs: FFT pairs per a.u., a multiple of those of the scheme.
      cap: Cap of the kinetic energy, in hartree.
      n_coarse: Points along an axis; None for all.
      scheme: Name of one of `SCHEMES`.

    Raises:
      ValueError: For another scheme, and a number of pairs that is no multiple of its own.
    """
    require_one_of(SCHEMES, scheme=scheme)
    form = SCHEMES[scheme]
    if n_pairs < 1 or n_pairs % form.n_pairs:
        refuse("n_pairs", f"a multiple of {form.n_pairs}, the FFT pairs of {scheme}", n_pairs)
    if form.gradients:
        form = dataclasses.replace(form, smoothing=SMOOTHING)
    n_substeps = n_pairs // form.n_pairs
    if n_coarse is None:
        steps = SplitStep(of_unit(system), n_substeps, cap, form)
        work = of_split_step(n_pairs, *system.grid.shape)
        if form.gradients and system.grid.dispersion == "lattice":
            # One kick of a substep has gradients, since those at its ends are one with the next.
            work = work._replace(unit=work.unit + n_substeps * of_hops(*system.grid.shape))
        return Contender(TITLES[scheme], steps, work)
    shape = (n_coarse,) * system.grid.n_dim
    work = of_split_step(n_pairs, *shape)
    work = work._replace(look=fft(*shape) + fft(*system.grid.shape))
    few = CoarseSplitStep(of_unit(system), n_coarse, n_substeps, cap, form)
    return Contender(f"{n_coarse} points, {TITLES[scheme]}", few, work)


def filters(system: System, n_pairs: int, cap: float, smoothing: float) -> Contender:
    """Return the split step with the filters of perturbation theory, two FFT pairs a frame.

    Args:
      system: A line.
      n_pairs: FFT pairs per a.u., an even number.
      cap: Cap of the kinetic energy, in hartree.
      smoothing: Width in bohr of the Gaussian that smooths V before its slope is taken.
    """
    frames = dataclasses.replace(system, dt=2 * UNIT / n_pairs)
    work = of_split_step(n_pairs, *system.grid.shape)
    # V, its smoothed slope, and three filters of V: FFTs of reals, half the cost of complex ones.
    work = work._replace(potential=8 / 2 * fft(*system.grid.shape))
    return Contender(FILTERS, filtered.theory(frames, 2, cap, smoothing), work)


def chebyshevs(
    system: System, tolerances: Sequence[float], bounds: tuple[float, float]
) -> dict[str, Contender]:
    """Return Chebyshev expansions over 1 a.u., for potentials within bounds."""
    grid = system.grid
    radius = (grid.kinetic_energy().max() + bounds[1] - bounds[0]) / 2
    # Operations of a term: kinetic energy, potential and recurrence.
    n_x = math.prod(grid.shape)
    kinetic = 8 * n_x if grid.dispersion == "lattice" else 2 * fft(*grid.shape) + 2 * n_x
    found = {}
    for tolerance in tolerances:
        n_terms = len(expansion.coefficients(radius * UNIT, tolerance))
        solver = chebyshev(dataclasses.replace(system, dt=UNIT, bounds=bounds), tolerance)
        work = Operations(0, n_terms * (kinetic + 8 * n_x))
        found[f"Chebyshev, {tolerance:.0e}"] = Contender("Chebyshev", solver, work)
    return found


def cut_off(system: System, sizes: Sequence[int]) -> dict[str, Contender]:
    """Return plane-wave truncations: the Hamiltonian between the waves of a number of points."""
    found = {}
    for n_coarse in sizes:
        band = band_of(system.grid, n_coarse)
        work = of_eigenbasis(band, of_elements(system.grid, band.n_wave, band.n_wave))
        contender = Contender("cut off", Truncated(of_unit(system), band), work)
        found[f"cut off, {size_of(band, n_coarse)}"] = contender
    return found


def folded(system: System, sizes: Sequence[int], energy: float = 7.0) -> dict[str, Contender]:
    """Return Loewdin-folded Hamiltonians; on a line only waves up to a limit are folded."""
    found = {}
    for n_coarse in sizes:
        band = band_of(system.grid, n_coarse)
        outer = math.inf
        if system.grid.n_dim == 1:
            outer = min(round(FOLD_REACH * (band.n_wave // 2)), (system.grid.shape[0] - 1) // 2)
            outer *= 2 * np.pi / system.grid.lengths[0]
        n_outer = Band(system.grid, outer, above=band.cutoff).n_wave
        work = of_eigenbasis(band, of_fold(system.grid, band.n_wave, n_outer))
        contender = Contender("folded", Truncated(of_unit(system), band, outer, energy), work)
        found[f"folded, {size_of(band, n_coarse)}"] = contender
    return found


def projected(system: System, sizes: Sequence[int]) -> dict[str, Contender]:
    """Return exact frames of 1 a.u. projected on the waves of a number of points, on a line."""
    grid, found = system.grid, {}
    for n_coarse in sizes:
        band = band_of(grid, n_coarse)
        n_exact = max(N_EXACT, round(EXACT_REACH * n_coarse))
        # At least one wave must be left to fold.
        n_exact = min((n_exact - 1) // 2, (grid.shape[0] - 3) // 2)
        outer = Band(grid, 2 * np.pi * n_exact / grid.lengths[0])
        n, n_outer = band.n_wave, outer.n_wave
        work = of_fold(grid, n_outer, grid.shape[0] - n_outer) + diagonalisation(n_outer)
        work += product(n, n_outer, 2 * n)
        frame = Projected(of_unit(system), band, outer)
        contender = Contender("projected", frame, of_matrix(band, work))
        found[f"projected, {size_of(band, n_coarse)}"] = contender
    return found


def load(place: str) -> Emulator:
    """Return an emulator by its packaged name, its file or the folder of its run.

    Importing this module registers the student `kernel`.
    """
    extensions.load(pathlib.Path(__file__).with_name("kernel_presets.py"))
    return pretrained.find(place)


def emulator(emulator: Emulator, name: str) -> dict[str, Contender]:
    """Return an emulator as a contender, with the size of its band in its name."""
    student = emulator.student
    frames_per_unit(emulator)
    if not isinstance(student, BandStudent):
        return {name: Contender("student", emulator)}
    work, band = None, student.band
    if isinstance(student, EffectiveHamiltonian):
        work = of_eigenbasis(band, _of_effective(student))
    elif isinstance(student, Kernel):
        n_products = 5 + 2 * student.form.n_doublings
        once = n_products * product(*(band.n_wave,) * 3)
        once += 2 * band.grid.shape[0] * count_parameters(emulator.params)
        work = of_matrix(band, once + 2 * of_elements(band.grid, band.n_wave, band.n_wave))
    size = size_of(band, student.form.n_coarse)
    return {f"{name}, {size}": Contender("student", emulator, work)}


def band_of(grid: Grid, n_coarse: int) -> Band:
    """Return the band of the waves of a number of points along the first axis."""
    return Band.below(grid, np.pi * n_coarse / grid.lengths[0])


def size_of(band: Band, n_coarse: int) -> str:
    """Return the size of a band as text: points on a line, otherwise waves."""
    return f"{n_coarse} points" if band.grid.n_dim == 1 else f"{band.n_wave} waves"


def fft(*shape: int) -> float:
    """Return the operations of a complex FFT: 5 n log2 n.

    >>> fft(1024)
    51200.0
    """
    n = math.prod(shape)
    return 5 * n * math.log2(n)


def product(n: int, m: int, k: int) -> float:
    """Return the operations of the product of real matrices, n x m and m x k."""
    return 2.0 * n * m * k


def diagonalisation(n: int) -> float:
    """Return the operations of diagonalising a real symmetric matrix, with eigenvectors: 9 n^3.

    This is the QR iteration (Golub and Van Loan, Matrix Computations, section 8.3); divide and
    conquer takes fewer.
    """
    return 9.0 * n**3


def of_split_step(n_pairs: int, *shape: int) -> Operations:
    """Return the operations of a split step with a number of FFT pairs per unit of time."""
    return Operations(0, n_pairs * (2 * fft(*shape) + 12 * math.prod(shape)))


def of_hops(*shape: int) -> float:
    """Return the operations of the hops of a kick on the lattice: seven neighbours an axis."""
    return 8 * 7 * (2 * len(shape) - 1) * math.prod(shape)


def of_elements(grid: Grid, n_rows: int, n_columns: int) -> float:
    """Return the operations of the matrix of a potential between waves."""
    return fft(*grid.shape) + 3 * n_rows * n_columns


def of_fold(grid: Grid, n: int, n_beyond: int) -> float:
    """Return the operations of the matrix of a Loewdin-folded Hamiltonian."""
    products = 2 * product(n, n_beyond, n) + product(n, n, n)
    return products + of_elements(grid, n, n + n_beyond)


def of_eigenbasis(band: Band, matrix: float) -> Operations:
    """Return the operations of evolution in an eigenbasis, given those of the Hamiltonian."""
    n = band.n_wave
    look = product(n, n, 2) + fft(*band.grid.shape)
    return Operations(matrix + diagonalisation(n), 6 * n, look)


def of_matrix(band: Band, matrix: float) -> Operations:
    """Return the operations of a frame that is a complex matrix, given those of the matrix."""
    return Operations(matrix, 8 * band.n_wave**2, fft(*band.grid.shape))


def _of_effective(student: EffectiveHamiltonian) -> float:
    """The operations of the learned Hamiltonian: derivatives of V, their products, and matrices."""
    grid, form, n = student.system.grid, student.form, student.band.n_wave
    n_dim, n_tensor = grid.n_dim, grid.n_dim * (grid.n_dim + 1) // 2
    transforms = (1 + (n_dim + n_tensor) * len(form.widths)) * fft(*grid.shape)
    products = n_dim**3 + n_tensor * (1 + 2 * form.n_fields)
    products *= form.n_terms * math.prod(grid.shape)
    n_matrices = 1 + n_tensor * max(form.n_fields - 1, 0)
    return transforms + products + n_matrices * of_elements(grid, n, n)
