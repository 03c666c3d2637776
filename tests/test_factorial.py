"""Students with properties built in or not, and the effects of the properties."""

import itertools

import jax
import numpy as np
import pytest

from experiments.ladder import factorial
from experiments.ladder.factors import FactorConfig
from qdistill.physics.grid import Grid
from qdistill.students import Emulator
from qdistill.system import System, rollout

SYSTEM = System(Grid(128, 12.5), dt=0.1)
STUDENT = FactorConfig(kernel_reach=10).build(SYSTEM)


@jax.jit
def frame(emulator: Emulator, v: jax.Array, psi: jax.Array) -> jax.Array:
    return rollout(emulator, psi[None], v, 1)[0]


@pytest.fixture(scope="module")
def disturbed() -> dict:
    params = jax.jit(STUDENT.init)(jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noisy = [p + 0.3 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, noisy)


@pytest.mark.parametrize("form", list(itertools.product((False, True), repeat=3)))
def test_a_property_that_is_built_in_holds_and_one_that_is_not_does_not(
    form: tuple[bool, bool, bool], disturbed: dict
) -> None:
    # The flags stand among the parameters, so all forms are one program.
    flags = STUDENT.bind(disturbed | {"built_in": np.array(form, np.float32)})
    states = jax.random.normal(jax.random.key(7), (2, 128), np.complex64)
    phi, psi = states / np.linalg.norm(states, axis=1, keepdims=True)
    v = 3 * jax.random.normal(jax.random.key(8), (128,))
    together = frame(flags, v, 0.5j * phi - psi)
    apart = 0.5j * frame(flags, v, phi) - frame(flags, v, psi)
    assert (np.abs(together - apart).max() < 1e-5) == form[0]
    norm = np.linalg.norm(frame(flags, v, psi))
    assert (abs(norm - 1) < 1e-5) == form[1]
    assert norm < 1 + 1e-5
    m = np.asarray(STUDENT.network.apply({"params": flags.params}, 128, method="factor"))
    kernel = np.abs(np.fft.ifft(m))
    # Of a normalised one the tails are small, but not zero.
    assert (kernel[11:-10].max() < 1e-6) == (form[2] and not form[1])


def test_the_config_says_what_is_built_in() -> None:
    params = FactorConfig(unitary=False, kernel_reach=10).build(SYSTEM).init(jax.random.key(0))
    np.testing.assert_array_equal(params["built_in"], [1, 0, 1])


def test_unrolled_trainings_have_as_many_frames() -> None:
    alone, unrolled = (factorial.stages_of(factorial.Args(), each) for each in (False, True))
    for one, many in zip(alone, unrolled, strict=True):
        assert one.n_steps == many.n_steps
        counts = [each.batches.n_batch * each.batches.n_target for each in (one, many)]
        assert counts[0] == counts[1]
        assert one.batches.n_frames == many.batches.n_frames


def test_effects_are_those_of_a_made_up_law() -> None:
    rng = np.random.default_rng(0)
    law = {
        factorial.name_of(has): -2.0 * has[1] - 0.5 * (has[1] == has[3]) + rng.normal(0, 0.01, 4)
        for has in itertools.product((False, True), repeat=4)
    }
    found = factorial.effects(law)
    assert found["unitary"]["mean"] == pytest.approx(-2, abs=0.02)
    assert found["unitary x unrolled"]["mean"] == pytest.approx(-0.5, abs=0.02)
    for name in ("linear", "local", "unrolled", "linear x local x unrolled"):
        assert found[name]["low"] < 0.02
        assert found[name]["high"] > -0.02


def test_what_diverged_counts_as_the_largest_error() -> None:
    logs = factorial.logarithms([float("inf"), 1e30, 1e-3])
    np.testing.assert_allclose(logs, [1, 1, -3])
