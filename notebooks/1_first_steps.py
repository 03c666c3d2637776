# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 1. First steps: from a packet to a forecast
#
# A wave packet meets a potential. First a solver, the *teacher*, computes what happens. Then a
# small trained network, the *emulator*, forecasts the same. The potential is held out: it was not
# in the training. Everything is in Hartree atomic units: lengths in bohr, energies in hartree,
# times in a.u.

# %%
# %matplotlib inline
import IPython.display
import numpy as np

import qdistill as qd
from qdistill import plots
from qdistill.forecast import metrics
from qdistill.physics import observables, packets, potentials

# %% tags=["settings"]
n_frames = 400
seconds = 4.0

# %% [markdown]
# ## The teacher
#
# A *system* is a grid and the duration of a frame. The packet flies to the right with a momentum
# of 2/bohr, which is an energy of about 2 hartree. The top of the staircase is 1.6 hartree high:
# the packet reaches it, but slowly.

# %%
system = qd.System(qd.Grid(1024, 100.0, "lattice"), dt=0.1)
grid = system.grid
x = np.asarray(grid.positions())
psi = packets.gaussian(grid, centre=20.0, width=3.0, momentum=2.0)
v = potentials.steps(grid.positions(), heights=(0.4, 0.8, 1.2, 1.6), width=24.0, centre=50.0)
print(f"energy {observables.energy(grid, v, psi):.3f} hartree")

# %% [markdown]
# A solver is a *propagator*, and `rollout` repeats its step. It takes given frames, here one, and
# returns the frames that follow.

# %%
solver = qd.teacher.chebyshev(system)
truth = qd.rollout(solver, psi[None], v, n_frames)
t = system.dt * np.arange(1, n_frames + 1)
print(truth.shape, truth.dtype)

# %% [markdown]
# The colour is the phase of psi, the brightness its modulus. Narrow stripes along x mean a fast
# packet; on the staircase it slows down. Each step reflects a part of it. The box is periodic: a
# wave that leaves on the left comes back on the right.

# %%
plots.plot_wavefunction(x, t, v, truth, "A packet climbs a staircase")

# %% [markdown]
# Norm and energy are conserved. At the end a part of the packet has passed the staircase.

# %%
passed, back = observables.sides(grid, truth[-1], left=38.0, right=62.0)
print(f"norm {observables.probability(grid, truth[-1]):.5f}")
print(f"energy {observables.energy(grid, v, truth[-1]):.3f} hartree")
print(f"{passed:.2f} is past the staircase, {back:.2f} before it")

# %% [markdown]
# ## A lattice is not the continuum
#
# The paper's kinetic energy is a finite difference, so a wave has the energy $(1 - \cos
# k\,dx)/dx^2$ and not $k^2/2$. The difference is small, but it accumulates, and faster for faster
# packets.

# %%
continuum = qd.System(qd.Grid(1024, 100.0, "continuum"), dt=0.1)
fast = packets.gaussian(grid, centre=20.0, width=2.5, momentum=4.0)
here, there = (
    qd.rollout(qd.teacher.chebyshev(each), fast[None], v, n_frames) for each in (system, continuum)
)
correlation = metrics.correlation(there, here)
for n in (n_frames // 8, n_frames // 4, n_frames):
    print(f"correlation of the two after {0.1 * n:4.1f} a.u.: {correlation[n - 1]:.3f}")

# %% [markdown]
# So an emulator of one must not be tested on the other. The rest of this notebook uses the lattice.

# %% [markdown]
# ## The emulator
#
# Twelve emulators come with the package. `demo` was trained for about a minute on single barriers
# and wells only, with no prior on the kinetic energy.

# %%
emulator = qd.load("demo")
print(emulator)

# %% [markdown]
# The emulator is given the first frame, and continues from its own forecasts.

# %%
forecast = emulator.forecast(psi, v, n_frames)
error = metrics.nrmse(forecast, truth)
correlation = metrics.correlation(forecast, truth)
for n in (n_frames // 8, n_frames // 4, n_frames):
    print(f"frame {n}: 1 - correlation {1 - correlation[n - 1]:.1e}, error {error[n - 1]:.1e}")

# %%
plots.plot_spacetime(x, t, v, truth, forecast, "A staircase, held out")

# %% [markdown]
# The correlation depends neither on the norm nor on the global phase; the relative L2 error,
# |forecast - truth| / |truth|, depends on both. The step is unitary by construction, so an error
# is propagated but not amplified.
#
# `animate_forecast` writes an animation as a GIF, or as an MP4 if ffmpeg is installed.

# %%
plots.animate_forecast(
    x, t, v, truth, forecast, "forecast.gif", title="A staircase", seconds=seconds
)
IPython.display.Image(filename="forecast.gif")

# %% [markdown]
# ## A potential of your own
#
# A potential may be a formula in x, an array, or a function of the positions. Change it and run the
# cell again.

# %%
mine = system.as_potential("2*exp(-(x-55)**2/18) * cos(2*x)**2 - 1*(abs(x-35)<4)")
truth = qd.rollout(solver, psi[None], mine, n_frames)
forecast = emulator.forecast(psi, mine, n_frames)
print(f"error at the end {metrics.nrmse(forecast, truth)[-1]:.1e}")
plots.plot_wavefunction(x, t, mine, forecast, "Forecast of the emulator")

# %% [markdown]
# Next: [distil an emulator yourself](2_distil.ipynb).
