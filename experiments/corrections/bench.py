"""The test sets of the study, and the folder of what was measured on them."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.corrections import optimum, replacements
from experiments.corrections.fits import ENSEMBLES
from experiments.corrections.optimum import Problem
from experiments.corrections.replacements import Edges
from qdistill.forecast.cases import Cases
from qdistill.physics.grid import Grid
from qdistill.runs import records
from qdistill.system import System


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The sizes of the test sets.

    Attributes:
      n_fit: Potentials of an ensemble to which coefficients are fitted.
      n_optimum: Potentials on which the null model is optimised.
      n_horizon: Frames of the null model's error.
      n_case: Held-out potentials of the interventions.
      n_frames: Frames of the interventions.
      n_untrained: Untrained networks.
      edges: Widths of edges in bohr, from the rectangular ones of the lessons to gentle slopes.
      seed: Seed of all potentials and packets.
    """

    n_fit: int = 32
    n_optimum: int = 16
    n_horizon: int = 100
    n_case: int = 40
    n_frames: int = 100
    n_untrained: int = 20
    edges: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)
    seed: int = 0


class Bench:
    """The test sets of a study, made once for each system, and the folder of what was measured."""

    def __init__(self, sizes: Sizes, place: pathlib.Path) -> None:
        """Keep the sizes and the folder; test sets are made when they are first used."""
        self.sizes, self.place = sizes, place
        self._problems: dict[tuple[System, Any], Problem] = {}
        self._cases: dict[System, Cases] = {}

    def keep(
        self, name: str, measure: Callable[..., dict[str, Any]], *arguments: Any
    ) -> dict[str, Any]:
        """Return what a function measures, or what it measured before with the same sizes.

        Args:
          name: Name of the file in the folder. Delete the file if the function has changed.
          measure: The function, which returns values of JSON.
          arguments: Its arguments, before the test sets, which are the last one.
        """
        path, sizes = self.place / f"{name}.json", dataclasses.asdict(self.sizes)
        sizes["edges"] = list(self.sizes.edges)
        if path.exists() and (kept := records.read_json(path))["sizes"] == sizes:
            return kept["found"]
        found = records.plain(measure(*arguments, self))
        path.parent.mkdir(parents=True, exist_ok=True)
        records.write_json(path, {"sizes": sizes, "found": found})
        return found

    def potentials(self, grid: Grid, ensemble: str) -> np.ndarray:
        """Return the potentials of an ensemble in a small box."""
        rng = np.random.default_rng((self.sizes.seed, 1))
        return ENSEMBLES[ensemble].sample(rng, grid, self.sizes.n_fit)

    def problem(self, system: System, kind: str | Edges) -> Problem:
        """Return the null model's cases, on an ensemble or on edges."""
        system = _plain(system)
        if (system, kind) not in self._problems:
            rng = np.random.default_rng((self.sizes.seed, 2))
            number = self.sizes.n_optimum
            if isinstance(kind, Edges):
                v = kind.sample(rng, system, number)
            else:
                v = ENSEMBLES[kind].sample(rng, system.grid, number)
            made = optimum.pose(system, v, self.sizes.seed, self.sizes.n_horizon)
            self._problems[system, kind] = made
        return self._problems[system, kind]

    def cases(self, system: System) -> Cases:
        """Return the held-out cases of the interventions."""
        system = _plain(system)
        if system not in self._cases:
            sizes = self.sizes
            self._cases[system] = replacements.make_cases(
                system, sizes.n_case, sizes.seed + 1, sizes.n_frames
            )
        return self._cases[system]


def _plain(system: System) -> System:
    """The system without the bounds of its training, which test sets do not need."""
    return System(system.grid, system.dt)
