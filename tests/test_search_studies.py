"""The studies of searched symmetries and of partners of potentials: short runs, and evidence."""

import numpy as np
import pytest

from experiments.discovery import search_partners, search_symmetries, spurious
from qdistill.physics import files
from qdistill.physics.grid import Grid

GRID = Grid(search_symmetries.N_X, search_symmetries.LENGTH)


def test_potentials_fit_the_ring() -> None:
    for known in search_symmetries.known(GRID).values():
        files.require_periodic(GRID, "v", np.asarray(known.v))


def test_a_short_run_finds_a_mirror_and_no_shift() -> None:
    args = search_symmetries.smoke(search_symmetries.Args(runs=("demo",)))
    results = search_symmetries.search(args)
    for who, (row,) in results.metrics["systems"]["well"].items():
        counts = {family: each["n_found"] for family, each in row["families"].items()}
        # By its form a splitting has the mirror and time reversal, with random parameters too.
        assert counts == {"mirror": 1, "shift": 0, "time reversal": 1}, who
        (place,) = row["families"]["mirror"]["places"]
        # Results are rounded to four digits.
        assert place == pytest.approx(GRID.middle[0] + 0.317, abs=5e-3)
    assert list(results.figures) == ["symmetries"]


@pytest.mark.parametrize("systems", [(), ("well", "hill")])
def test_potentials_without_a_name_are_refused(systems: tuple[str, ...]) -> None:
    args = search_symmetries.Args(runs=("demo",), systems=systems)
    with pytest.raises(ValueError, match=r"`systems` must be (at least one|one of .*'superlat)"):
        search_symmetries.search(args)


def test_a_short_run_finds_partners_unless_parameters_are_random() -> None:
    args = search_partners.smoke(search_partners.Args(runs=("demo",)))
    results = search_partners.search(args)
    members = results.metrics["members"]
    for who in ("exact solver", "demo", "clamped-2"):
        assert members[who][0]["rank"] == [1, 1]
        # The lattice itself has no exact intertwiners.
        assert max(members[who][0]["residual"]) < 0.01
    assert min(members["demo, random phases"][0]["residual"]) > 0.1
    assert list(results.figures) == ["partners"]


def test_networks_are_refused_as_operators() -> None:
    args = search_partners.smoke(search_partners.Args(runs=("gru",)))
    with pytest.raises(ValueError, match="Argument `runs` must be linear emulators"):
        search_partners.search(args)


def test_shuffled_dictionaries_have_the_charges_of_single_operators_only() -> None:
    results = spurious.measure(spurious.smoke(spurious.Args()))
    for name, row in results.metrics["systems"].items():
        assert row["found"] == [row["theory"]], name
        # In empty space T, p and p^2 are conserved one by one; T + V is a sum.
        assert row["alone"] == [3 if name == "free" else 0]
        assert set(row["shuffled"][0]) == set(row["alone"])
    assert results.metrics["all"]["spurious"] == {
        "n": 0,
        "of": 7,
        "rate at most": pytest.approx(0.348, abs=1e-3),
    }
    assert results.metrics["all"]["shuffles"] == {"n": 0, "of": 21}
    # A shuffle of one operator only keeps what does not contain it.
    names, rng = ["1", "a", "b"], np.random.default_rng(0)
    a = rng.normal(size=(3, 40))
    numbers = np.stack([np.ones((3, 40)), a, 1 - a]).astype(complex)
    mixed = spurious.shuffle(names, numbers, rng)
    np.testing.assert_array_equal(mixed[0], numbers[0])
    np.testing.assert_array_equal(np.sort(mixed[1].real, axis=1), np.sort(a, axis=1))
    assert not np.allclose(mixed[1] + mixed[2], 1)
