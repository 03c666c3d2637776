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
# Two trained emulators are asked as one would ask an unknown medium: what waves do in it, which
# symmetries it has, and whether it knows causes. `demo` is a learned splitting of 741 numbers,
# `gru` the paper's network with some fifty times as many. Both were taught single barriers and
# wells only.

# %%
# %matplotlib inline
import jax.numpy as jnp
import numpy as np

import qdistill as qd
from qdistill import plots
from qdistill.forecast import metrics
from qdistill.insight import probes
from qdistill.physics import packets, potentials

# %% tags=["settings"]
n_frames = 80
k_max = 12.8

# %%
emulators = {name: qd.load(name) for name in ("demo", "gru")}
system = emulators["demo"].system
grid, dt = system.grid, system.dt
x = np.asarray(grid.positions())
for emulator in emulators.values():
    print(emulator)

# %% [markdown]
# ## Waves
#
# Every plane wave of the box is sent through one frame. What comes out is the same wave, turned
# by a phase: that is the dispersion relation, measured without a look inside. The exact solver is
# asked too; it has to give the known answer.

# %%
exact = qd.teacher.chebyshev(system, 1e-7)
asked = {"exact solver": exact} | emulators
waves = {name: probes.measure_dispersion(each, k_max=k_max) for name, each in asked.items()}
for name, found in waves.items():
    fit = probes.fit_dispersion(found.k, found.omega, k_max=8.0)
    quartic, error = (-24 * q.quartic / grid.dx[0] ** 2 for q in (fit.value, fit.error))
    print(f"{name}: mass {fit.value.mass:.4f} ± {fit.error.mass:.0e}, ", end="")
    print(f"k⁴ term {quartic:.2f} ± {abs(error):.0e} times the lattice's")

# %%
k = waves["demo"].k
known = {"lattice": (1 - np.cos(k * grid.dx[0])) / grid.dx[0] ** 2, "continuum": k**2 / 2}
plots.plot_waves(waves, known, taught=8.0)

# %% [markdown]
# `demo` has the lattice's k⁴ term, not the continuum's. That its phases are one even function of
# k is built in; which function is learned. The curve of `gru` bends as the lattice's does, but it
# scatters so much that a fit finds the mass and no more, and its waves are damped, or grow. Beyond
# k = 8 the lessons hold few waves, and neither is to be trusted there.

# %% [markdown]
# ## Inside
#
# `demo` can be opened: its phases of x, over the length of a frame, are the potential with which
# it acts. Around the edge of a barrier:

# %%
v = potentials.barrier(grid.positions(), height=5.0, width=25.0, centre=50.0)
demo = emulators["demo"]
kicks, drifts = demo.student.phases(demo.params, v)
here, low = slice(364, 404), slice(0, 200)
k_low = grid.wavenumbers()[low]
plots.plot_phases(
    x[here],
    np.asarray(v)[here],
    kicks[:, here] / dt,
    k_low,
    drifts[:, low] / dt,
    grid.kinetic_energy()[low],
    taught=8.0,
)

# %% [markdown]
# Far from the edge the kicks sum to the barrier's height, by construction. At the edge they do
# not: there the student learned a correction.

# %% [markdown]
# ## Symmetries
#
# A symmetry maps solutions to solutions. Each emulator forecasts a packet, and the image of that
# packet; the violation is how far the one forecast is from the image of the other. It is compared
# with the error of the forecast itself.

# %%
v = potentials.barrier(grid.positions(), height=4.0, width=3.0, centre=50.0)
one = packets.gaussian(grid, centre=30.0, width=2.5, momentum=3.0)
two = packets.gaussian(grid, centre=68.0, width=3.0, momentum=-2.5)


def distance(a, b):
    """Relative to b, after the last frame."""
    return float(metrics.nrmse(a, b)[-1])


truth = qd.rollout(exact, one[None], v, n_frames)
for name, emulator in emulators.items():
    plain = emulator.forecast(one, v, n_frames)
    mirrored = emulator.forecast(one[::-1], v[::-1], n_frames)[:, ::-1]
    raised = emulator.forecast(one, v + 1.0, n_frames) * np.exp(1j * dt * n_frames)
    both = emulator.forecast((one + 1j * two) / 2**0.5, v, n_frames)
    parts = (plain + 1j * emulator.forecast(two, v, n_frames)) / 2**0.5
    print(f"{name}: error of the forecast {distance(plain, truth):.1e}")
    print(f"    mirror           {distance(mirrored, plain):.1e}")
    print(f"    V + 1 hartree    {distance(raised, plain):.1e}")
    print(f"    superposition    {distance(both, parts):.1e}")
    print(f"    norm             {metrics.norm_drift(plain, one)[-1]:.1e}")

# %% [markdown]
# `demo` has all four by construction, to rounding. `gru` breaks the mirror by as much as it errs,
# and superposition by less; whether that is learned takes more than one training and a null model
# to say. `experiments/symmetries.py` asks for twelve symmetries, each with a negative control and
# intervals.

# %% [markdown]
# ## Causes
#
# At the moment of contact the barrier is taken away. With psi and psi' the exact futures with and
# without it, and phi and phi' the emulator's, the *relative error of the effect* is
# |(phi' - phi) - (psi' - psi)| / |psi' - psi|: 0 for an emulator that knows the cause, 1 for one
# that forecasts the usual outcome whatever is done.

# %%
gone = jnp.zeros_like(v)
contact = qd.rollout(exact, one[None], v, 60, every=60)[0]
usual, changed = (qd.rollout(exact, contact[None], each, n_frames) for each in (v, gone))
print(f"the barrier moves psi by {distance(changed, usual):.2f} of its norm")
for name, emulator in emulators.items():
    # The frames that `gru` needs beyond the first are the solver's, with the potential asked for.
    believed = [emulator.forecast(contact, each, n_frames) for each in (v, gone)]
    error = distance(believed[1] - believed[0], changed - usual)
    print(f"{name}: relative error of the effect {error:.3f}")

# %% [markdown]
# Both forecast it. Without the barrier the packet flies on, as the forecast of `gru` shows, whose
# error is small compared with the effect:

# %%
t = dt * np.arange(1, n_frames + 1)
forecast = emulators["gru"].forecast(contact, gone, n_frames)
plots.plot_spacetime(x, t, gone, changed, forecast, "gru: the barrier is gone at contact")

# %% [markdown]
# `experiments/interventions.py` takes ten processes away, one at a time. Next: [your own
# potential, lesson and student](4_your_own.ipynb).
