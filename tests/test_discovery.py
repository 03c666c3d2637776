"""Discovery: Weyl-ordered polynomials, conserved quantities, closed sets, algebras."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.insight import discovery
from qdistill.insight.discovery import weyl
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.system import Propagator, System, rollout
from qdistill.teacher import chebyshev, split_step

GRID = Grid(256, 40.0, "continuum")
SYSTEM = System(GRID, dt=0.2, bounds=(-31.0, 31.0))
X = np.asarray(GRID.positions()) - 20.0
# Away from the edges of the box, where packets are.
TAPER = np.exp(-((X / 16) ** 8))
LINE = {
    "free": 0 * X,
    "field": 0.3 * X * TAPER,
    "harmonic": np.minimum(0.5 * 0.6**2 * X**2, 30.0),
    "quartic": np.minimum(0.01 * X**4, 30.0),
    "double well": np.minimum(0.02 * (X**2 - 9) ** 2, 30.0),
    "barrier": 2.0 * np.exp(-((X / 2) ** 2)),
}
N_PACKET, N_FRAME = 8, 20


def random_packets() -> jax.Array:
    rng = np.random.default_rng(0)
    ranges = ((17.0, 23.0), (1.0, 2.0), (-2.0, 2.0))
    numbers = [rng.uniform(low, high, N_PACKET) for low, high in ranges]
    return jax.vmap(lambda x, w, k: packets.gaussian(GRID, x, w, k))(*map(jnp.asarray, numbers))


@jax.jit
def follow(propagator: Propagator, psi: jax.Array, v: jax.Array) -> jax.Array:
    later = jax.vmap(lambda each: rollout(propagator, each[None], v, N_FRAME))(psi)
    return jnp.concatenate([psi[:, None], later], axis=1).swapaxes(0, 1)


@pytest.fixture(scope="module")
def measured() -> dict[str, tuple[list[str], np.ndarray]]:
    found, psi, solver = {}, random_packets(), chebyshev(SYSTEM)
    for name, v in LINE.items():
        local = jnp.asarray(v, float)
        dictionary = discovery.make_dictionary(SYSTEM, local, 2)
        numbers = discovery.measure(dictionary, follow(solver, psi, local), GRID.cell)
        found[name] = list(dictionary), numbers
    return found


# Static charges besides the identity, and the dimension of the closed set in degree 2 with T and V.
# The truth: quadratic Hamiltonians close on all 6 polynomials; others on 1 and H only.
KNOWN = {
    "free": (["T", "p"], 6),
    "field": (["T + V"], 6),
    "harmonic": (["T + V"], 6),
    "quartic": (["T + V"], 2),
    "double well": (["T + V"], 2),
    "barrier": (["T + V"], 2),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_charges_are_found_and_no_others(name: str, measured: dict) -> None:
    names, numbers = measured[name]
    charges = discovery.find_charges(names, numbers)
    expected, dimension = KNOWN[name]
    assert str(charges).splitlines() == expected
    assert charges.drifts[charges.n_static - 1] < 1e-4
    assert discovery.find_closure(names, numbers, 0.2).dimension == dimension


@pytest.mark.parametrize("name", ["harmonic", "quartic", "double well", "barrier"])
def test_expectation_values_are_enough(name: str, measured: dict) -> None:
    names, numbers = measured[name]
    square = numbers.reshape(*numbers.shape[:2], N_PACKET, N_PACKET)
    means = np.diagonal(square, axis1=2, axis2=3)
    charges = discovery.find_charges(names, means)
    assert str(charges).splitlines() == KNOWN[name][0]


def test_frequencies_are_those_of_the_oscillator(measured: dict) -> None:
    names, numbers = measured["harmonic"]
    closure = discovery.find_closure(names, numbers, 0.2)
    expected = [-1.2, -0.6, 0, 0, 0.6, 1.2]
    np.testing.assert_allclose(closure.frequencies.real, expected, atol=1e-4)
    np.testing.assert_allclose(closure.frequencies.imag, 0, atol=1e-4)
    assert closure.residuals[0] < 1e-4


def test_a_galilean_charge_is_closed_but_not_static(measured: dict) -> None:
    names, numbers = measured["free"]
    rows = [names.index(name) for name in ("1", "x", "p")]
    some = [names[i] for i in rows]
    charges = discovery.find_charges(some, numbers[rows])
    assert str(charges) == "p"
    closure = discovery.find_closure(some, numbers[rows], 0.2)
    assert closure.dimension == 3
    np.testing.assert_allclose(closure.frequencies, 0, atol=1e-3)


def test_a_drift_breaks_the_charges_that_it_should() -> None:
    # A weak force conserves p^2 / 2 + V with the force in V, but neither p nor p^2.
    psi, force = random_packets(), jnp.asarray(0.1 * X * TAPER, float)
    empty = jnp.zeros_like(force)
    frames = follow(chebyshev(SYSTEM), psi, force)
    dictionary = discovery.make_dictionary(SYSTEM, empty, 2)
    charges = discovery.find_charges(
        list(dictionary), discovery.measure(dictionary, frames, GRID.cell)
    )
    assert charges.n_static == 1
    (row,) = discovery.reduce(charges.vectors[:1], charges.scales())
    found = dict(zip(charges.names, row / row[charges.names.index("T")], strict=True))
    # T + 0.1 x, and the force falls off by 1% where packets come to.
    assert found.pop("x") == pytest.approx(0.1, rel=0.01)
    assert found.pop("T") == 1
    assert all(abs(value) < 0.01 for value in found.values())


def test_a_wrong_mass_moves_the_charge() -> None:
    # The evolution has the mass 1.25; the dictionary does not say so.
    heavy = System(Grid(256, 40.0, "continuum", mass=1.25), dt=0.2, bounds=(-31.0, 31.0))
    v = jnp.asarray(LINE["quartic"], float)
    frames = follow(chebyshev(heavy), random_packets(), v)
    dictionary = discovery.make_dictionary(SYSTEM, v, 2)
    numbers = discovery.measure(dictionary, frames, GRID.cell)
    assert str(discovery.find_charges(list(dictionary), numbers)) == "0.8 T + V"


def test_an_absorber_leaves_no_charge() -> None:
    class Leaky(System):
        is_hermitian = False

        def local(self, v: jax.Array, t: object, psi: object) -> jax.Array:
            del t, psi
            return v - 0.1j * (abs(v) > 1)

    v = jnp.asarray(LINE["quartic"], float)
    leaky = split_step(Leaky(GRID, dt=0.2), 20)
    dictionary = discovery.make_dictionary(SYSTEM, v, 2)
    numbers = discovery.measure(dictionary, follow(leaky, random_packets(), v), GRID.cell)
    assert discovery.find_charges(list(dictionary), numbers).n_static == 0


def test_a_coarse_splitting_keeps_the_energy_less_well() -> None:
    v = jnp.asarray(LINE["double well"], float)
    dictionary = discovery.make_dictionary(SYSTEM, v, 2)
    drifts = []
    for n_substeps in (4, 8):
        frames = follow(split_step(SYSTEM, n_substeps, 60.0), random_packets(), v)
        numbers = discovery.measure(dictionary, frames, GRID.cell)
        drifts.append(discovery.find_charges(list(dictionary), numbers).drifts[0])
    # The energy of a splitting oscillates with the square of its substep.
    assert 3 < drifts[0] / drifts[1] < 5


def test_charges_of_an_isotropic_oscillator_form_u2() -> None:
    grid = Grid((32, 32), (16.0, 16.0), "continuum", origin=-8.0)
    system = System(grid, dt=0.3, bounds=(0.0, 40.0))
    x, y = grid.positions(0), grid.positions(1)
    middle = grid.middle
    v = jnp.minimum(0.5 * ((x - middle[0]) ** 2 + (y - middle[1]) ** 2), 38.0)
    rng = np.random.default_rng(1)
    ranges = ((-1.2, 1.2), (0.6, 0.9), (-1.0, 1.0))
    numbers = [rng.uniform(low, high, (8, 2)) for low, high in ranges]
    psi = jax.vmap(
        lambda c, w, k: packets.gaussian(grid, (c[0], c[1]), (w[0], w[1]), (k[0], k[1]))
    )(*map(jnp.asarray, numbers))
    later = jax.jit(jax.vmap(lambda each: rollout(chebyshev(system, 1e-6), each[None], v, 12)))(psi)
    frames = jnp.concatenate([psi[:, None], later], axis=1).swapaxes(0, 1)
    dictionary = discovery.make_dictionary(system, v, 2)
    found = discovery.find_charges(
        list(dictionary), discovery.measure(dictionary, frames, grid.cell)
    )
    # Two energies, the angular momentum, and x y + px py.
    assert found.n_static == 4
    symbols = {weyl.name_of(term): {term: 1.0} for term in weyl.monomials(2, 2)}
    symbols |= {"T": of_plane(pp=0.5, qq=0.5), "V": of_plane(xx=0.5, yy=0.5)}
    basis = [
        combine(row, [symbols[name] for name in found.names])
        for row in discovery.reduce(found.vectors[:4], found.scales())
    ]
    made = discovery.structure(basis)
    assert made.residual < 0.01
    assert discovery.recognise(made.constants, tolerance=0.02) == "u(2) = su(2) + u(1)"


def test_weyl_operators_have_the_commutators_of_the_bracket() -> None:
    with jax.enable_x64(True):
        check_commutators()


def check_commutators() -> None:
    # The commutator of operators is i times the bracket of their symbols.
    grid = Grid(64, 20.0, "continuum", origin=-10.0)
    eye = jnp.eye(64, dtype=complex)

    def matrix(polynomial: dict) -> np.ndarray:
        return np.asarray(
            sum(
                value * jax.vmap(lambda psi, e=e: discovery.operate(grid, e, psi))(eye).T
                for e, value in polynomial.items()
            )
        )

    psi = np.asarray(packets.gaussian(grid, 0.3, 0.8, 0.4), complex)
    terms = [(1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (2, 1), (1, 2), (0, 3)]
    of = {term: matrix({term: 1.0}) for term in terms}
    for f, g in itertools.combinations(terms, 2):
        image = (of[f] @ of[g] - of[g] @ of[f]) @ psi
        made = discovery.bracket({f: 1.0}, {g: 1.0})
        expected = 1j * (matrix(made) @ psi) if made else 0 * psi
        scale = float(np.linalg.norm(of[f] @ of[g] @ psi))
        np.testing.assert_allclose(image, expected, atol=1e-9 * scale)


def test_brackets_satisfy_the_identity_of_jacobi() -> None:
    rng = np.random.default_rng(2)
    terms = weyl.monomials(2, 3)
    f, g, h = ({terms[i]: 1.0 for i in rng.choice(len(terms), 3)} for _ in range(3))
    total: dict[tuple[int, ...], float] = {}
    for a, b, c in ((f, g, h), (g, h, f), (h, f, g)):
        for term, value in discovery.bracket(a, discovery.bracket(b, c)).items():
            total[term] = total.get(term, 0.0) + value
    assert all(abs(value) < 1e-9 for value in total.values())


def combine(weights: np.ndarray, basis: list[dict]) -> dict[tuple[int, ...], float]:
    made: dict[tuple[int, ...], float] = {}
    for weight, each in zip(weights, basis, strict=True):
        for term, value in each.items():
            made[term] = made.get(term, 0.0) + weight * value
    return made


def of_plane(**terms: float) -> dict[tuple[int, ...], float]:
    letters = {"x": 0, "y": 1, "p": 2, "q": 3}
    return {tuple(name.count(letter) for letter in letters): value for name, value in terms.items()}


L = of_plane(xq=1.0, yp=-1.0)
ONE: dict[tuple[int, ...], float] = {(0, 0, 0, 0): 1.0}
ALGEBRAS: dict[str, list[dict[tuple[int, ...], float]]] = {
    "abelian, of dimension 2": [of_plane(xx=1.0, pp=1.0), of_plane(yy=1.0, qq=1.0)],
    "h(2), Heisenberg": [*(of_plane(**{name: 1.0}) for name in "xypq"), ONE],
    "sl(2,R)": [of_plane(xx=1.0), of_plane(xp=1.0), of_plane(pp=1.0)],
    "e(2)": [of_plane(p=1.0), of_plane(q=1.0), L],
    "su(2)": [
        of_plane(xx=0.5, pp=0.5, yy=-0.5, qq=-0.5),
        of_plane(xy=1.0, pq=1.0),
        L,
    ],
    "oscillator algebra": [
        of_plane(xx=1.0, pp=1.0),
        of_plane(x=1.0),
        of_plane(p=1.0),
        ONE,
    ],
}


def test_an_algebra_that_is_not_nilpotent_is_no_heisenberg_algebra() -> None:
    # {x p, p} = p is in the algebra that it generates, and not in its centre.
    found = discovery.structure([of_plane(xp=1.0), of_plane(p=1.0), ONE])
    assert discovery.recognise(found.constants).startswith("of dimension 3: derived algebra 1")


@pytest.mark.parametrize("name", ALGEBRAS)
def test_common_algebras_are_recognised_in_any_basis(name: str) -> None:
    basis = ALGEBRAS[name]
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((len(basis),) * 2))[0]
    found = discovery.structure([combine(row, basis) for row in turn])
    assert found.residual < 1e-9
    assert discovery.recognise(found.constants) == name


def test_a_set_that_is_not_closed_has_a_residual() -> None:
    assert discovery.structure([{(2, 0): 1.0}, {(0, 2): 1.0}]).residual == pytest.approx(1)


def test_without_a_charge_there_is_no_text(measured: dict) -> None:
    names, numbers = measured["quartic"]
    rows = [names.index(name) for name in ("1", "x", "p")]
    charges = discovery.find_charges([names[i] for i in rows], numbers[rows])
    assert charges.n_static == 0
    assert not str(charges)


def test_bad_input_is_refused(measured: dict) -> None:
    names, numbers = measured["free"]
    with pytest.raises(ValueError, match="Argument `names` must be of 8 operators"):
        discovery.find_charges(names[1:], numbers)
    with pytest.raises(ValueError, match="Argument `n_t` must be at least 2"):
        discovery.find_charges(names, numbers[:, :1])
    with pytest.raises(ValueError, match="Argument `more`"):
        discovery.make_dictionary(SYSTEM, jnp.zeros(256), 1, {"x": lambda psi: psi})
    with pytest.raises(ValueError, match="Argument `exponents`"):
        discovery.operate(GRID, (1, 0, 0), jnp.zeros(256, complex))
    with pytest.raises(ValueError, match="Argument `g` must be of 1 axes"):
        discovery.bracket({(1, 0): 1.0}, {(1, 0, 0, 0): 1.0})
    with pytest.raises(ValueError, match="Argument `basis` must be linearly independent"):
        discovery.structure([{(1, 0): 1.0}, {(1, 0): 2.0}])
    with pytest.raises(ValueError, match="Argument `vectors` must be linearly independent"):
        discovery.reduce(np.zeros((1, 2)), np.ones(2))
    with pytest.raises(ValueError, match="Argument `vectors` must be finite"):
        discovery.reduce(np.full((2, 2), np.nan), np.ones(2))
    with pytest.raises(ValueError, match="Argument `scales` must be"):
        discovery.reduce(np.eye(2), np.zeros(2))
    with pytest.raises(ValueError, match="antisymmetric"):
        discovery.recognise(np.ones((2, 2, 2)))


@pytest.mark.usefixtures("without_checker")
def test_operators_and_potentials_of_another_form_are_refused() -> None:
    v, frames = jnp.zeros(256), np.asarray(random_packets())[None]
    with pytest.raises(ValueError, match=r"`v` must be of shape \(256,\)"):
        discovery.make_dictionary(SYSTEM, v[1:], 1)
    with pytest.raises(ValueError, match=r"`more\['a'\]` must be a function of 1 argument"):
        discovery.make_dictionary(SYSTEM, v, 1, {"a": 3})  # type: ignore[dict-item]
    operators: list[Any] = [lambda psi: psi[:3], jnp.abs, lambda psi: None]
    for operator in operators:
        with pytest.raises(ValueError, match=r"`dictionary\['a'\]` must be a function that retu"):
            discovery.measure({"a": operator}, frames, GRID.cell)
    with pytest.raises(ValueError, match="`frames` must be an array of complex numbers of shape"):
        discovery.measure({"1": lambda psi: psi}, frames.real, GRID.cell)
    powers: list[Any] = [(1, -1), (1, 0.5)]
    for each in powers:
        with pytest.raises(ValueError, match="`exponents` must be"):
            discovery.bracket({each: 1.0}, {each: 1.0})
    with pytest.raises(ValueError, match=r"`basis\[1\]` must be finite"):
        discovery.structure([{(1, 0): 1.0}, {(0, 1): np.nan}])
    with pytest.raises(ValueError, match=r"`row` must be of shape \(1,\)"):
        discovery.in_words(np.ones(3), ["a"])


def test_where_nothing_moves_nothing_counts(measured: dict) -> None:
    names, numbers = measured["quartic"]
    # Two times, a ten-thousandth of a frame apart.
    later = numbers[:, :1] + 1e-4 * (numbers[:, 1:2] - numbers[:, :1])
    still = np.concatenate([numbers[:, :1], later], axis=1)
    assert discovery.find_charges(names, still).n_static == 0


def test_a_potential_that_no_packet_meets_is_dropped(measured: dict) -> None:
    names, numbers = measured["free"]
    faint = numbers.copy()
    noise = np.random.default_rng(4).standard_normal(numbers.shape[1:])
    faint[names.index("V")] = 1e-11 * noise
    charges = discovery.find_charges(names, faint)
    assert "V" in charges.dropped
    assert str(charges).splitlines() == KNOWN["free"][0]


def test_packets_that_do_not_differ_are_refused(measured: dict) -> None:
    names, numbers = measured["free"]
    same = np.ones_like(numbers)
    with pytest.raises(ValueError, match="Argument `numbers` must be of packets that differ"):
        discovery.find_charges(names, same)


def test_constants_without_the_identity_of_jacobi_are_refused() -> None:
    random = np.random.default_rng(1).normal(size=(6, 6, 6))
    with pytest.raises(ValueError, match="those of a Lie algebra"):
        discovery.recognise(random - random.swapaxes(0, 1))
