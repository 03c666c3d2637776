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
# # 5. Designing a potential by gradients
#
# So far the potential was given, and the question was what a packet does. Now the other way
# round: a potential is wanted that lets exactly half of a packet pass, at every energy from 2.5
# to 5.5 hartree. The physics is differentiable, so the answer is found by descent, and then tried
# with the exact solver.

# %%
# %matplotlib inline

import jax
import jax.numpy as jnp
import numpy as np

import qdistill as qd
from qdistill.insight import design
from qdistill.physics import potentials, stationary

# %% tags=["settings"]
task = design.TASKS["splitter"]
search = design.SearchConfig(n_starts=8, n_steps=500)
packet_width = 4.0

# %% [markdown]
# ## What passes a barrier
#
# `stationary.scatter` is the answer for a plane wave, exact for the grid. What passes and what
# returns sum to one.

# %%
system = qd.System(qd.Grid(1024, 100.0, "lattice"), dt=0.1)
grid = system.grid
x = np.asarray(grid.positions())
v = potentials.barrier(grid.positions(), height=3.0, width=2.0, centre=50.0)
for energy in (2.5, 4.0, 5.5):
    wave = stationary.scatter(grid, v, energy)
    print(f"E = {energy}: T = {wave.transmission:.3f}, R = {wave.reflection:.3f}")

# %% [markdown]
# ## Where to push
#
# A small change of the potential changes T by the integral of its functional derivative, and
# `jax.grad` gives the derivative at all points at once. Two pushes are tried: is the prediction
# right?

# %%
share = jax.jit(lambda v: stationary.scatter(grid, v, 4.0).transmission)
slope = jax.jit(jax.grad(share))(v)
for centre in (49.0, 50.0):
    push = 0.05 * jnp.exp(-((grid.positions() - centre) ** 2) / 0.1)
    predicted, real = jnp.vdot(slope, push), share(v + push) - share(v)
    print(f"a push at {centre} bohr: T by {predicted:+.5f} predicted, {real:+.5f} in fact")

# %% [markdown]
# ## Descent
#
# The potential is made of 27 numbers, between 0 and 6 hartree, smooth, and 8 bohr wide. The
# objective asks 61 energies for T = 1/2; Adam descends from some random potentials at once, and
# the best end counts. Then packets are sent at it in the time domain.

# %%
found = design.find_design(task, search, grid)
inner = np.abs(found.energy - 4.0) < 1.0
lowest, highest = found.transmission[inner].min(), found.transmission[inner].max()
print(f"{task.profile.n_knot} numbers, {len(found.losses)} descents")
print(f"plane waves from 3 to 5 hartree pass by {lowest:.3f} to {highest:.3f}")
