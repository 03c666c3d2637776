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
# # 6. Two electronic states
#
# So far psi had one component. A molecule has several electronic states, and where two of them come
# close, a moving nucleus passes from one to the other. Then psi has two *channels*, and the
# potential is a 2 x 2 matrix between them at each point.
#
# The packaged emulator `tully` was taught one process: a packet meets a single avoided crossing.
# This notebook lets it forecast the three models of Tully (J. Chem. Phys. 93, 1061, 1990), which it
# never saw, and then asks what it has learned. The answer is less than it seems.

# %%
# %matplotlib inline
import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np

import qdistill as qd
from qdistill import plots
from qdistill.curriculum import CurriculumConfig
from qdistill.forecast import metrics
from qdistill.physics import channels, crossings, packets, stationary
from qdistill.physics.grid import Grid
from qdistill.runs import folder, presets
from qdistill.students import OutsideTaught
from qdistill.training import loop

# %% tags=["settings"]
n_frames = 220
momenta = np.linspace(15.0, 33.0, 7)
n_points, n_waves = 4096, 400
stages = presets.PRESETS["tully"][1].training.stages

# %% [markdown]
# ## Two curves that avoid each other
#
# In the *diabatic* basis Tully's second model has a flat potential, a well that crosses it twice,
# and a coupling between the two. At each point the matrix has two eigenvalues: the *adiabatic*
# energies. They do not cross. The packet begins on the lower one, with the mass 2000 of a nucleus
# and a momentum of 20/bohr.

# %%
emulator = qd.load("tully")
system = dataclasses.replace(emulator.system, bounds=(-0.25, 0.25))
grid = system.grid
x, dt = np.asarray(grid.positions()), system.dt
v = system.as_potential(crossings.dual)
curves = channels.adiabatic(v)


def start(v, momentum):
    """Return a packet at -10 bohr on the lower state, over the diabatic channels."""
    packet = packets.gaussian(grid, centre=-10.0, width=1.0, momentum=momentum)
    return channels.from_adiabatic(channels.adiabatic(v).states, jnp.stack([packet, 0 * packet]))


psi = start(v, 20.0)
print(f"V {v.shape}, psi {psi.shape}, populations {channels.populations(grid, psi)}")

# %% [markdown]
# ## The exact solution
#
# The same `rollout` takes a psi with channels. In each panel the density of a state stands on its
# curve. The first crossing sends a part of the packet to the upper state. The two parts fly on at
# different speeds, and meet the second crossing with different phases. So they interfere there.

# %%
solver = qd.teacher.chebyshev(system, 1e-6)
truth = qd.rollout(solver, psi[None], v, n_frames)
over = jax.vmap(lambda psi: channels.to_adiabatic(curves.states, psi))
densities = np.abs(over(truth)) ** 2
t = dt * np.arange(1, n_frames + 1)
shown = np.linspace(n_frames // 4, n_frames - 1, 4).astype(int)
middle = np.abs(x) < 16
plots.plot_channels(
    x[middle],
    t[shown],
    np.asarray(curves.energies)[:, middle],
    densities[shown][:, :, middle],
    "Tully's second model: the adiabatic curves, and the packet on them",
)

# %% [markdown]
# ## The forecast
#
# The emulator is a learned splitting, as in the second notebook, with matrices for its kicks. It
# has 99 parameters and takes two FFT pairs for a frame of 10 a.u. The lessons had one crossing
# each; here are two.

# %%
print(emulator)
forecast = emulator.forecast(psi, v, n_frames)
print(f"relative L2 error at the end {metrics.nrmse(forecast, truth)[-1]:.1e}")
populations = {
    "exact": densities.sum(axis=-1) * grid.cell,
    "tully": (np.abs(over(forecast)) ** 2).sum(axis=-1) * grid.cell,
}
plots.plot_populations(t, populations, "Populations of the two adiabatic states")

# %% [markdown]
# ## Probabilities against momentum
#
# What is measured in an experiment is the probability of each outcome: through or back, on the
# lower or the upper state. With the momentum the phase between the two crossings changes, and the
# probabilities oscillate (Stueckelberg). The curves do not come from packets: they are stationary
# states, averaged over the momenta of a packet. The points are forecasts.

# %%
outcomes = ("through, lower", "through, upper", "back, lower", "back, upper")
fine = Grid(n_points, 30.0, "continuum", origin=-15.0, mass=grid.mass[0])
there = crossings.dual(fine.positions())


@jax.jit
@jax.vmap
def scatter(k):
    """Return the probabilities of a plane wave that comes on the lower state."""
    bottom = jnp.linalg.eigvalsh(there[..., 0])[0]
    waves = stationary.scatter(fine, there, bottom + k**2 / (2 * fine.mass[0]))
    return jnp.concatenate([waves.transmission[:, 0], waves.reflection[:, 0]])


waves = np.linspace(momenta[0] - 2.5, momenta[-1] + 2.5, n_waves)
at = np.linspace(momenta[0], momenta[-1], 101)
# A packet of a spread of 1 bohr has momenta of a spread of 1/2 per bohr.
weights = np.exp(-((waves - at[:, None]) ** 2) / (2 * 0.5**2))
exact = weights / weights.sum(axis=1, keepdims=True) @ np.asarray(scatter(jnp.asarray(waves)))
points = []
for k in momenta:
    n = round(n_frames * 20.0 / k)
    last = over(emulator.forecast(start(v, k), v, n)[-1:])[0]
    points.append(np.concatenate(channels.sides(grid, last, 0.0, 0.0)))
found = plots.Outcomes(
    at,
    dict(zip(outcomes, exact.T, strict=True)),
    {name: (momenta, column) for name, column in zip(outcomes, np.array(points).T, strict=True)},
)
plots.plot_probabilities({"Tully's second model": found})

# %%
expected = np.array([np.interp(momenta, at, column) for column in exact.T]).T
print(f"largest deviation of a point from its curve {np.abs(points - expected).max():.4f}")

# %% [markdown]
# So a student of single crossings forecasts how two of them interfere. Did it learn how states
# couple? That is tested with a *placebo*, and with solvers.
#
# ## A placebo
#
# The placebo lesson has the same packets and the same potentials, without the coupling. Its student
# never sees a packet change from one state to the other. Everything else is equal: the form, the
# seed, the number of steps. The training takes about a minute.

# %%
preset = presets.PRESETS["tully"][1]
config = dataclasses.replace(
    preset,
    curriculum=CurriculumConfig(("crossing-placebo",)),
    training=dataclasses.replace(preset.training, stages=stages),
)
setup = folder.set_up(config)
state = setup.trainers[0].init(jax.random.key(config.seed))
for new, _line in loop.fit(setup.trainers, config.training.boundaries, state):
    state = new
placebo = setup.student.bind(state.params, config=config)
print(f"{config.training.boundaries[-1]} steps of {config.curriculum.lessons}")

# %% [markdown]
# Now all three models, each with a momentum of 20/bohr. The baselines are solvers with as many FFT
# pairs per frame: Strang's split step, and that of Takahashi and Imada, which has a correction with
# the square of V'. Some of these potentials are outside the lessons, so the emulators warn; here
# that is wanted.

# %%
warnings.simplefilter("ignore", OutsideTaught)
panel = {
    "tully": emulator,
    "placebo": placebo,
    "Strang": qd.teacher.split_step(system, 2),
    "Takahashi-Imada": qd.teacher.split_step(system, 2, scheme="takahashi-imada"),
}
print("relative L2 error, and the largest error of a probability")
for number, model in crossings.TULLY.items():
    v = system.as_potential(model)
    psi = start(v, 20.0)
    states = channels.adiabatic(v).states
    last = qd.rollout(solver, psi[None], v, n_frames)[-1]

    def chances(psi, states=states):
        return np.array(channels.sides(grid, channels.to_adiabatic(states, psi), 0.0, 0.0))

    for name, propagator in panel.items():
        if isinstance(propagator, qd.Emulator):
            end = propagator.forecast(psi, v, n_frames)[-1]
        else:
            end = qd.rollout(propagator, psi[None], v, n_frames)[-1]
        error = jnp.linalg.norm(end - last) / jnp.linalg.norm(last)
        most = np.abs(chances(end) - chances(last)).max()
        print(f"model {number}, {name:16} {error:.1e}  {most:.1e}")

# %% [markdown]
# The student that never saw a coupling forecasts the three models too: here with up to about
# twice the relative L2 error, and with smaller errors of the probabilities. Over ten trainings of
# each kind no difference is shown. The solvers are better than both: Takahashi and Imada's step has
# more than two hundred times less error at the same cost. Strang's step even has the form of the
# students, with shares of V for its kicks and the exact kinetic energy, and it was not trained.
#
# ## What is built in
#
# The kicks of the form are exponentials of the matrix V, so a constant change of basis of the
# channels changes nothing. In another basis the uncoupled potentials of the placebo have a
# coupling. So the form knows how channels couple before it has learned anything. This is tested
# here with the placebo and a rotation.

# %%
angle = 0.6
w = jnp.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], v.dtype)
v = system.as_potential(crossings.dual)
psi = start(v, 20.0)
turned_v = jnp.einsum("ij,jkx,lk->ilx", w, v, w)
turned = placebo.forecast(w @ psi, turned_v, n_frames)[-1]
end = w @ placebo.forecast(psi, v, n_frames)[-1]
distance = jnp.linalg.norm(turned - end) / jnp.linalg.norm(end)
print(f"relative distance of the forecasts in two bases {distance:.1e}")

# %% [markdown]
# ## What is learned
#
# The kinetic energy was not given. The learned one is the sum of the kinetic phases, and its
# curvature gives the mass. It is learned from the placebo as well.

# %%
half = grid.shape[0] // 2
k, known = grid.wavenumbers()[:half], grid.kinetic_energy()[:half]
plots.plot_dispersion(
    k, emulator.student.dispersion(emulator.params)[:half], {"k²/2m": known}, taught=34.0
)

# %%
for name, each in (("tully", emulator), ("placebo", placebo)):
    learned = each.student.dispersion(each.params)[:half]
    near = (k > 10) & (k < 30)
    curvature = np.polyfit(k[near], learned[near], 2)[0]
    print(f"{name}: mass {1 / (2 * curvature):.1f}; the solver's is {grid.mass[0]:.0f}")

# %% [markdown]
# What forecasts Tully's models is the form of the splitting. The training adds the mass. These are
# single trainings and one momentum: [the page on two states](../../docs/channels.md) has ten
# trainings of each kind, 20 momenta, longer frames, and intervals. Next:
# [discovery](7_discovery.ipynb).
