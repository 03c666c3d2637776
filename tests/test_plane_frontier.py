"""Landscapes in two dimensions, and the script that compares on them."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts

from experiments.frontier import cases as frontier
from experiments.frontier import plane_cases as plane_frontier
from experiments.frontier.cases import FrontierConfig
from qdistill.physics.grid import Grid, norm

BOX = Grid((36, 36), (12.0, 12.0), "continuum")


@pytest.mark.parametrize("family", plane_frontier.FAMILIES)
def test_cases_are_packets_and_landscapes_within_range(family: str) -> None:
    sample = plane_frontier.FAMILIES[family]
    psi, v = jax.jit(jax.vmap(lambda key: sample(key, BOX)))(jax.random.split(jax.random.key(0), 8))
    np.testing.assert_allclose(jax.vmap(lambda one: norm(BOX, one))(psi), 1, atol=1e-3)
    assert v.shape == (8, 36, 36)
    assert float(v.min()) >= -10
    assert 8 <= float(v.max()) <= 15 or family == "scatterers"
    # No two are alike, and none is flat.
    assert len({float(jnp.sum(one)) for one in v}) == 8
    with pytest.raises(ValueError, match="`lengths` must be between 12"):
        sample(jax.random.key(0), Grid((36, 36), (10.0, 10.0)))


def test_a_double_slit_has_two_slits_in_one_wall() -> None:
    _, v = plane_frontier.sample_double_slit(jax.random.key(1), BOX)
    column = np.asarray(v[np.argmax(np.asarray(v).max(axis=1))])
    edges = np.flatnonzero(np.diff((column == 0).astype(int)))
    assert len(edges) == 4


def test_the_truth_is_that_of_a_solver_of_many_substeps() -> None:
    config = FrontierConfig(2, n_units=2)
    truth = plane_frontier.make_truth(BOX, config)
    assert truth.frames.shape == (2, 2, 36, 36)
    solvers, caps = plane_frontier.line_up(BOX, truth, (10, 40), (), (14,))
    few, many = (
        frontier.rms(frontier.measure_errors(solvers[f"clamped, {n} pairs"], truth))
        for n in (10, 40)
    )
    assert many < few / 4
    assert set(caps) == {"clamped, 10 pairs", "clamped, 40 pairs"}
    cut, fold = (
        frontier.rms(frontier.measure_errors(solvers[f"{kind}, 613 waves"], truth))
        for kind in ("cut off", "folded")
    )
    assert fold < cut


def test_the_script_compares_what_learned_on_lines_and_on_planes(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out"
    done = scripts.run("coarse_plane", "--smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert list(metrics["learned"]) == ["learned on lines", "learned on planes"]
    rows = metrics["boxes"]["12"]["contenders"]
    assert {row["kind"] for row in rows.values()} == {
        *("clamped split step", "18 points, clamped", "cut off", "folded", "student"),
    }
    assert all(0 < row["rms_error"] < 1.5 for row in rows.values())
    weights = metrics["learned"]["learned on lines"]["4.5"]["weights"]
    assert np.shape(weights) == (2, 12)
    assert np.any(weights)
    assert (out / "frontier-12.png").stat().st_size > 10_000
