"""Charges in a plane and across channels: exact counts, what the exact solver shows, faults."""

import dataclasses
import functools
import re

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.discovery import discover, planes, wells
from qdistill.insight import discovery, harness
from qdistill.insight.discovery.weyl import Exponents
from qdistill.physics.grid import Grid
from qdistill.system import System

# Coarser than in the study, with longer frames.
PLANE = System(Grid((64, 64), (28.0, 28.0), "continuum"), dt=0.4, bounds=(-16.0, 16.0))
CROSSING = System(
    Grid(512, 60.0, "continuum", origin=-30.0, mass=2000.0),
    dt=100.0,
    n_channel=2,
    bounds=(-0.15, 0.15),
)
ARGS = discover.Args(runs=(), draws=1, n_frames=12, every=3, packets=12)

# By hand: functions of p and the angular momentum; two energies, the angular momentum and
# x y + px py; two energies, and a real and an imaginary part of the product of ladder operators
# a_x and a_y^dagger^2; two energies; the energy.
BY_HAND = {
    "free plane": (6, 15),
    "isotropic oscillator": (4, 35),
    "2:1 oscillator": (4, 35),
    "1:sqrt(2) oscillator": (2, 35),
    "Henon-Heiles": (1, 2),
}
# Left of them with each fault. A force along x moves the centre of an oscillator, so it breaks
# nothing; in empty space it leaves py, its square, px py + F y and the energy. A lighter axis
# changes frequencies, and in empty space only the form of the angular momentum. A stiffer x axis
# leaves what is of y alone.
LEFT = {
    "lighter along y": (6, 2, 2, 2, 1),
    "a force along x": (4, 4, 4, 2, 1),
    "stiffer along x": (2, 1, 1, 1, 0),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_counts_by_brackets_are_those_by_hand(name: str) -> None:
    potential, degree = planes.SYSTEMS[name].potential, planes.SYSTEMS[name].degree
    assert planes.count(planes.hamiltonian(potential), degree) == BY_HAND[name]
    at = list(BY_HAND).index(name)
    for fault, counts in LEFT.items():
        wrong = planes.hamiltonian(potential, planes.FAULTS[fault])
        assert planes.count(wrong, degree)[0] == counts[at]


def test_one_commensurate_ratio_needs_a_cubic_dictionary() -> None:
    potential = planes.SYSTEMS["2:1 oscillator"].potential
    h = planes.hamiltonian(potential)
    assert [planes.count(h, degree)[0] for degree in (1, 2, 3)] == [0, 2, 4]
    # The ladder operators' product, with the frequencies 2 w and w.
    w2 = 2 * potential[0, 2]
    real: dict[Exponents, float] = {(1, 0, 0, 2): 1.0, (1, 2, 0, 0): -w2, (0, 1, 1, 1): -1.0}
    imaginary: dict[Exponents, float] = {(0, 0, 1, 2): 1.0, (0, 2, 1, 0): -w2, (1, 1, 0, 1): 4 * w2}
    for charge in (real, imaginary):
        assert all(abs(value) < 1e-12 for value in discovery.bracket(charge, h).values())


@functools.cache
def cases(system: System) -> dict[str, discover.Case]:
    exact = harness.solve_exactly(system, system.bounds or (0.0, 0.0))
    return {case.name: case for case in discover.make_cases(ARGS, exact, 1)}


def look(system: System, name: str, fault: str | None = None) -> dict:
    exact = harness.solve_exactly(system, system.bounds or (0.0, 0.0))
    chosen = planes.plant(planes.FAULTS[fault], exact) if fault else exact
    return discover.look(chosen, system, ARGS, cases(system)[name])


@pytest.mark.parametrize("name", ["isotropic oscillator", "2:1 oscillator", "Henon-Heiles"])
def test_the_exact_solver_shows_what_theory_says(name: str) -> None:
    row = look(PLANE, name)
    assert (row["n_static"], row["closure"]["dimension"]) == BY_HAND[name]
    assert row["drifts"][row["n_static"] - 1] < 2e-3
    names = {
        "isotropic oscillator": "u(2) = su(2) + u(1)",
        "Henon-Heiles": "abelian, of dimension 1",
    }
    assert row["algebra"]["name"] == names.get(name)
    assert len(row["algebra"]["brackets"]) == (3 if name == "isotropic oscillator" else 0)
    if name == "2:1 oscillator":
        # A bracket of cubic charges has the degree four.
        assert row["algebra"]["residual"] > 0.1
        cubic = [charge for charge in row["charges"] if "py^2" in charge]
        assert len(cubic) == 2


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("stiffer along x", "1:sqrt(2) oscillator"),
        ("lighter along y", "2:1 oscillator"),
        ("lighter along y", "isotropic oscillator"),
        ("a force along x", "2:1 oscillator"),
    ],
)
def test_a_fault_breaks_the_charges_that_it_should(fault: str, name: str) -> None:
    row = look(PLANE, name, fault)
    assert row["n_static"] == LEFT[fault][list(BY_HAND).index(name)]
    wrong = planes.hamiltonian(planes.SYSTEMS[name].potential, planes.FAULTS[fault])
    assert row["closure"]["dimension"] == planes.count(wrong, planes.SYSTEMS[name].degree)[1]
    if fault == "stiffer along x":
        # Of two energies that along y is left: py^2 + 0.72 y^2, to what the text rounds off.
        (text,) = row["charges"]
        left = dict.fromkeys(("x^2", "y^2", "px^2", "py^2"), 0.0)
        whole = {"T": {"px^2": 0.5, "py^2": 0.5}, "V": {"x^2": 0.18, "y^2": 0.36}}
        for sign, size, name in re.findall(r"([+-]?) ?([\d.]*) ?(T|V|p?[xy]\^2)", text):
            for square, share in whole.get(name, {name: 1.0}).items():
                left[square] += float(f"{sign}1") * float(size or 1) * share
        x2, y2, px2, py2 = (value / left["py^2"] for value in left.values())
        assert (y2, py2) == pytest.approx((0.72, 1.0), rel=0.01)
        assert (x2, px2) == pytest.approx((0.0, 0.0), abs=0.02)


@pytest.mark.parametrize(("off", "n_static"), [(0.02, 4), (0.04, 2)])
def test_a_ratio_is_seen_as_precisely_as_time_allows(
    off: float, n_static: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The phases of the cubic charges change by 5.6 * 0.9 * off radians.
    name = "2:1 oscillator"
    known = planes.SYSTEMS[name]
    x2 = known.potential[2, 0] * (1 + off) ** 2
    wrong = known._replace(potential={**known.potential, (2, 0): x2})
    monkeypatch.setattr(planes, "SYSTEMS", {name: wrong})
    exact = harness.solve_exactly(PLANE, (-16.0, 16.0))
    args = dataclasses.replace(ARGS, n_frames=14, every=2)
    (case,) = discover.make_cases(args, exact, 1)
    assert case.known.n_static == 2
    assert discover.look(exact, PLANE, args, case)["n_static"] == n_static


def test_between_channels_the_energy_is_the_one_charge() -> None:
    row = look(CROSSING, "Tully 2")
    assert row["charges"] == ["T + V"]
    assert row["closure"]["dimension"] == 2


def test_populations_and_coherences_are_those_of_psi() -> None:
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(2, 2, *CROSSING.grid.shape))
    psi = jnp.asarray(parts[0] + 1j * parts[1], jnp.complex64)
    dictionary = discovery.make_dictionary(CROSSING, jnp.zeros((2, 2, 512)), 1)
    assert len(dictionary) == 3 + 3 * 4 - 1
    means = {name: np.vdot(psi, of(psi)) for name, of in dictionary.items()}
    first, second = np.asarray(psi)
    np.testing.assert_allclose(means["P0"], np.vdot(first, first), rtol=1e-5)
    np.testing.assert_allclose(means["Re01"], 2 * np.vdot(first, second).real, rtol=1e-4)
    np.testing.assert_allclose(means["Im01"], 2 * np.vdot(first, second).imag, rtol=1e-4)
    momentum = discovery.operate(CROSSING.grid, (0, 1), psi[0])
    np.testing.assert_allclose(means["p P0"], np.vdot(first, momentum), rtol=1e-3, atol=1.0)


def test_other_systems_are_refused() -> None:
    with pytest.raises(ValueError, match="a line, a plane, or two channels on a line"):
        wells.known(System(Grid((4, 4, 4), (2.0, 2.0, 2.0))))
    with pytest.raises(ValueError, match="Argument `faults` must be False except in a plane"):
        discover.load(discover.Args(runs=("demo",), faults=True))
