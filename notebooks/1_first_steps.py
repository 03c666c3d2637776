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
# A wave packet meets a landscape. First the solver, the *teacher*, shows what happens; then a
# small network, the *student*, forecasts the same, on a landscape that it never saw. Everything
# is in Hartree atomic units: lengths in bohr, energies in hartree, times in a.u.

# %%
# %matplotlib inline
import os

import IPython.display
import jax
import numpy as np

import qdistill
from qdistill import plots
from qdistill._rollout import rollout
from qdistill.forecast import metrics
from qdistill.physics import files as landscapes
from qdistill.physics import observables, packets, potentials
from qdistill.physics.grid import Grid
from qdistill.runs import pretrained
from qdistill.teacher import solvers as solver

# The tests take the same path with smaller numbers.
QUICK = "QDISTILL_QUICK" in os.environ
n_frames = 40 if QUICK else 400

# %% [markdown]
# ## The teacher
#
# A grid, a packet, a landscape. The packet flies to the right with a momentum of 4, an energy of
# some 8 hartree. The staircase is 6 hartree high at its top: it will get there, but slowly.

# %%
grid = Grid(1024, 100.0, "lattice")
x = np.asarray(grid.positions())
psi = packets.gaussian(grid, centre=20.0, width=2.5, momentum=4.0)
v = potentials.steps(grid.positions(), heights=(1.5, 3.0, 4.5, 6.0), width=24.0, centre=50.0)
print(f"energy {observables.energy(grid, v, psi):.3f} hartree")

# %% [markdown]
# `solver.chebyshev` turns a landscape into a *step*, psi -> psi one frame later, and `rollout`
# repeats any step. A frame is 0.1 a.u. long.

# %%
step = solver.chebyshev(grid, dt=0.1)(v)
truth = jax.jit(lambda psi: rollout(step, psi, n_frames))(psi)
t = 0.1 * np.arange(1, n_frames + 1)
print(truth.shape, truth.dtype)

# %% [markdown]
# The phase of psi is its colour, its modulus the brightness. Where colours change fast along x
# the packet is fast; on the staircase it slows down. Each step turns a part of it back. The box
# is periodic: what leaves on the left returns on the right.

# %%
plots.plot_wavefunction(x, t, v, truth, "A packet climbs a staircase")

# %% [markdown]
# What is conserved, and what has got past the top after 17 a.u.?

# %%
last = truth[min(170, n_frames) - 1]
passed, back = observables.transmission_reflection(grid, last, left=38.0, right=62.0)
print(f"norm {observables.probability(grid, truth[-1]):.5f}")
print(f"energy {observables.energy(grid, v, truth[-1]):.3f} hartree")
print(f"{passed:.2f} is past the staircase, {back:.2f} before it")

# %% [markdown]
# ## A lattice is not the continuum
#
# The paper's kinetic energy is a finite difference, so that a wave has the energy $(1 - \cos
# k\,dx)/dx^2$ and not $k^2/2$. That is small, and it adds up:

# %%
continuum = Grid(1024, 100.0, "continuum")
other_step = solver.chebyshev(continuum, dt=0.1)(v)
other = jax.jit(lambda psi: rollout(other_step, psi, n_frames))(psi)
correlation = metrics.correlation(other, truth)
for n in (n_frames // 8, n_frames // 4, n_frames):
    print(f"correlation of the two worlds after {0.1 * n:4.1f} a.u.: {correlation[n - 1]:.3f}")

# %% [markdown]
# A student of one world must not be judged by the other. All that follows is on the lattice.

# %% [markdown]
# ## The student
#
# Eight students come with the package. `demo` learned in a minute and a half, from single
# barriers and wells only, and nobody told it what kinetic energy is.

# %%
student = qdistill.load("demo")
score = student.score
print(pretrained.names())
print(f"{score['n_parameters']} numbers, learned in {score['training_seconds'] / 60:.1f} min")
print(f"on the paper's test 1 - correlation {score['mean_infidelity']:.1e}")

# %% [markdown]
# It is given the first frame and goes on from its own forecasts.

# %%
forecast = student.forecast(psi, v, n_frames)
error = metrics.nrmse(forecast, truth)
correlation = metrics.correlation(forecast, truth)
for n in (n_frames // 8, n_frames // 4, n_frames):
    print(f"frame {n}: 1 - correlation {1 - correlation[n - 1]:.1e}, error {error[n - 1]:.1e}")

# %%
plots.plot_spacetime(x, t, v, truth, forecast, "A staircase, taught to nobody")

# %% [markdown]
# The correlation sees neither norm nor global phase; the error, |forecast - truth| / |truth|,
# sees all. It does not stay small because every frame is right, but because the student's step is
# unitary by construction: an error once made moves about, and never grows by itself.
#
# The same in motion. `animate_forecast` writes a GIF, or an MP4 where ffmpeg is.

# %%
plots.animate_forecast(
    x, t, v, truth, forecast, "forecast.gif", title="A staircase", seconds=1.0 if QUICK else 4.0
)
IPython.display.Image(filename="forecast.gif")

# %% [markdown]
# ## A landscape of your own
#
# A formula in x will do, a table, an array, or a drawing. Change it and run again.

# %%
mine = landscapes.read(grid, "6*exp(-(x-55)**2/18) * cos(2*x)**2 - 3*(abs(x-35)<4)")
step = solver.chebyshev(grid, dt=0.1)(mine)
truth = jax.jit(lambda psi: rollout(step, psi, n_frames))(psi)
forecast = student.forecast(psi, mine, n_frames)
print(f"error at the end {metrics.nrmse(forecast, truth)[-1]:.1e}")
plots.plot_wavefunction(x, t, mine, forecast, "Forecast of the student")

# %% [markdown]
# Next: [distil a student yourself](2_distil.ipynb).
