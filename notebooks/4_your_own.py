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
# # 4. Your own curriculum, lesson and student
#
# Lessons and students are plain functions; a line in a table gives each a name that configs know.
# Here are a lesson of your own, a schedule, a student of three numbers that a physicist would
# write down, and a small network. All train in seconds, and one of them learns the constants of
# nature.

# %%
# %matplotlib inline
import dataclasses
import os

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from qdistill._rollout import rollout

from qdistill import plots, students
from qdistill.curriculum import lesson
from qdistill.curriculum import schedules as curriculum
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast import metrics
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.runs import folder as runs
from qdistill.runs import presets
from qdistill.runs.config import Config
from qdistill.students import Student, StudentConfig, windowed
from qdistill.students.windows import WindowConfig
from qdistill.teacher import solvers as solver
from qdistill.training import loop as training
from qdistill.training.stages import TrainingConfig

# The tests take the same path with smaller numbers.
QUICK = "QDISTILL_QUICK" in os.environ
grid, dt = Grid(1024, 100.0, "lattice"), 0.1
x = np.asarray(grid.positions())

# %% [markdown]
# ## A lesson
#
# A lesson draws one experiment from a key, `(key, grid, difficulty) -> (psi, v)`. In this one a
# packet meets two barriers. The difficulty, from 0 to 1, opens the range of their heights.


# %%
@lesson("cavity")
def cavity(key, grid, difficulty):
    """A packet meets two barriers, with a cavity between them."""
    key_height, key_gap, key_momentum = jax.random.split(key, 3)
    height = jax.random.uniform(key_height, (2,), float, 0.5, 1.0 + 7.0 * difficulty)
    gap = jax.random.uniform(key_gap, (), float, 2.0, 12.0)
    momentum = jax.random.uniform(key_momentum, (), float, 1.0, 5.0)
    psi = packets.gaussian(grid, 35.0, 2.0, momentum)
    return psi, potentials.double(grid.positions(), height, 1.5, gap, grid.middle[0])


draw = jax.jit(jax.vmap(lambda key, at: cavity(key, grid, at)))
keys, at = jax.random.split(jax.random.key(0), 4), jnp.array([0.0, 0.3, 0.6, 1.0])
psi, v = draw(keys, at)
names = [f"difficulty {level:.1f}" for level in at]
plots.plot_potentials(
    x,
    dict(zip(names, np.asarray(v), strict=True)),
    dict(zip(names, np.abs(psi) ** 2, strict=True)),
)

# %% [markdown]
# ## A curriculum
#
# What is taught when is a function of the step. In this plan free flight goes first, and cavities
# come in over the first half, from easy to hard.

# %%
plan = CurriculumConfig(lessons=("free", "cavity"), plan="ramped", difficulty=(0.0, 1.0))
weights, difficulty = curriculum.make_schedules(plan, n_steps=100)
for step in (0, 20, 40, 60):
    free, two = weights(step).tolist()
    print(f"step {step}: free {free:.2f}, cavity {two:.2f}, difficulty {difficulty(step):.2f}")

# %% [markdown]
# ## A student of three numbers
#
# Suppose you know that the step is a splitting, and that the kinetic energy is $\omega(k) = A k^2
# + B k^4$, but not the constants. The student has the energies $E_2$, $E_4$ of two waves, of k =
# 2 and 4, which fix A and B, and a charge q, by which it feels a landscape. It starts with a
# particle that is too heavy, and half blind.

# %%
k = jnp.asarray(grid.wavenumbers(), float)


def init(key):
    """What it begins with."""
    return {"E2": jnp.array(1.4), "E4": jnp.array(5.6), "q": jnp.array(0.5)}


def coefficients(params):
    """A and B from the energies of the two waves."""
    return (16 * params["E2"] - params["E4"]) / 48, (params["E4"] - 4 * params["E2"]) / 192


def propagator(params):
    """From its three numbers to a step, as a solver's is made from a landscape."""
    a, b = coefficients(params)
    # Fast waves are clamped: a splitting errs less so.
    drift = jnp.exp(-1j * dt / 2 * jnp.minimum(a * k**2 + b * k**4, 40.0))

    def of_landscape(v):
        kick = jnp.exp(-1j * dt / 4 * params["q"] * v)

        def step(psi):
            for _ in range(2):
                psi = kick * jnp.fft.ifft(drift * jnp.fft.fft(kick * psi))
            return psi

        return step

    return of_landscape


students.STUDENTS["three numbers"] = lambda config, grid, dt: Student(1, init, propagator)

# %% [markdown]
# ## A network
#
# Or know nothing of physics but that it is local: a Flax module from a window of four frames and
# 23 points, with Re psi, Im psi and V, to the next frame there. `windowed.make` makes a student
# of it.


# %%
class Small(nn.Module):
    """Two dense layers."""

    @nn.compact
    def __call__(self, inputs):
        """From (4, 23, 3) to (23, 2)."""
        hidden = nn.tanh(nn.Dense(64)(inputs.ravel()))
        return nn.Dense(46)(hidden).reshape(23, 2)


gauged = WindowConfig(gauge=True)
students.STUDENTS["small"] = lambda config, grid, dt: windowed.make(Small(), config.windows)

# %% [markdown]
# ## Seconds of training
#
# A config names who learns, what is taught, and how. `runs.set_up` builds all of it, and
# `training.fit` runs it. Whole frames teach the splitting, windows the network.


# %%
def teach(student, plan, *stages):
    """Train; print what is learned."""
    settings = Config("mine", curriculum=plan, student=student, training=TrainingConfig(stages))
    setup = runs.set_up(settings)
    state = setup.trainers[0].init(jax.random.key(0))
    for new, line in training.fit(setup.trainers, settings.training.boundaries, state):
        state = new
        if student.name == "three numbers" and line["step"] % (20 if QUICK else 60) == 0:
            numbers = ", ".join(f"{name} = {value:.4f}" for name, value in state.params.items())
            print(f"step {line['step']:3d}: {numbers}; error {line['loss'] ** 0.5:.1e}")
    if student.name != "three numbers":
        print(f"step {line['step']}: error of a window {line['loss'] ** 0.5:.1e}")
    return setup.student, state.params


n_steps, n_runs = (20, 4) if QUICK else (180, 16)
one_frame = presets.frames_stage(n_steps, 1, n_batch=16, peak_rate=0.05, n_runs=n_runs)
eight_frames = presets.frames_stage(n_steps, 8, n_batch=16, peak_rate=0.01, n_runs=n_runs)
three = StudentConfig("three numbers")

print("taught free flight and cavities:")
taught = {"three numbers": teach(three, plan, one_frame, eight_frames)}

# %% [markdown]
# It has read the constants off the frames. Is the world that it found a lattice, or a continuum?

# %%
learned = taught["three numbers"][1]
a, b = coefficients(learned)
for number, wave in (("E2", 2.0), ("E4", 4.0)):
    lattice = (1 - np.cos(wave * grid.dx[0])) / grid.dx[0] ** 2
    print(f"{number} = {learned[number]:.3f}: lattice {lattice:.3f}, continuum {wave**2 / 2:.3f}")
print(f"mass {1 / (2 * a):.3f}, k⁴ term {-24 * b / grid.dx[0] ** 2:.2f} times the lattice's")

# %% [markdown]
# What is not taught is not learned. The same student, shown free flight alone:

# %%
print("taught free flight only:")
free_only = CurriculumConfig(lessons=("free",))
taught["free flight only"] = teach(three, free_only, one_frame)

# %% [markdown]
# Its q stays where it began: nothing in empty space tells how strongly a landscape is felt. And
# the network:

# %%
stage = presets.gauged_stage(200)
sizes = dataclasses.replace(stage.batches, n_batch=256, n_block=20, n_runs=8, n_frames=60)
stage = dataclasses.replace(stage, n_steps=20 if QUICK else 2000, batches=sizes)
print("the network, taught free flight and cavities:")
taught["small network"] = teach(StudentConfig("small", windows=gauged), plan, stage)

# %% [markdown]
# ## Who forecasts a hill?
#
# A triangle was in nobody's lessons.

# %%
n_frames = 12 if QUICK else 150
v = potentials.triangle(grid.positions(), height=6.0, width=16.0, centre=50.0)
psi = packets.gaussian(grid, centre=30.0, width=2.5, momentum=3.0)
exact = solver.chebyshev(grid, dt)(v)
truth = jax.jit(lambda psi: rollout(exact, psi, n_frames))(psi)
given = jnp.concatenate([psi[None], truth[:3]])


def forecast(student, params):
    """The frames after the four that are given."""
    step = student.propagator(params)(v)
    return jax.jit(lambda state: rollout(step, state, n_frames - 3, student.psi))(
        student.state(given)
    )


forecasts = {name: forecast(*each) for name, each in taught.items()}
errors = {name: metrics.nrmse(frames, truth[3:]) for name, frames in forecasts.items()}
for name, (_, params) in taught.items():
    size = students.count_parameters(params)
    print(f"{name}: {size:,} numbers, error at the end {errors[name][-1]:.1e}")

# %%
t = dt * np.arange(4, n_frames + 1)
curves = {name: np.asarray(error)[None] for name, error in errors.items()}
plots.plot_errors(t, curves, "phase-sensitive error")

# %%
shown = forecasts["three numbers"]
plots.plot_spacetime(x, t, v, truth[3:], shown, "Three numbers on a hill, taught to nobody")

# %% [markdown]
# Three right numbers beat twenty thousand that were trained for seconds; one wrong among the
# three is enough to lose. Students in between, with more to learn than three numbers and more
# physics than a window, are what this package is about:
# `experiments/ladder/compare_students.py` compares them.
#
# To have a lesson or a student of yours in the scripts, put its line into `qdistill/lessons.py`
# or `qdistill/students/__init__.py`. Next: [designing a landscape by gradients](5_design.ipynb).
