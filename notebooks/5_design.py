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
from qdistill import plots
from qdistill.insight import design
from qdistill.physics import potentials

# %% tags=["settings"]
task = design.TASKS["splitter"]
search = design.SearchConfig(n_starts=8, n_steps=500)
packet_width = 4.0

# %%
system = qd.System(qd.Grid(1024, 100.0, "lattice"), dt=0.1, bounds=(-0.1, 6.1))
grid = system.grid

# %% [markdown]
# ## What passes a barrier
#
# `design.scatter` is the stationary answer for a plane wave, exact for the grid. What passes and
# what returns sum to one.

# %%
v = potentials.barrier(grid.positions(), height=3.0, width=2.0, centre=50.0)
for energy in (2.5, 4.0, 5.5):
    wave = design.scatter(grid, v, energy)
    print(f"E = {energy}: T = {wave.transmission:.3f}, R = {wave.reflection:.3f}")

# %% [markdown]
# ## Where to push
#
# A small change of the potential changes T by the integral of its functional derivative, and
# `jax.grad` gives the derivative at all points at once. Two pushes are tried: is the prediction
# right?

# %%
share = jax.jit(lambda v: design.scatter(grid, v, 4.0).transmission)
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
found = design.optimise(task, search, system)
inner = np.abs(found.energy - 4.0) < 1.0
lowest, highest = found.transmission[inner].min(), found.transmission[inner].max()
print(f"{task.profile.n_knot} numbers, {len(found.losses)} descents")
print(f"plane waves from 3 to 5 hartree pass by {lowest:.3f} to {highest:.3f}")

# %%
plots.plot_designs({"splitter": found})

# %% [markdown]
# The dots are packets, sent by the exact solver; the ticks are the stationary answer, averaged
# over the waves of each packet: two ways to compute the same, and they agree. At the ends of the
# band packets miss the half, since half of their waves lie beyond it.

# %% [markdown]
# ## A packet, split
#
# A packet of 4 hartree meets the middle of a box that is long enough for both halves.

# %%
extent = task.profile.extent
trial = design.prepare(system, [4.0], width=packet_width, extent=extent)
room, psi = trial.system.grid, trial.psi[0]
full = jnp.zeros(grid.shape).at[design.stretch(task.profile, grid)].set(found.v)
wide = design.embed(full, room.shape[0])
n_frames = round(trial.duration / system.dt)
exact = qd.teacher.chebyshev(trial.system, 1e-6)
frames = qd.rollout(exact, psi[None], wide, n_frames)

t, every = system.dt * np.arange(1, n_frames + 1), slice(None, None, 2)
places = np.asarray(room.positions())
plots.plot_wavefunction(places[every], t, np.asarray(wide)[every], frames[:, every], "A splitter")

# %% [markdown]
# ## Does an emulator know the way?
#
# `unitary` was taught potentials of many kinds, but no splitter. What does it believe to pass?
# And does it know where to push? Its derivative is taken through all of its frames.

# %%
asked = {"exact solver": exact, "unitary": qd.load("unitary").on(room)}
slopes = {}
for name, propagator in asked.items():
    passing = design.passing(propagator, trial, n_frames)
    passes, slopes[name] = jax.jit(jax.value_and_grad(lambda v, f=passing: f(v)[0]))(wide)
    print(f"{name}: {passes:.4f} of the packet passes")
inside = np.abs(places - room.middle[0]) < extent / 2
one, other = (np.asarray(slope)[inside] for slope in slopes.values())
error = np.linalg.norm(other - one) / np.linalg.norm(one)
print(f"the emulator's derivative differs from the solver's by {error:.1%}")

# %% [markdown]
# So a potential can be designed through an emulator too: `python experiments/design/design.py`
# does, for a splitter, a filter as narrow as a resonance, and a mirror that is half as high as
# the packets that it turns back.
