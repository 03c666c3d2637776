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
# # 3. What did it learn?
#
# Two trained students are asked as one would ask an unknown medium: what waves do in it, what it
# feels of a landscape, which symmetries it has, and whether it knows causes. `demo` is a learned
# splitting of 741 numbers, `gru` the paper's network with some fifty times as many. Both were
# taught single barriers and wells only.

# %%
# %matplotlib inline
import os

import jax
import jax.numpy as jnp
import numpy as np
from qdistill._rollout import rollout

import qdistill
from qdistill import plots, students
from qdistill.forecast import metrics
from qdistill.insight import probes
from qdistill.physics import packets, potentials
from qdistill.students import unitary
from qdistill.teacher import solvers as solver

# The tests take the same path with smaller numbers.
QUICK = "QDISTILL_QUICK" in os.environ
n_frames = 4 if QUICK else 80

who = {name: qdistill.load(name) for name in ("demo", "gru")}
grid, dt = who["demo"].grid, 0.1
x = np.asarray(grid.positions())
for name, student in who.items():
    size, n_given = student.score["n_parameters"], student.student.n_history
    print(f"{name}: {size:,} numbers, frames needed: {n_given}")

# %% [markdown]
# ## Waves
#
# Every plane wave of the box is sent through one frame. What comes out is the same wave, turned
# by a phase: that is the dispersion relation, measured without a look inside. The exact solver is
# asked too; it has to give the known answer.

# %%
exact = solver.chebyshev(grid, dt, 1e-7, v_range=(-15.0, 15.0))
asked = {"exact solver": (students.from_propagator(exact), exact)}
asked |= {name: (s.student, s.student.propagator(s.params)) for name, s in who.items()}
waves = {
    name: probes.measure_dispersion(*subject, grid, dt, k_max=8.5 if QUICK else 12.8)
    for name, subject in asked.items()
}
for name, found in waves.items():
    fit = probes.fit_dispersion(found.k, found.omega, k_max=8.0)
    quartic, error = (-24 * q.quartic / grid.dx[0] ** 2 for q in (fit.value, fit.error))
    print(f"{name}: mass {fit.value.mass:.4f} ± {fit.error.mass:.0e}, ", end="")
    print(f"k⁴ term {quartic:.2f} ± {abs(error):.0e} times the lattice's")

# %%
k = waves["demo"].k
known = {"lattice": probes.omega(grid, k), "continuum": k**2 / 2}
plots.plot_waves(waves, known, taught=8.0)

# %% [markdown]
# `demo` has the lattice's k⁴ term: it knows that it was not taught the continuum. The curve of
# `gru` bends as the lattice's does, but it scatters so much that a fit finds the mass and no
# more, and its waves are damped, or grow. Beyond k = 8 hardly a packet ever was, and neither is
# to be trusted there.

# %% [markdown]
# ## Inside
#
# `demo` can be opened: its phases of x, over the length of a frame, are the potential with which
# it acts. Around the edge of a barrier:

# %%
v = potentials.barrier(grid.positions(), height=5.0, width=25.0, centre=50.0)
kicks, drifts = unitary.phases(who["demo"].config.student.unitary, grid, dt, who["demo"].params, v)
here, low = slice(364, 404), slice(0, 200)
k_low = grid.wavenumbers()[low]
plots.plot_phases(
    x[here],
    np.asarray(v)[here],
    kicks[:, here] / dt,
    k_low,
    drifts[:, low] / dt,
    probes.omega(grid, k_low),
    taught=8.0,
)

# %% [markdown]
# Far from the edge the kicks sum to the barrier's height. At the edge they do not: there the
# student makes up for what a splitting of so few steps errs. To lowest order that is a term with
# the square of the slope of V, which is a potential itself.

# %% [markdown]
# ## Symmetries
#
# A symmetry takes solutions to solutions. Each student forecasts a packet, and the image of that
# packet; the violation is how far the one forecast is from the image of the other. Beside it
# stands the error of the forecast itself: a student that knows the symmetry breaks it by far less
# than it errs.

# %%
v = potentials.barrier(grid.positions(), height=4.0, width=3.0, centre=50.0)
one = packets.gaussian(grid, centre=30.0, width=2.5, momentum=3.0)
two = packets.gaussian(grid, centre=68.0, width=3.0, momentum=-2.5)


def distance(a, b):
    """Relative to b, after the last frame."""
    return float(metrics.nrmse(a, b)[-1])


@jax.jit
def solve(psi, v):
    """The truth."""
    return rollout(exact(v), psi, n_frames)


truth = solve(one, v)
for name, student in who.items():
    plain = student.forecast(one, v, n_frames)
    mirrored = student.forecast(one[::-1], v[::-1], n_frames)[:, ::-1]
    raised = student.forecast(one, v + 1.0, n_frames) * np.exp(1j * dt * n_frames)
    both = student.forecast((one + 1j * two) / 2**0.5, v, n_frames)
    parts = (plain + 1j * student.forecast(two, v, n_frames)) / 2**0.5
    print(f"{name}: error of the forecast {distance(plain, truth):.1e}")
    print(f"    mirror           {distance(mirrored, plain):.1e}")
    print(f"    V + 1 hartree    {distance(raised, plain):.1e}")
    print(f"    superposition    {distance(both, parts):.1e}")
    print(f"    norm             {metrics.norm_drift(plain, one)[-1]:.1e}")

# %% [markdown]
# `demo` has all four by construction, to rounding. `gru` had to learn them, and breaks the mirror
# by as much as it errs, and superposition by less: that it has partly learned.
# `experiments/symmetries.py` asks for twelve symmetries, each with a negative control and
# intervals.

# %% [markdown]
# ## Causes
#
# Does a student know that the barrier turns the packet back, or only that packets turn back? At
# the moment of contact the barrier is taken away. With psi and psi' the exact futures with and
# without it, and phi and phi' the student's, its *unfaithfulness* is |(phi' - phi) - (psi' -
# psi)| / |psi' - psi|: 0 for a student that knows the cause, 1 for one that forecasts the usual
# outcome whatever is done.

# %%
gone = jnp.zeros_like(v)
contact = jax.jit(lambda psi: rollout(exact(v), psi, 60))(one)[-1]
usual, changed = solve(contact, v), solve(contact, gone)
effect = distance(changed, usual)
print(f"the barrier moves psi by {effect:.2f} of its norm")
for name, student in who.items():
    # The frames that `gru` needs beside the first are the solver's, in the world asked for.
    believed = [student.forecast(contact, each, n_frames) for each in (v, gone)]
    print(f"{name}: unfaithfulness {distance(believed[1] - believed[0], changed - usual):.3f}")

# %% [markdown]
# Both know it. In the world without the barrier the packet flies on, as the forecast of `gru`
# shows, whose error is small beside what the barrier would have done:

# %%
t = dt * np.arange(1, n_frames + 1)
forecast = who["gru"].forecast(contact, gone, n_frames)
plots.plot_spacetime(x, t, gone, changed, forecast, "gru: the barrier is gone at contact")

# %% [markdown]
# `experiments/causes.py` takes ten processes away, one at a time. Next: [your own curriculum,
# lesson and student](4_your_own.ipynb).
