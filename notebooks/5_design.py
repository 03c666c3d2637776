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
# So far the potential was given and the motion of a packet was computed. This notebook solves the
# inverse problem: find a potential with a transmission of one half at every energy from 2.5 to 5.5
# hartree. The solver is differentiable, so the potential is found by gradient descent, and then
# verified in the time domain.

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
# ## Transmission of a barrier
#
# `design.scatter` gives the stationary scattering of a plane wave, exact for the grid. Transmission
# T and reflection R sum to one.

# %%
v = potentials.barrier(grid.positions(), height=3.0, width=2.0, centre=50.0)
for energy in (2.5, 4.0, 5.5):
    wave = design.scatter(grid, v, energy)
    print(f"E = {energy}: T = {wave.transmission:.3f}, R = {wave.reflection:.3f}")

# %% [markdown]
# ## The derivative of the transmission
#
# A small change of the potential changes T by its integral with the functional derivative of T.
# `jax.grad` gives this derivative at all points at once. For two small changes the prediction is
# compared with the actual change of T.

# %%
share = jax.jit(lambda v: design.scatter(grid, v, 4.0).transmission)
slope = jax.jit(jax.grad(share))(v)
for centre in (49.0, 50.0):
    push = 0.05 * jnp.exp(-((grid.positions() - centre) ** 2) / 0.1)
    predicted, real = jnp.vdot(slope, push), share(v + push) - share(v)
    print(f"change at {centre} bohr: T by {predicted:+.5f} predicted, {real:+.5f} actual")

# %% [markdown]
# ## Descent
#
# The potential has 27 parameters, is smooth, 8 bohr wide and between 0 and 6 hartree. The target is
# T = 1/2 at 61 energies. Adam starts from several random potentials at once, and the best result
# counts. It is then verified with packets in the time domain.

# %%
found = design.optimise(task, search, system)
inner = np.abs(found.energy - 4.0) < 1.0
lowest, highest = found.transmission[inner].min(), found.transmission[inner].max()
print(f"{task.profile.n_knot} parameters, {len(found.losses)} descents")
print(f"plane waves from 3 to 5 hartree pass by {lowest:.3f} to {highest:.3f}")

# %%
plots.plot_designs({"splitter": found})

# %% [markdown]
# The dots are packets propagated by the exact solver. The ticks are the stationary transmission
# averaged over the spectrum of each packet. The two computations agree. At the ends of the band the
# packets deviate from one half, since half of their spectrum lies beyond the band.

# %% [markdown]
# ## A packet, split
#
# A packet of 4 hartree meets the potential in the middle of a longer box.

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
# ## The same through an emulator
#
# `unitary` was trained on potentials of many families, but on no splitter. Its forecast of the
# transmission, and the derivative through all of its frames, are compared with the exact solver.
# The clamped split step with as many FFT pairs is the non-learned null model.

# %%
null = qd.teacher.SplitStep(trial.system, n_substeps=2, kinetic_cap=40.0)
panel = {"exact solver": exact, "unitary": qd.load("unitary").on(room), "null model": null}
slopes = {}
for name, propagator in panel.items():
    passing = design.passing(propagator, trial, n_frames)
    passes, slopes[name] = jax.jit(jax.value_and_grad(lambda v, f=passing: f(v)[0]))(wide)
    print(f"{name}: {passes:.4f} of the packet passes")
inside = np.abs(places - room.middle[0]) < extent / 2
right = np.asarray(slopes.pop("exact solver"))[inside]
for name, slope in slopes.items():
    error = np.linalg.norm(np.asarray(slope)[inside] - right) / np.linalg.norm(right)
    print(f"{name}: relative error of the derivative {error:.1%}")

# %% [markdown]
# So a potential can be designed through an emulator too. `python experiments/design/design.py` does
# this for a splitter, a narrow filter, and a mirror that is half as high as the energies that it
# reflects. Next: [two electronic states](6_two_states.ipynb).
