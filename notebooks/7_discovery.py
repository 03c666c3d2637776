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
# # 7. Discovery
#
# The third notebook checked known symmetries. This one does not say what to look for. From
# forecasts alone it finds what is conserved, where the mirrors are, how two potentials are related,
# and which law moves the packets.
#
# Four propagators go through the same searches: the exact solver; the packaged emulator `unitary`,
# a learned splitting; a *null model*, the clamped split step with as many FFT pairs per frame, in
# which nothing is learned; and the form of `unitary` with random parameters. (The last search takes
# two of them.) What the null model shows too is no evidence of learning. What the random one shows
# too is built into the form.

# %%
# %matplotlib inline
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import qdistill as qd
from qdistill.insight import discovery, harness
from qdistill.physics import packets

# %% tags=["settings"]
n_packet, n_frames, every = 12, 60, 4
step, gap, n_runs = 0.5, 0.5, 5

# %%
emulator = qd.load("unitary").on(qd.Grid(512, 50.0))
system, grid = emulator.system, emulator.system.grid
x = np.asarray(grid.positions()) - grid.middle[0]
panel = {
    "exact solver": qd.teacher.chebyshev(system, 1e-7),
    "unitary": emulator,
    "null model": qd.teacher.split_step(system, 2, kinetic_cap=40.0),
    "random phases": harness.randomise(emulator, jax.random.key(0)),
}
colours = dict(zip(panel, ("black", "tab:blue", "grey", "tab:orange"), strict=True))
print(emulator)


def draw(n, seed=0):
    """Return random packets near the middle of the box."""
    rng = np.random.default_rng(seed)
    ranges = ((-4.0, 4.0), (1.0, 1.6), (-2.0, 2.0))
    place, width, speed = (jnp.asarray(rng.uniform(*each, n), float) for each in ranges)
    make = jax.vmap(lambda x, w, k: packets.gaussian(grid, grid.middle[0] + x, w, k))
    return make(place, width, speed)


# %% [markdown]
# ## What is conserved
#
# A quartic well, and twelve packets in it. The *dictionary* has the operators x, p, x², xp, p², T
# and V. Their expectation values are measured every few frames. Of all combinations those are kept
# that change least, in units of how much they differ among packets and times.

# %%
v = jnp.asarray(np.minimum(0.5 * (x / 4) ** 4, 14.0), float)
psi = draw(n_packet)
dictionary = discovery.make_dictionary(system, v, degree=2)


def record(propagator, psi, v):
    """Return psi and every few frames of a forecast, (n_t, n_packet, n_x)."""

    def one(psi):
        return qd.rollout(propagator, psi[None], v, n_frames, every=every)

    later = jax.jit(lambda psi: jax.lax.map(one, psi))(psi)
    return jnp.concatenate([psi[:, None], later], axis=1).swapaxes(0, 1)


charges = {}
for name, propagator in panel.items():
    numbers = discovery.measure(dictionary, record(propagator, psi, v), grid.cell, pairs=False)
    charges[name] = discovery.find_charges(list(dictionary), numbers)
    found = str(charges[name]).replace("\n", "; ") or "nothing"
    print(f"{name}: conserved: {found}; changes {charges[name].drifts[:2]}")

# %%
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
for row, (name, found) in enumerate(charges.items()):
    for i, change in enumerate(found.drifts):
        face = colours[name] if i < found.n_static else "white"
        ax.plot(change, row, "o", markeredgecolor=colours[name], markerfacecolor=face)
ax.axvline(discovery.charges.LARGEST, color="black", linestyle=":", linewidth=1)
ax.set(xscale="log", xlabel="change of a combination, in units of its spread")
ax.set_yticks(range(len(panel)), panel)
ax.invert_yaxis()

# %% [markdown]
# A filled dot is a charge, and the dotted line the threshold. The search was not told that an
# energy exists, and finds T + V. No parameter of `unitary` says that it is conserved. But any
# accurate splitting conserves something close to T + V: the null model does so too, and better.
#
# ## What moves in a closed set
#
# In a harmonic well no polynomial of second degree is lost: the evolution maps each to others. The
# largest such set is found as well, with its frequencies. They are multiples of the well's
# frequency, 0.35 radians per a.u., which is not given either; the lattice lowers it a little.

# %%
well = jnp.asarray(np.minimum(0.5 * 0.35**2 * x**2, 14.0), float)
dictionary = discovery.make_dictionary(system, well, degree=2)
for name, propagator in panel.items():
    numbers = discovery.measure(dictionary, record(propagator, psi, well), grid.cell)
    closed = discovery.find_closure(list(dictionary), numbers, every * system.dt)
    frequencies = np.sort(np.abs(closed.frequencies.real))
    print(f"{name}: {closed.dimension} operators, frequencies {frequencies.round(3)}")

# %% [markdown]
# ## Where the mirrors are
#
# The potential has a mirror at 0.317 bohr from the middle, between the points of the grid. All
# mirrors are tried: a packet is reflected before the forecast and after it, and the two results are
# compared.

# %%
hidden = 0.317
v = jnp.asarray(-4 * np.exp(-((x - hidden) ** 2) / 8), float)
mirrors = discovery.make_families(system, step)["mirror"]
frames = draw(3, seed=1)[:, None]
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for name, propagator in panel.items():
    evolve = discovery.follow(propagator, v, 12)
    found = discovery.find_symmetries(mirrors, evolve, frames)
    places = found.parameters[: found.n_found, 0] - grid.middle[0]
    print(f"{name}: mirrors at {places.round(3)}, violated by {found.violations[: found.n_found]}")
    ax.plot(found.scanned[:, 0] - grid.middle[0], found.spread, color=colours[name], label=name)
    ax.plot(places, found.violations[: found.n_found], "o", color=colours[name])
ax.set(yscale="log", xlabel="place of the mirror in bohr", ylabel="violation")
_ = ax.legend(frameon=False)

# %% [markdown]
# All four find it, the random form as well: its network treats both sides of a point alike. So here
# the mirror is built in, and says nothing about learning. (Three of the lines coincide, and all of
# the points.)
#
# ## How two potentials are related
#
# The well -1/cosh² x has no reflection. The reason is an operator A = d/dx + W(x) that turns each
# solution of empty space into one of the well. It is looked for with W free on knots: it has to
# hold that first A and then the well gives the same as first empty space and then A.

# %%
empty = jnp.zeros(grid.shape)
well = jnp.asarray(-1 / np.cosh(x) ** 2, float)
terms = discovery.make_terms(grid, grid.middle[0] + np.arange(-13.0, 13.1, gap))
psi = draw(3, seed=2)
states = discovery.apply_terms(terms, psi)
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for name, propagator in panel.items():
    first, second = (discovery.follow(propagator, v, 12) for v in (empty, well))
    targets = discovery.apply_terms(terms, first(psi[:, None])[:, -1])
    found = discovery.intertwine(states, discovery.advance(states, second), targets)
    w = found.potential(terms)
    error = np.abs(w + np.tanh(x))[np.abs(x) < 5].max()
    print(f"{name}: residual {found.residual:.1e}, largest error of W {error:.1e}")
    ax.plot(x, w, color=colours[name], label=name)
ax.plot(x, -np.tanh(x), ":", color="tab:red", linewidth=3, label="-tanh x")
ax.set(xlim=(-6, 6), ylim=(-1.6, 1.6), xlabel="x in bohr", ylabel="W in 1/bohr")
_ = ax.legend(frameon=False)

# %% [markdown]
# W is -tanh x, as theory says (Darboux), in all but the random form, whose best W leaves a large
# residual. The residual of the others is that of the lattice.
#
# ## Which law
#
# At last the Hamiltonian itself is read from short forecasts in several random potentials. The
# kinetic energy is free at first. Then named ones compete, and further terms are added if they
# lower the error on runs that are left out of the fit.

# %%
rng = np.random.default_rng(3)
heights, places, widths = (
    rng.uniform(*each, (n_runs, 4, 1)) for each in ((-4, 4), (-10, 10), (1, 3))
)
vs = jnp.asarray((heights * np.exp(-(((x - places) / widths) ** 2))).sum(axis=1), float)
psi = draw(n_runs, seed=4)


def run(psi, v, propagator):
    """Return psi and five frames."""
    return jnp.concatenate([psi[None], qd.rollout(propagator, psi[None], v, 5)])


for name in ("unitary", "null model"):
    runs = jax.vmap(run, (0, 0, None))(psi, vs, panel[name])
    law = discovery.find_law(grid.positions(), system.dt * np.arange(6), vs, runs, functions=())
    print(f"{name}:\n{law}\n")

# %% [markdown]
# The search also says that the law does not explain all of the forecasts of `unitary`. They have
# errors of their own, about a ten-thousandth of a frame, which no term of its list takes away, and
# which are more than ten times what the method implies. Those of the null model are below that.
#
# ## What is built in
#
# The energy, the closed set, the mirror and the partner come with any accurate splitting, and
# `unitary` is one by its form; what it learned here is the dispersion of the lattice, since it
# started without a kinetic energy.
#
# [The page on discovery](../../docs/discovery.md) has ten trainings, many null models, planes and
# two channels, and files with hidden physics.
