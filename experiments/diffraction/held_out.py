"""The held-out test in two dimensions: double slits and many discs, which are in no lesson.

The baselines are clamped split steps of every scheme with as many FFT pairs as the students, or one
more. Their cap, and the smoothing of gradients, are optimised on the test cases themselves,
separately for each family, which favours the baselines.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from experiments.diffraction.scenes import FAMILIES
from experiments.timing import interleave
from qdistill import teacher
from qdistill._checks import refuse, require_at_least, require_positive, require_settings
from qdistill.forecast import baselines, cases
from qdistill.forecast.cases import Cases
from qdistill.system import Potential, Propagator, Step, System, Wrapped, rollout
from qdistill.teacher import SCHEMES, Scheme

PerFrame = dict[str, Float[Array, "n_case n_t"]]
# Gaussian widths in bohr over which the gradient of a potential is smoothed.
SMOOTHINGS = (0.0, 0.1, 0.2)


@dataclasses.dataclass(frozen=True)
class DiffractionConfig:
    """Settings of the held-out test.

    Attributes:
      n_cases: Number of cases of each family.
      n_x: Points of the square box along an axis.
      n_frames: Frames of every case, a multiple of `every`.
      every: Number of frames between two comparisons.
      tolerance: Error per frame of the Chebyshev solver, which is taken as the truth.
      n_repeats: Rounds of the timing.
    """

    n_cases: int = 8
    n_x: int = 160
    n_frames: int = 80
    every: int = 20
    tolerance: float = 1e-6
    n_repeats: int = 15

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        for name in ("n_cases", "n_x", "n_frames", "every", "n_repeats"):
            require_at_least(1, **{name: getattr(self, name)})
        if self.n_frames % self.every:
            refuse("n_frames", f"a multiple of every = {self.every}", self.n_frames)
        require_positive(tolerance=self.tolerance)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Strided(Wrapped):
    """A propagator whose frame is several frames of another one without a history.

    Attributes:
      every: Number of frames in one.
    """

    every: int = dataclasses.field(metadata={"static": True})

    @property
    def system(self) -> System:
        """The system of the wrapped propagator, with long frames."""
        return dataclasses.replace(self.of.system, dt=self.every * self.of.system.dt)

    def __call__(self, v: Potential) -> Step:
        """Return the step of one potential."""
        encode, advance, decode = self.of(v)
        return Step(
            lambda frames, n: encode(frames, n * self.every),
            lambda state: jax.lax.fori_loop(0, self.every, lambda _, state: advance(state), state),
            decode,
        )


def make_cases(system: System, config: DiffractionConfig, key: Key[Array, ""]) -> Cases:
    """Return `n_cases` solved test cases of each family, with every `every`-th frame.

    Args:
      system: A two-dimensional system with bounds of its potentials.
      config: Settings of the test.
      key: Random key.
    """
    drawn, names = [], []
    keys = jax.random.split(key, len(FAMILIES))
    for key_family, (name, sample) in zip(keys, FAMILIES.items(), strict=True):
        for i in range(config.n_cases):
            drawn.append(sample(jax.random.fold_in(key_family, i), system.grid))
            names.append(name)
    psi0, v = (jnp.stack(each) for each in zip(*drawn, strict=True))
    truth = Strided(teacher.chebyshev(system, config.tolerance), config.every)
    n_looks = config.n_frames // config.every
    return cases.simulate(truth, psi0, v, 1, n_looks, tuple(names))


def measure(config: DiffractionConfig, propagator: Propagator, truth: Cases) -> PerFrame:
    """Return every metric of forecasts of all cases, at every compared frame."""
    strided = Strided(propagator, config.every)
    return cases.measure(strided.system, truth, cases.forecast(strided, truth))


def evaluate(
    system: System,
    emulators: Mapping[str, Propagator],
    pairs: tuple[int, ...],
    config: DiffractionConfig,
    key: Key[Array, ""],
) -> dict[str, Any]:
    """Return errors and costs of emulators and of clamped split steps on the same cases.

    Args:
      system: A two-dimensional system with bounds of its potentials.
      emulators: Emulators of this system, by name.
      pairs: FFT pairs per frame of the clamped split steps.
      config: Settings of the test.
      key: Random key of the cases.
    """
    truth = make_cases(system, config, key)
    everyone: dict[str, Propagator] = dict(emulators)
    found = {name: measure(config, each, truth) for name, each in emulators.items()}
    chosen: dict[str, dict[str, dict[str, float]]] = {}
    for name, (scheme, n_substeps) in splittings(pairs).items():
        chosen[name], found[name] = best_clamped(system, n_substeps, scheme, truth, config)
        # Of those scored the one of the lowest cap is timed.
        timed = min(chosen[name].values(), key=lambda each: each["kinetic_cap_hartree"])
        cap, smoothing = timed["kinetic_cap_hartree"], timed["smoothing_bohr"]
        smoothed = dataclasses.replace(scheme, smoothing=smoothing)
        everyone[name] = teacher.split_step(system, n_substeps, cap, smoothed)
    everyone["chebyshev"] = teacher.chebyshev(system, config.tolerance)
    every = config.every
    return {
        "n_cases": config.n_cases,
        "times_au": [system.dt * i for i in range(every, config.n_frames + 1, every)],
        "chosen": chosen,
        "scores": {name: summarise(truth.family, each) for name, each in found.items()},
        "costs": measure_costs(everyone, truth, config),
    }


def splittings(pairs: tuple[int, ...]) -> dict[str, tuple[Scheme, int]]:
    """Return every scheme with given numbers of FFT pairs a frame, and its substeps, by name."""
    return {
        f"{'clamped' if name == 'strang' else name}-{n_pairs}": (scheme, n_pairs // scheme.n_pairs)
        for n_pairs in pairs
        for name, scheme in SCHEMES.items()
        if n_pairs % scheme.n_pairs == 0
    }


def best_clamped(
    system: System, n_substeps: int, scheme: Scheme, truth: Cases, config: DiffractionConfig
) -> tuple[dict[str, dict[str, float]], PerFrame]:
    """Return cap and smoothing of least mean relative L2 error by family, and all metrics."""
    # The same split step, with all its substeps in one long frame.
    long = dataclasses.replace(system, dt=config.every * system.dt)
    chosen, parts = {}, []
    for family in dict.fromkeys(truth.family):
        mine = np.flatnonzero(np.array(truth.family) == family)
        some = Cases(truth.given[mine], truth.v[mine], truth.frames[mine])
        tried = {}
        for width in SMOOTHINGS if scheme.gradients else (0.0,):
            smoothed = dataclasses.replace(scheme, smoothing=width)
            caps, errors = baselines.best_clamped(long, config.every * n_substeps, some, smoothed)
            tried[width] = float(errors["nrmse"].mean()), caps["nrmse"]
        width = min(tried, key=lambda each: tried[each][0])
        cap, smoothed = tried[width][1], dataclasses.replace(scheme, smoothing=width)
        chosen[family] = {"kinetic_cap_hartree": cap, "smoothing_bohr": width}
        parts.append(measure(config, teacher.split_step(system, n_substeps, cap, smoothed), some))
    return chosen, {name: jnp.concatenate([part[name] for part in parts]) for name in parts[0]}


def summarise(family: tuple[str, ...], found: PerFrame) -> dict[str, Any]:
    """Return means and deviations over cases of each family, and the last error of each case."""
    rows: dict[str, Any] = {}
    for name in dict.fromkeys(family):
        mine = np.array(family) == name
        error, correlation, drift = (
            np.asarray(found[metric], float)[mine]
            for metric in ("nrmse", "correlation", "norm_drift")
        )
        rows[name] = {
            "nrmse": error.mean(axis=0).tolist(),
            "nrmse_spread": error.std(axis=0).tolist(),
            "infidelity": (1 - correlation).mean(axis=0).tolist(),
            "max_norm_drift": float(drift.max()),
            "cases_final_nrmse": error[:, -1].tolist(),
        }
    return rows


def measure_costs(
    propagators: Mapping[str, Propagator], truth: Cases, config: DiffractionConfig
) -> dict[str, dict[str, float]]:
    """Return the median milliseconds of a frame of one packet, and of the setup of a potential."""
    psi, v = truth.given[0], truth.v[0]
    n = config.n_frames

    def prepare(propagator: Propagator, n_frames: int) -> Any:
        call = jax.jit(lambda psi, v: rollout(propagator, psi, v, n_frames, every=n_frames))
        jax.block_until_ready(call(psi, v))
        return lambda: jax.block_until_ready(call(psi, v))

    work = {
        f"{name}/{count}": prepare(propagator, count)
        for name, propagator in propagators.items()
        for count in (1, n + 1)
    }
    seconds = interleave(work, config.n_repeats)
    costs = {}
    for name in propagators:
        first, all_of_them = seconds[f"{name}/1"], seconds[f"{name}/{n + 1}"]
        a_frame = (all_of_them - first) / n
        costs[name] = {
            "milliseconds_a_frame": 1e3 * a_frame,
            "milliseconds_a_potential": 1e3 * max(first - a_frame, 0.0),
        }
    return costs


def table(found: dict[str, Any]) -> str:
    """Return a text table of final errors, norm drifts and costs."""
    last = found["times_au"][-1]
    lines = [f"{'':20}{'':14}{'error':>9}{'spread':>9}{'drift':>9}   at t = {last:g} a.u."]
    for name, families in found["scores"].items():
        for family, row in families.items():
            lines.append(
                f"{name:20}{family:14}{row['nrmse'][-1]:9.1e}{row['nrmse_spread'][-1]:9.1e}"
                f"{row['max_norm_drift']:9.0e}"
            )
    for name, cost in found["costs"].items():
        lines.append(
            f"{name:20}{cost['milliseconds_a_frame']:6.2f} ms a frame, "
            f"{cost['milliseconds_a_potential']:.1f} ms a potential"
        )
    return "\n".join(lines)
