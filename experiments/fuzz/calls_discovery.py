"""Calls of `qdistill.insight.discovery`."""

import numpy as np

from experiments.fuzz.calls import Calls, Samples
from qdistill.insight import discovery


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
    runs = np.stack([np.roll(np.asarray(s.frames), 4 * i, axis=-1) for i in range(4)])
    x, t, v = np.asarray(s.x), 0.1 * np.arange(3), np.stack([np.asarray(s.v)] * 4)
    calls.add_slow(
        discovery.find_law,
        read=lambda law: [law.energies, law.values],
        x=x, t=t, v=v, psi=runs, seed=0,
    )  # fmt: skip
    add(discovery.largest_wavenumber, grid=s.line, psi=runs)
