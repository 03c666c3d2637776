"""What counts as learned: matched null models, trainings, cases, and many comparisons."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from experiments import emulators
from qdistill import load
from qdistill.forecast import metrics
from qdistill.insight import harness, symmetries
from qdistill.insight.harness import evidence
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.system import System, rollout
from qdistill.teacher import split_step


def test_the_probabilities_are_those_of_student_and_of_the_binomial() -> None:
    values = np.array([-1.0, 0.2, -0.8, -0.1, -0.9])
    one_sided = stats.ttest_1samp(values, 0, alternative="less").pvalue
    assert evidence._p_of_mean(values) == pytest.approx(one_sided, rel=1e-6)
    assert evidence._p_of_mean(-values) == pytest.approx(1 - one_sided, rel=1e-6)
    n_not_below = int(np.sum(values >= 0))
    assert evidence._p_of_signs(values) == pytest.approx(stats.binom.cdf(n_not_below, 5, 0.5))


def test_both_trainings_and_cases_have_to_agree() -> None:
    rng = np.random.default_rng(0)
    null = np.full((1, 20), 0.5)
    noise = np.exp(0.1 * rng.standard_normal((6, 20)))
    assert harness.p_below(0.2 * noise, null) < 1e-3
    assert harness.p_below(0.5 * noise, null) > 0.05
    # One training out of six, or half of the cases, is not enough.
    one = np.where(np.arange(6)[:, None] == 0, 0.01, 0.6) * noise
    half = np.where(np.arange(20) < 10, 0.01, 0.6) * noise
    assert min(harness.p_below(each, null) for each in (one, half)) > 0.05
    assert np.isnan(harness.p_below(0.2 * noise[:1], null))
    missing = np.where(np.arange(20) < 3, np.nan, 0.2 * noise)
    assert harness.p_below(missing, null) < 1e-3


def test_chance_is_called_learned_at_most_as_often_as_is_said() -> None:
    rng = np.random.default_rng(1)
    p = []
    for _ in range(400):
        draw = [np.exp(rng.standard_normal((n, 12))) for n in (5, 1)]
        p.append(harness.p_below(draw[0], draw[1]))
    # By chance 5% of 400, with a standard deviation of 4.4.
    assert np.sum(np.array(p) < evidence.LEVEL) <= 20 + 3 * 4.4


def test_many_comparisons_are_corrected_for() -> None:
    p = [0.001, 0.03, np.nan, 0.04, 0.9]
    np.testing.assert_allclose(harness.holm(p), [0.004, 0.09, np.nan, 0.09, 0.9])
    with pytest.raises(ValueError, match="`p` must be between 0 and 1"):
        harness.holm([1.5])
    one = harness.Evidence("as a null model", 0.03, ("a",))
    assert harness.decide({"alone": one})["alone"].verdict == "learned"
    assert harness.decide({i: one for i in range(2)})[0].verdict == "as a null model"


def test_null_models_must_match_and_trainings_suffice() -> None:
    ratios, errors = np.full((5, 8), 0.1), np.full((5, 8), 1e-3)
    ratios = ratios * np.linspace(0.9, 1.1, 5)[:, None]
    far = {"far": (np.full((1, 8), 0.7), np.full((1, 8), 1e-2))}
    near = {"near": (np.full((1, 8), 0.7), np.full((1, 8), 1.5e-3))}
    assert harness.weigh(ratios, errors, {}).verdict == "no matched null model"
    assert harness.weigh(ratios, errors, far).verdict == "no matched null model"
    assert harness.weigh(ratios[:4], errors[:4], near).verdict == "too few trainings"
    found = harness.weigh(ratios, errors, {**far, **near})
    assert found.nulls == ("near",)
    assert harness.decide({"it": found})["it"].verdict == "learned"
    # Each matched null model has to be beaten.
    better = {"better": (np.full((1, 8), 0.05), errors[:1])}
    found = harness.weigh(ratios, errors, {**near, **better})
    assert harness.decide({"it": found})["it"].verdict == "as a null model"


def test_a_null_model_given_as_an_emulator_is_never_called_learned() -> None:
    """Five split steps of nearly the same cap, that learned nothing, next to a sixth."""
    system = System(Grid(128, 20.0), dt=0.1)
    steps = [split_step(system, 2, float(cap)) for cap in np.linspace(38.0, 42.0, 6)]
    every = symmetries.make_symmetries(system.grid)
    report = symmetries.evaluate(
        {"planted": steps[:5]},
        n_case=12,
        n_frames=16,
        nulls={"null": steps[5]},
        symmetries={name: every[name] for name in ("translation, fractions", "energy")},
        lessons=("scattering",),
    )
    rows = report.numbers["findings"]["planted"]["scattering"]
    weighed = {name: row["evidence"] for name, row in rows.items() if "evidence" in row}
    assert weighed
    for each in weighed.values():
        assert each["nulls"] == ("null",)
        assert each["verdict"] == "as a null model"
    assert "as a null model (p" in str(report)


@pytest.fixture(scope="module")
def cases() -> tuple[jax.Array, jax.Array]:
    grid = load("gru").system.grid
    psi = [packets.gaussian(grid, 30.0 + 10 * i, 3.0, 2.0) for i in range(2)]
    x = grid.positions()
    return jnp.stack(psi), jnp.stack([jnp.where(abs(x - 60) < 2, 2.0, 0.0)] * 2)


def test_the_disturbed_step_errs_as_much_as_its_emulator(cases) -> None:
    emulator = load("gru")
    psi, v = cases
    exact = harness.solve_exactly(emulator.system, (-0.1, 2.1))
    keys = jax.random.split(jax.random.key(0), 1)
    # A splitting is linear and has null models of another kind.
    both = {"gru": [emulator, emulator], "demo": [load("demo")]}
    (name, (null,)), *others = emulators.disturb(both, exact, psi, v, 6, keys).items()
    assert (name, others) == ("disturbed gru", [])
    assert null.n_history == emulator.n_history
    assert not null.is_linear
    given = jax.vmap(lambda psi, v: harness.recall(exact, psi, v, null.n_history))(psi, v)
    errors = []
    for propagator in (emulator, null):
        last = [
            metrics.nrmse(
                rollout(propagator, start, each, 6)[-1:], rollout(exact, start[-1:], each, 6)[-1:]
            )
            for start, each in zip(given, v, strict=True)
        ]
        errors.append(float(np.median(np.concatenate(last))))
    assert errors[1] == pytest.approx(errors[0], rel=0.05)
    free = harness.Disturbed(exact, null.network, 0.0)
    np.testing.assert_allclose(
        rollout(free, given[0], v[0], 2), rollout(exact, given[0][-1:], v[0], 2), atol=1e-6
    )
    with pytest.raises(ValueError, match="`emulator` must be one whose forecasts have an error"):
        harness.disturb(exact, exact, psi, v, 6, keys[0])


def test_random_parameters_are_as_large_as_the_learned_ones() -> None:
    emulator = load("demo")
    drawn = harness.randomise(emulator, jax.random.key(0))
    assert drawn.student == emulator.student
    for ours, theirs in zip(*map(jax.tree.leaves, (drawn, emulator)), strict=True):
        assert ours.shape == theirs.shape
        assert not np.array_equal(ours, theirs) or not np.any(theirs)
