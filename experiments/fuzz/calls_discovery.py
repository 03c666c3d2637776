"""Calls of `qdistill.insight.discovery`."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from experiments.fuzz.calls import Calls, Samples
from qdistill.insight import discovery
from qdistill.insight.discovery import _emulators, _generators, _recordings


def discover(calls: Calls, s: Samples) -> None:
    """Add the calls of polynomials, charges, closed sets and algebras."""
    add = calls.add
    add(discovery.monomials, n_dim=1, degree=2)
    add(discovery.name_of, exponents=(1, 2))
    f: dict[tuple[int, ...], float] = {(2, 0): 0.5}
    g: dict[tuple[int, ...], float] = {(0, 2): 0.5}
    add(discovery.bracket, f=f, g=g)
    add(discovery.operate, grid=s.line, exponents=(1, 1), psi=s.psi)
    add(
        discovery.make_dictionary,
        read=lambda made: [operator(s.psi) for operator in made.values()],
        system=s.system, v=s.v, degree=1, more={"x^3": lambda psi: psi},
    )  # fmt: skip
    dictionary = discovery.make_dictionary(s.system, s.v, 1)
    cell = s.line.cell
    frames = np.stack([np.asarray(s.frames)[:3]] * 2, axis=1)
    frames[:, 1] = frames[:, 1, ::-1]
    add(discovery.measure, dictionary=dictionary, frames=frames, cell=cell, pairs=False)
    names = list(dictionary)
    numbers = discovery.measure(dictionary, frames, cell)
    add(discovery.find_charges, names=names, numbers=numbers)
    add(discovery.find_closure, names=names, numbers=numbers, lag=0.1, residual=0.02)
    charges = discovery.find_charges(names, numbers)
    add(discovery.Charges.scales, self=charges)
    add(discovery.count, drifts=charges.drifts, largest=0.05, gap=5.0)
    add(discovery.reduce, vectors=charges.vectors[:1], scales=charges.scales())
    add(discovery.in_words, row=charges.vectors[0], names=charges.names, smallest=0.02)
    add(discovery.structure, basis=[f, g, {(1, 1): 1.0}])
    constants = discovery.structure([f, g, {(1, 1): 1.0}]).constants
    add(discovery.recognise, constants=constants, tolerance=1e-6)
    add(discovery.list_brackets, constants=constants, names=("f", "g", "h"), smallest=0.02)
    read_laws(calls, s)
    search(calls, s)


def read_laws(calls: Calls, s: Samples) -> None:
    """Add the calls of laws."""
    runs = np.stack([np.roll(np.asarray(s.frames), 4 * i, axis=-1) for i in range(4)])
    x, t, v = np.asarray(s.x), 0.1 * np.arange(3), np.stack([np.asarray(s.v)] * 4)
    calls.add_slow(
        discovery.find_law,
        read=lambda law: [law.energies, law.values],
        x=x, t=t, v=v, psi=runs, functions=(), seed=0,
    )  # fmt: skip
    calls.add_slow(
        discovery.find_masses,
        read=lambda found: [found.masses, found.strengths["V"]],
        system=s.system, v=v, psi=runs, terms=("-i",), seed=0,
    )  # fmt: skip
    recording = _recordings.record(s.line, 0.1, v, runs, 4.0)
    emulator = _emulators.make_emulator(recording, _generators.begin(discovery.laws.USUAL))
    parts = {each.name: getattr(emulator, each.name) for each in dataclasses.fields(emulator)}
    parts["parameters"] = jax.tree.map(jnp.asarray, parts["parameters"])
    calls.add(discovery.LawEmulator, read=lambda made: made.parameters, **parts)
    calls.add(discovery.largest_wavenumber, grid=s.line, psi=runs)
    calls.add(discovery.laws.equal_step, name="x", values=s.line.positions())


def search(calls: Calls, s: Samples) -> None:
    """Add the calls of symmetry search and intertwiners."""
    add = calls.add
    families = discovery.make_families(s.system, 4.0)
    add(
        discovery.make_families,
        read=lambda made: [each.scanned for each in made.values()],
        system=s.system, step=4.0, about=None,
    )  # fmt: skip
    add(
        discovery.make_reflections,
        read=lambda made: made["mirror"](s.psi),
        system=s.system, about=(1.0,),
    )  # fmt: skip
    mirror = families["mirror"]._replace(scanned=(families["mirror"].scanned[0][:3],))
    add(discovery.operations.candidates, family=mirror)
    add(discovery.move, grid=s.line, psi=s.psi, axis=0, by=0.3, is_mirror=True)
    add(discovery.find_period, shifts=np.array([2.0, 4.0]), tolerance=0.01)
    frames = np.asarray(s.frames)[:2, None]
    add(
        discovery.follow,
        read=lambda evolve: evolve(frames),
        propagator=s.solver, v=s.v, n_frames=1,
    )  # fmt: skip
    evolve = discovery.follow(s.solver, s.v, 1)
    add(discovery.find_symmetries, family=mirror, evolve=evolve, frames=frames)
    add(
        discovery.make_terms,
        read=lambda made: made.bumps,
        grid=s.line, knots=np.array([1.0, 2.0, 3.0]),
    )  # fmt: skip
    terms = discovery.make_terms(s.line, np.array([1.0, 2.0, 3.0]))
    psi = np.asarray(s.frames)[:2]
    add(discovery.apply_terms, terms=terms, psi=psi)
    states = discovery.apply_terms(terms, psi)
    add(discovery.advance, states=states, evolve=evolve)
    images, targets = discovery.advance(states, evolve), np.roll(states, 1, axis=1)
    add(discovery.intertwine, states=states, images=images, targets=targets)
    found = discovery.intertwine(states, images, targets)
    add(discovery.Intertwiner.potential, self=found, terms=terms)
