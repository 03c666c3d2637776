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
# # First steps: from a packet to a forecast
#
# A wave packet meets a landscape. First the solver, the *teacher*, shows what happens; then a
# small network, the *student*, learns to do one frame of it from examples, and forecasts by itself.
# Everything is in Hartree atomic units: lengths in bohr, energies in hartree, times in a.u.

# %%
# %matplotlib inline
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from qdistill import (
    Grid,
    benchmark,
    metrics,
    observables,
    packets,
    plots,
    potentials,
    presets,
    rollout,
    runs,
    solver,
    stages,
    training,
)

# %% [markdown]
# ## The teacher
#
# A grid, a packet, a landscape. `solver.chebyshev` turns a landscape into a *step*, one frame
# forward, and `rollout` repeats any step.

# %%
grid = Grid(1024, 100.0, "lattice")
x = grid.positions()
psi0 = packets.gaussian(grid, centre=20.0, width=2.5, momentum=3.5)
v = potentials.steps(x, heights=(1.5, 3.0, 4.5, 6.0), width=24.0)

step = solver.chebyshev(grid, dt=0.1)(v)
frames = jax.jit(lambda psi: rollout(step, psi, n_frames=200))(psi0)
print(frames.shape, frames.dtype)

# %% [markdown]
# What is left before the staircase, and what has got past it?

# %%
passed, reflected = observables.transmission_reflection(grid, frames[-1], left=38.0, right=62.0)
print(f"transmitted {passed:.3f}, reflected {reflected:.3f}")
print(f"norm {observables.probability(grid, frames[-1]):.6f}")
print(f"energy {observables.energy(grid, v, psi0):.4f} hartree at first,")
print(f"       {observables.energy(grid, v, frames[-1]):.4f} hartree at last")

# %% [markdown]
# The paper's physics is that of a *lattice*: its kinetic energy is a 3-point finite difference, so
# a wave of wavenumber k turns at (1 - cos k dx) / dx^2 rather than k^2 / 2. Small as that looks, it
# matters over many frames. The same packet on the continuum, compared:

# %%
continuum = Grid(1024, 100.0, "continuum")
step_continuum = solver.chebyshev(continuum, dt=0.1)(v)
other = jax.jit(lambda psi: rollout(step_continuum, psi, n_frames=200))(psi0)
correlation = metrics.correlation(other, frames)
print(f"correlation after 100 frames {correlation[99]:.3f}, after 200 {correlation[199]:.3f}")

# %% [markdown]
# ## The student
#
# A `Config` holds every setting of a run. Here is the `gru-demo` preset, the paper's network, cut
# down to a few seconds of training: enough to see it learn, not to see it excel.

# %%
demo = presets.PRESETS["gru-demo"][1]
stage = demo.training.stages[0]
quick = dataclasses.replace(
    stage,
    n_steps=300,
    batches=dataclasses.replace(stage.batches, n_batch=256, n_block=50, n_runs=16, n_frames=60),
)
settings = dataclasses.replace(demo, training=stages.TrainingConfig((quick,)))
setup = runs.set_up(settings)

state = setup.trainers[0].init(jax.random.key(settings.seed))
for new, log in training.fit(setup.trainers, settings.training.boundaries, state):
    state = new
    print(f"step {log['step']}: relative error of a window {log['loss'] ** 0.5:.3f}")

# %% [markdown]
# A trained student makes a propagator too, so it is used like the solver. Its state is the last
# four frames. It forecasts the staircase, which was not among its lessons:

# %%
student_step = setup.student.propagator(state.params)(v)
given = jnp.concatenate([psi0[None], frames[:3]])
forecast = jax.jit(
    lambda given: rollout(student_step, setup.student.state(given), 60, setup.student.psi)
)(given)
truth = frames[3:63]
t = 0.1 * np.arange(4, 64)
print("correlation after 20, 40, 60 frames:", metrics.correlation(forecast, truth)[19::20])

# %%
plots.plot_spacetime(np.asarray(x), t, v, truth, forecast, "Staircase, after seconds of training")

# %% [markdown]
# ## Where next
#
# `make demo` trains for minutes and scores the student on the paper's 25 runs;
# `experiments/distill.py --help` lists the presets and every setting. The published results stand
# in `benchmark.published_means`:

# %%
for model in ("demo-linear", "demo-gru", "full-gru"):
    print(model, benchmark.published_means(model))
