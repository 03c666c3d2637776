"""Masses by axis and channel of emulators, read from forecasts in a plane or across channels."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments.corrections import study
from experiments.discovery import wells
from qdistill.insight import discovery, harness
from qdistill.system import System
from qdistill.teacher import Chebyshev

# The potentials of the runs: in them all axes move, and all entries of V are met.
BOUNDS = (-wells.CEILING - 2, wells.CEILING + 2)
IN = {(2, 0): "Henon-Heiles", (1, 2): "Tully 2"}


def given_runs(exact: Chebyshev, n: int, n_given: int, seed: int) -> tuple[Array, Array]:
    """Return given frames and potentials of several runs, one draw of the potential for each."""
    system = exact.system
    name, lead = (
        IN[system.grid.n_dim, system.n_channel],
        jax.jit(lambda psi, v: harness.recall(exact, psi, v, n_given)),
    )
    known = [wells.known(system, draw)[name] for draw in range(n)]
    psi = [wells.draw(system, each, 1, seed + draw)[0] for draw, each in enumerate(known)]
    given = [lead(one, each.v) for one, each in zip(psi, known, strict=True)]
    return jnp.stack(given), jnp.stack([each.v for each in known])


def row(
    system: System, frames: Array, v: Array, true: Array, functions: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return masses over the true ones and strengths, and the error after the last frame."""
    del functions
    if not np.all(np.isfinite(frames)):
        return {"form": "diverges"}
    last, end = (np.asarray(each[:, -1]).reshape(len(v), -1) for each in (true, frames))
    error = np.linalg.norm(end - last, axis=-1) / np.linalg.norm(last, axis=-1)
    law = discovery.find_masses(system, v, frames)
    return {
        "error": float(error.mean()),
        "form": law.form,
        "masses": named(system, law.masses),
        "strengths": {name: value for name, (value, _, _) in law.strengths.items()},
        "errors": law.errors,
    }


def named(system: System, masses: np.ndarray) -> dict[str, float]:
    """Return masses over those of the grid, by channel or axis."""
    ratios = masses / np.asarray(system.grid.mass)
    if system.n_channel:
        return {f"channel {i}": float(each) for i, each in enumerate(ratios[:, 0])}
    return {"xyz"[i]: float(each) for i, each in enumerate(ratios[0])}


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return, over trainings, the forms chosen, and mean and interval of what was read."""
    forms = [each["form"] for each in rows]
    found: dict[str, Any] = {
        "n": len(rows),
        "forms": {form: forms.count(form) for form in dict.fromkeys(forms)},
    }
    if read := [each for each in rows if "masses" in each]:
        found["error"] = study.summarise(each["error"] for each in read)
        for kind in ("masses", "strengths"):
            found[kind] = {
                name: study.summarise(each[kind][name] for each in read) for name in read[0][kind]
            }
    return found


def line(row: Mapping[str, Any]) -> str:
    """Return one row as text."""
    words = [row["form"]]
    if "error" in row:
        words.append(f"error {row['error']:.1e}")
    for kind in ("masses", "strengths"):
        words += [f"{name} {value:.5f}" for name, value in row.get(kind, {}).items()]
    return ", ".join(words)
