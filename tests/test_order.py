"""The order of learning: recorded trainings, matched null models, verdicts."""

import dataclasses
import pathlib

import jax
import numpy as np
import pytest

from experiments.order import levels, paths, study
from qdistill.runs import folder, presets
from qdistill.training import loop

SMALL = presets.smoke(presets.PRESETS["demo"][1])


def test_a_recorded_training_is_the_same_training(tmp_path: pathlib.Path) -> None:
    setup, boundaries = folder.set_up(SMALL), SMALL.training.boundaries
    state = setup.trainers[0].init(jax.random.key(SMALL.seed))
    whole = {line["step"]: new.params for new, line in loop.fit(setup.trainers, boundaries, state)}
    path = paths.keep(SMALL, 2, boundaries[-1], tmp_path)
    assert path.step.tolist() == list(range(0, boundaries[-1] + 1, 2))
    for step, params in whole.items():
        (row,) = np.flatnonzero(path.step == step)
        recorded = jax.tree.map(lambda leaf, row=row: leaf[row], path.params)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), recorded, params)
    again = paths.keep(SMALL, 2, boundaries[-1], tmp_path)
    jax.tree.map(np.testing.assert_array_equal, again.params, path.params)


def test_a_record_every_few_steps_divides_the_blocks() -> None:
    with pytest.raises(ValueError, match="`every` must be a divisor"):
        paths.follow(SMALL, 3, 8)


def row(mass: float, energy: float) -> dict:
    shares = dict.fromkeys(("free", "scattering"), 1.0)
    of = {"mass": mass, "k^4 term": 1.0}
    return {"dispersion": of, "symmetries": {"energy": energy}, "processes": shares}


def compared(mass: float, energy: float) -> dict:
    scatter = np.geomspace(0.9, 1.1, 6)
    return levels.compare({
        "student": [row(mass * x, energy) for x in scatter],
        "disturbed": [row(x, 1.0) for x in scatter[::-1]],
        "displaced": [row(x**2, 0.5 * x) for x in scatter],
    })  # fmt: skip


def test_only_what_differs_from_both_null_models_counts() -> None:
    found = {"0.1": compared(0.2, 0.7), "0.01": compared(5.0, 0.7)}
    levels.decide(found)
    assert found["0.1"]["mass error"]["verdict"] == "ahead"
    assert found["0.01"]["mass error"]["verdict"] == "behind"
    # Between the two null models, and equal to them.
    assert found["0.1"]["rho of energy"]["verdict"] == "as the error"
    assert found["0.1"]["share of free"]["verdict"] == "as the error"


def test_steps_of_processes_are_paired_with_those_of_all_cases() -> None:
    errors = {"step": [0, 10, 20], "nrmse": [1.0, 0.1, 0.01]}
    late = {"step": [0, 10, 20], "nrmse": [1.0, 0.5, 0.01]}
    seeds = [
        {"errors": each | {"processes": {key: [1.0, 1.0, 0.1] for key in study.PROCESSES}}}
        for each in (errors, late)
    ]
    found = study.steps(seeds, (0.1,))["0.1"]
    assert found["all"]["mean"] == pytest.approx((10 + 14.1) / 2, abs=0.1)
    assert found["trapping"]["mean"] == pytest.approx((10 + 5.9) / 2, abs=0.1)


def test_a_displaced_student_has_the_wanted_error() -> None:
    class Line:
        """Errors that grow with a scale."""

    scales = []

    def make(scale: jax.Array) -> Line:
        made = Line()
        scales.append(float(scale))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levels.traits, "errors", lambda made, truth: {"nrmse": 3 * scales[-1] ** 0.8})
        levels._search(make, levels.Sets(None, None, None, {}), 0.2)  # type: ignore[arg-type]
    assert 3 * scales[-1] ** 0.8 == pytest.approx(0.2, rel=0.05)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="`n_seeds` must be at least 2"):
        dataclasses.replace(study.OrderConfig(), n_seeds=1)
