"""Bad input to every public function: a refusal in words, never silence.

`DOORS` gives a good call of each public function that takes plain values, and the kind of each of
its arguments; a kind knows what is bad. `test_calls` has a call of every public function.
"""

import dataclasses
import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qdistill
from experiments.diffraction import fringes, scenes
from experiments.diffraction import held_out as diffraction
from experiments.frontier import cases as frontier
from experiments.frontier import resampling
from qdistill import _checks as checks
from qdistill import _distribute as cluster
from qdistill import students, system, teacher
from qdistill.curriculum import lessons, sampling, schedules
from qdistill.forecast import baselines, cases, held_out, metrics, paper
from qdistill.insight.design import tasks
from qdistill.insight.importance import study
from qdistill.insight.interventions.survey import InterventionConfig
from qdistill.insight.probes.survey import ProbeConfig
from qdistill.physics import (
    band,
    eigenstates,
    families,
    grid,
    hamiltonian,
    observables,
    packets,
    potentials,
    profiles,
    stationary,
)
from qdistill.physics.grid import Grid
from qdistill.runs import config, presets, pretrained
from qdistill.students import windows
from qdistill.system import System
from qdistill.teacher import SplitStep, expansion, factory
from qdistill.training import batches, boxes, losses, stages

NAN, INF = float("nan"), float("inf")
LINE, BOX = Grid(64, 10.0), Grid(256, 100.0)
SHORT = System(LINE, bounds=(-16.0, 16.0))
PSI = jnp.ones(64, jnp.complex64)
FRAMES = jnp.ones((3, 64), jnp.complex64)
V = jnp.zeros(64)
X = BOX.positions()
KEY = jax.random.key(0)
SOLVER = SplitStep(SHORT, 4)
BLOCK = batches.Block(
    FRAMES[None], V[None], jnp.zeros(1, int), *(jnp.zeros((2, 4), int) for _ in range(3))
)
SPECTRA = boxes.SpectraBlock(
    boxes.Spectra(jnp.zeros((1, 3)), jnp.ones((1, 3, 8)), jnp.zeros((1, 8)), jnp.zeros(1, int)),
    jnp.zeros((2, 4), int),
)
TRUTH = cases.Cases(PSI[None, None], V[None], FRAMES[None], ("it",))
UNITARY = students.UnitaryConfig().build(SHORT)
WINDOWED = students.WindowedConfig("linear").build(SHORT)

# What is bad for an argument of a kind. Lambdas make bad values out of the good one.
BAD: dict[str, list[Any]] = {
    "finite": [NAN, INF, -INF, "2", None],
    "positive": [0.0, -1.0, NAN, INF, "2", 1j],
    "share": [-0.1, 1.1, NAN, "half"],
    "size": [-0.1, NAN, "much"],
    "count": [0, -3, 2.0, NAN, True, "3", None],
    "index": [-1, 99, NAN],
    "axis": [-1, 1, 0.5, "x", None],
    "name": ["oracle", "", None, 3],
    "line": [Grid((8, 8), (1.0, 1.0))],
    "state": [lambda a: a[..., :-1], lambda a: a[..., None], lambda a: a[..., :0]],
    "potential": [
        lambda a: a[..., :-1],
        lambda a: a[..., None],
        lambda a: a.at[0].set(NAN),
        lambda a: a.at[0].set(INF),
        lambda a: a.astype(int),
        lambda a: a.astype(complex),
    ],
    "positions": [
        lambda a: a.at[0].set(NAN),
        lambda a: a.at[0].set(INF),
        lambda a: a.astype(int),
        lambda a: a.astype(complex),
    ],
    "numbers": [lambda a: (*a[:-1], NAN), lambda a: (*a[:-1], INF), lambda a: (*a[:-1], "2")],
    "as many": [lambda a: (*a, 1.0), lambda a: a[:-1]],
    "seed": [-1, 2**32, 0.5, NAN, "1"],
}


class Door(NamedTuple):
    """A public function, a good call of it, and the kinds of its arguments."""

    call: Callable[..., Any]
    good: dict[str, Any]
    kinds: dict[str, list[str]]


DOORS: dict[str, Door] = {}


def door(call: Callable[..., Any], **given: tuple) -> None:
    """Each argument as (good value, kind, kind, ...)."""
    DOORS[name_of(call)] = Door(
        call,
        {name: value for name, (value, *_) in given.items()},
        {name: list(kinds) for name, (_, *kinds) in given.items() if kinds},
    )


def name_of(thing: Any) -> str:
    return f"{thing.__module__.removeprefix('qdistill.')}.{thing.__name__}"


def is_cast_to_complex(bad: Any) -> bool:
    return jnp.iscomplexobj(bad(V))


@dataclasses.dataclass(frozen=True)
class Stirred(System):
    """No solver but the split step applies to it."""

    is_autonomous = False

    def local(self, v: Any, t: Any, psi: Any) -> Any:
        return v * jnp.cos(t)


system.SYSTEMS.pop("Stirred")


COUNT, POSITIVE, FINITE, SHARE = "count", "positive", "finite", "share"
ON_LINE = {"x": (X, "positions"), "centre": (50.0, FINITE)}
HILL = ON_LINE | {"height": (3.0, FINITE), "width": (9.0, POSITIVE)}

# Physics ------------------------------------------------------------------------------------------

door(
    grid.Grid,
    shape=(64, COUNT), lengths=(10.0, POSITIVE), dispersion=("lattice", "name"),
    origin=(0.0, FINITE), mass=(1.0, POSITIVE),
)  # fmt: skip
door(grid.require_line, grid=(LINE, "line"))
door(grid.inner_product, grid=(LINE,), phi=(PSI, "state"), psi=(PSI, "state"))
door(grid.norm, grid=(LINE,), psi=(PSI, "state"))
door(
    packets.gaussian,
    grid=(LINE,), centre=(5.0, FINITE, "index"), width=(1.0, POSITIVE), momentum=(1.0, FINITE),
)  # fmt: skip
door(
    packets.superpose,
    grid=(LINE,), packets=(FRAMES,), amplitudes=(jnp.ones(3), "amplitudes"),
)  # fmt: skip
BAD["amplitudes"] = [jnp.zeros(3), jnp.ones(2), jnp.array([1, NAN, 1])]
door(packets.sample_gaussian, key=(KEY,), grid=(BOX,), ranges=(packets.ANYWHERE, "ranges"))
door(packets.carrier_momentum, grid=(BOX,), energy=(2.0, "energy"), axis=(0, "axis"))
BAD["energy"] = [-1.0, NAN, "2"]
BAD["ranges"] = [
    packets.PacketRanges(**{name: bad})
    for name in ("centre", "width", "energy")
    for bad in ((4.0, 2.0), (-2.0, 3.0), (1.0, NAN))
] + [packets.PacketRanges(centre=(0.1, 3.0))]
door(
    packets.sample_superposition,
    key=(KEY,), grid=(BOX,), n_packets=(2, COUNT), ranges=(packets.ANYWHERE, "ranges"),
)  # fmt: skip
door(potentials.barrier, **HILL)
door(potentials.well, **ON_LINE, depth=(3.0, POSITIVE), width=(9.0, POSITIVE))
for shape, n in ((potentials.double, 2), (potentials.triple, 3)):
    heights = tuple(range(1, n + 1))
    door(
        shape, **ON_LINE, heights=(heights, "numbers", "as many"),
        width=(3.0, POSITIVE), gap=(2.0, POSITIVE),
    )  # fmt: skip
door(potentials.steps, **ON_LINE, heights=((1.0, 2.0), "numbers"), width=(9.0, POSITIVE))
door(potentials.triangle, **HILL, skew=(0.0, "skew"))
door(potentials.trapezoid, **HILL, skew=(0.0, "skew"), top=(0.5, SHARE))
BAD["skew"] = [-1.1, 1.1, NAN, "left"]
door(potentials.half_circle, **HILL)
door(potentials.quadratic, **HILL)
door(potentials.harmonic, **ON_LINE, omega=(0.5, POSITIVE))
door(
    potentials.random, **HILL,
    amplitudes=((1.0, 2.0), "numbers", "as many"), phases=((0.1, 0.2), "numbers", "as many"),
)  # fmt: skip
ON_PLANE = {
    "x": (X[:, None], "positions"), "y": (X[None], "positions"), "height": (3.0, FINITE),
    "centre": ((50.0, 50.0), "numbers", "as many"),
}  # fmt: skip
TURNED = ON_PLANE | {"angle": (0.1, FINITE)}
door(
    potentials.double_slit, **TURNED,
    thickness=(2.0, POSITIVE), separation=(9.0, POSITIVE), opening=(2.0, POSITIVE),
)  # fmt: skip
door(potentials.wall, **TURNED, thickness=(2.0, POSITIVE))
door(potentials.slit, **TURNED, thickness=(2.0, POSITIVE), opening=(1.0, POSITIVE))
door(potentials.rectangle, **TURNED, sides=((2.0, 3.0), "numbers", "as many"))
door(potentials.disc, **ON_PLANE, radius=(2.0, POSITIVE))
door(potentials.turned, **{name: kinds for name, kinds in TURNED.items() if name != "height"})
for draw in (families.sample, families.sample_parameters):
    door(draw, key=(KEY,), grid=(BOX, "line"), family=("barrier", "name"))
BAD["complex too"] = [bad for bad in BAD["potential"] if not is_cast_to_complex(bad)]
door(hamiltonian.hamiltonian, grid=(LINE,), v=(V, "complex too"))
door(observables.probability, grid=(LINE,), psi=(PSI, "state"))
door(observables.energy, grid=(LINE,), v=(V, "complex too"), psi=(PSI, "state"))
for measure in (observables.position, observables.momentum, observables.current):
    door(measure, grid=(LINE,), psi=(PSI, "state"), axis=(0, "axis"))
for count in (observables.sides, observables.transmission_reflection):
    door(
        count, grid=(LINE,), psi=(PSI, "state"), left=(4.0, "place"), right=(6.0, "place"),
        axis=(0, "axis"),
    )  # fmt: skip
BAD["place"] = [-1.0, 600.0, NAN, "middle"]
door(eigenstates.eigenstates, grid=(LINE,), v=(V, "potential"), n_states=(3, COUNT, "long"))
door(eigenstates.evolution, grid=(LINE,), v=(V, "potential"))
BAND = band.Band(LINE, 4.0)
door(band.Band, grid=(LINE,), cutoff=(4.0, "cutoff"), above=(1.0, "above"))
BAD |= {"cutoff": [0.0, -1.0, NAN, 0.1, 1e9, "4"], "above": [0.0, -1.0, NAN, 5.0, "1"]}
door(band.to_waves, band=(BAND,), psi=(PSI, "state"))
door(band.from_waves, band=(BAND,), coefficients=(PSI[: BAND.n_wave], "state"))
door(band.elements, v=(V, "state"), rows=(BAND,), columns=(BAND, "other band"))
BAD["other band"] = [band.Band(Grid(32, 10.0), 4.0)]
door(band.project, band=(BAND,), v=(V, "potential"))
door(
    band.fold,
    band=(BAND,),
    v=(V, "potential"),
    energy=(0.5, FINITE, "high"),
    outer=(12.0, "cutoff"),
)
BAD["high"] = [1e6]
door(
    profiles.ProfileConfig,
    extent=(12.0, POSITIVE), low=(0.0, FINITE), high=(9.0, FINITE), smoothing=(0.3, POSITIVE),
    flank=(1.0, POSITIVE),
)  # fmt: skip
PROFILE = profiles.ProfileConfig(smoothing=0.5)
door(profiles.stretch, config=(PROFILE,), grid=(BOX, "line", "narrow"))
BAD["narrow"] = [Grid(256, 19.0), Grid(64, 100.0)]
door(profiles.potential, config=(PROFILE,), grid=(BOX, "line"), u=(jnp.zeros(25), "state"))
door(stationary.scatter, grid=(BOX, "line"), v=(V, "positions"), energy=(2.0, POSITIVE))
door(
    stationary.transmissions,
    grid=(BOX, "line"), v=(V, "positions"), energies=(np.array([2.0]), "energies"),
)  # fmt: skip
door(stationary.wavenumber, grid=(BOX, "line"), energy=(np.array([2.0]), "energies"))
BAD["energies"] = [np.array([-1.0]), np.array([1e9]), np.array([NAN])]
for wave in (stationary.omega, stationary.group_velocity):
    door(wave, grid=(BOX, "line"), k=(np.array([2.0]),))

# Systems, teachers --------------------------------------------------------------------------------

door(
    system.System,
    grid=(LINE, "no grid"), dt=(0.1, "duration"), n_channel=(0, "begin"),
    bounds=((-1.0, 1.0), "range"),
)  # fmt: skip
BAD |= {
    "no grid": [64, None, (64, 10.0)],
    "duration": [0.0, NAN, INF, "2", None, jnp.ones(3), 0.1j],
    "range": [(1.0, -1.0), (NAN, 1.0), (0.0, INF), (0.0,), ("a", "b"), 3.0],
    "begin": [-1, 0.5, NAN, "2"],
}
door(
    system.rollout,
    propagator=(SOLVER, "no propagator"), frames=(FRAMES, "frames of 64"), v=(V, "potential"),
    n_frames=(2, COUNT, "odd"), n0=(0, "no index"), every=(2, COUNT),
)  # fmt: skip
BAD |= {
    "no propagator": [None, UNITARY, "unitary"],
    "frames of 64": [
        lambda a: a[0], lambda a: a[:, 1:], lambda a: a[:0], lambda a: a.real.astype(int),
    ],
    "no index": [0.5, "0", jnp.ones(2, int)],
    "odd": [3],
}  # fmt: skip
door(
    teacher.split_step,
    system=(SHORT,), n_substeps=(9, COUNT), kinetic_cap=(20.0, POSITIVE),
)  # fmt: skip
door(teacher.chebyshev, system=(SHORT, "driven"), tolerance=(1e-6, POSITIVE))
door(
    factory.TeacherConfig,
    solver=("chebyshev", "name"),
    tolerance=(1e-5, POSITIVE),
    n_substeps=(9, COUNT),
)
door(factory.make, config=(factory.TeacherConfig(),), system=(SHORT, "driven"))
door(expansion.bounds_of, system=(SHORT,), v=(V[None], "many potentials"))
BAD["many potentials"] = [lambda a: a.at[0, 0].set(NAN), lambda a: a[:, 1:]]

# Curriculum ---------------------------------------------------------------------------------------

BOTH = ([1.0, 2.0], "numbers")
door(schedules.constant, value=BOTH)
door(schedules.staged, values=(([1.0], [2.0]),), boundaries=([5], "steps"))
BAD["steps"] = [[0], [-3], [], [5, 9], [9, 5]]
door(
    schedules.ramped,
    start=(0.0, FINITE), end=(1.0, FINITE), n_steps=(10, COUNT), begin=(0, "begin"),
)  # fmt: skip
door(
    schedules.loss_driven,
    n_lesson=(2, COUNT), power=(0.5, FINITE), floor=(0.2, SHARE), memory=(0.9, SHARE),
)  # fmt: skip
door(
    schedules.adaptive,
    n_lesson=(2, COUNT), goal=(1e-4, POSITIVE, SHARE), floor=(0.2, SHARE),
    memories=((0.5, 0.9), "memories"),
)  # fmt: skip
BAD["memories"] = [(0.9, 0.5), (0.5, 1.0), (-0.1, 0.5), (0.5,), (NAN, 0.9)]
door(
    schedules.CurriculumConfig,
    lessons=(("free", "barrier"), "some"), weights=((1.0, 2.0), "numbers", "as many", "weights"),
    plan=("constant", "name"), difficulty=((0.0, 1.0), "numbers"), ramp=(0.5, POSITIVE, SHARE),
)  # fmt: skip
BAD["some"] = [(), ("free", "")]
BAD["names"] = [(), ("diving",), ("free", "diving")]
BAD["weights"] = [(-1.0, 2.0), (0.0, 0.0)]
door(schedules.make_schedules, config=(schedules.CurriculumConfig(),), n_steps=(10, COUNT))
for lesson in (
    lessons.free, lessons.scattering, lessons.tunnelling, lessons.interference, lessons.trapping,
    lessons.barrier, lessons.any_potential, lessons.encounters,
):  # fmt: skip
    door(lesson, key=(KEY,), grid=(BOX, "line"), difficulty=(1.0, SHARE))
SQUARE = Grid((160, 160), (40.0, 40.0))
BAD["plane"] = [BOX, Grid((8, 8), (1.0, 9.0)), Grid((4, 4, 4), (9.0, 9.0, 9.0))]
for in_plane in (lessons.wall, lessons.slit, lessons.shape):
    door(in_plane, key=(KEY,), grid=(SQUARE, "plane"), difficulty=(1.0, SHARE))
BAD["small"] = [Grid(64, 5.0), Grid((8, 8), (1.0, 9.0))]
door(lessons.several_packets, key=(KEY,), grid=(SQUARE, "small"), difficulty=(1.0, SHARE))
door(lessons.require_plane, grid=(SQUARE, "plane"), difficulty=(1.0, SHARE))
door(sampling.require_lessons, system=(System(BOX),), names=(("free", "barrier"), "unknown"))
BAD["unknown"] = [("diving",), ("free", "diving")]
door(
    sampling.sample,
    key=(KEY,), system=(System(BOX),), names=(("free", "barrier"), "names"),
    weights=(jnp.array([1.0, 2.0]), "lesson weights"), difficulty=(1.0, SHARE),
)  # fmt: skip
BAD["lesson weights"] = [
    jnp.array(bad) for bad in ([0.0, 0.0], [-1.0, 2.0], [1.0, NAN], [1.0, INF], [1.0], [1.0] * 3)
]

# Students -----------------------------------------------------------------------------------------

BAD["even"] = [4, 22]
door(
    windows.WindowConfig,
    n_window=(23, COUNT, "even"), n_history=(4, COUNT), sigma=(2.8, POSITIVE),
    v_scale=(14.0, POSITIVE), floor=(3e-4, POSITIVE),
)  # fmt: skip
door(windows.offsets, n_window=(5, COUNT, "even"))
BAD["width"] = [0.0, -1.0, NAN, "2"]
door(windows.stitching_weights, n_window=(5, COUNT, "even"), sigma=(2.8, "width"))
door(windows.around, field=(V,), centres=(jnp.arange(3),), n_window=(5, COUNT, "even", "long"))
door(windows.around_all, field=(V,), n_window=(5, COUNT, "even", "long"))
BAD["long"] = [65, 1001]
door(windows.stitch, forecasts=(jnp.ones((64, 5), complex),), sigma=(2.8, "width"))
door(students.WindowedConfig, name=("gru", "name"), n_units=(8, COUNT))
door(
    students.UnitaryConfig,
    n_pairs=(2, COUNT), start=("nothing", "name"), kinetic_cap=(40.0, POSITIVE),
    reach=(8, COUNT), n_units=(8, COUNT), knot_spacing=(0.25, POSITIVE),
)  # fmt: skip
door(
    students.PropagatorConfig,
    n_coarse=(224, COUNT), n_fields=(2, "begin"), widths=((0.1, 0.25), "numbers", "not positive"),
)  # fmt: skip

# Training -----------------------------------------------------------------------------------------

door(
    boxes.SpectraConfig,
    n_box=(64, COUNT), n_states=(8, COUNT, "long"), floor=(0.0, FINITE), ceiling=(12.0, FINITE),
    horizon=(100, COUNT),
)  # fmt: skip
door(boxes.cut_out, key=(KEY,), v=(V, "positions"), n_box=(8, COUNT, "long"))
door(boxes.cut_batch, block=(SPECTRA,), i=(1, "index"))
door(
    batches.BatchConfig,
    n_batch=(4, COUNT), n_block=(4, COUNT), n_runs=(2, COUNT), n_frames=(9, COUNT),
    n_target=(1, COUNT), examples=("windows", "name"), placement=("potential", "name"),
    floor=(0.1, SHARE),
)  # fmt: skip
door(batches.cut_batch, block=(BLOCK,), i=(1, "index"), n_history=(1,))
door(
    stages.Stage,
    n_steps=(2000, COUNT), loss_sigma=(0.0, "size"), power=(1.0, POSITIVE), noise=(0.0, "size"),
    optimiser=("adam", "name"), peak_rate=(1e-3, POSITIVE), final_rate=(1e-6, POSITIVE),
    decay=("linear", "name"), memory=(0.9, SHARE), warm_up=(0.1, SHARE),
    weight_decay=(0.0, "size"), clip=(1.0, POSITIVE),
)  # fmt: skip
door(
    stages.TrainingConfig,
    stages=((stages.Stage(),), "none"), checkpoint_every=(10, COUNT),
    on_divergence=("stop", "name"), diverged=(1e3, POSITIVE, "at most 1"),
    rollback_rate=(0.5, POSITIVE, "large"), max_rollbacks=(3, "begin"),
)  # fmt: skip
BAD |= {"none": [()], "at most 1": [1.0, 0.5], "large": [1.0, 2.0]}
door(stages.clip_each, max_norm=(1.0, POSITIVE))
door(stages.smoke_stage, stage=(stages.Stage(),), n_blocks=(2, "blocks"), n_history=(1, COUNT))
BAD["blocks"] = [0, -1, 0.5]
door(
    losses.window_loss,
    student=(WINDOWED, "frames only"),
    loss_sigma=(0.0, "size"),
    noise=(0.0, "size"),
)
BAD["frames only"] = [UNITARY]
door(losses.rollout_loss, student=(UNITARY,), n_target=(2, COUNT), noise=(0.0, "size"))
door(losses.spectral_loss, student=(UNITARY, "not linear"), config=(boxes.SpectraConfig(),))
BAD["not linear"] = [WINDOWED]

# Forecasts ----------------------------------------------------------------------------------------

for score in (
    metrics.correlation, metrics.fidelity, metrics.phase_correlation, metrics.mae, metrics.nrmse,
):  # fmt: skip
    door(score, forecast=(FRAMES, "state", "frames"), truth=(FRAMES, "state", "frames"))
BAD["frames"] = [lambda a: a[:1], lambda a: a[0]]
door(metrics.norm_drift, forecast=(FRAMES, "state"), psi0=(PSI, "state"))
door(
    metrics.energy_drift,
    grid=(LINE,), v=(V, "complex too"), forecast=(FRAMES, "state"), psi0=(PSI, "state"),
)  # fmt: skip
door(metrics.horizon, correlations=(jnp.ones(4),), dt=(0.1, POSITIVE), threshold=(0.9, SHARE))
door(
    held_out.BenchmarkConfig,
    n_frames=(9, COUNT), n_given=(4, COUNT), tolerance=(1e-6, POSITIVE), n_substeps=(9, COUNT),
    n_cases=(9, COUNT),
)  # fmt: skip
TEST = held_out.BenchmarkConfig(n_frames=1, n_given=1, n_cases=1)
SMALL = System(BOX)
BAD["more"] = [lambda a: (*a, "other")]
BAD["not positive"] = [(0.1, 0.0), (0.1, -1.0), ()]
BAD |= {
    "line system": [System(Grid((8, 8), (9.0, 9.0)))],
    "driven": [dataclasses.replace(Stirred(LINE), bounds=(-1.0, 1.0))],
}
door(
    held_out.make_paper_cases,
    config=(TEST,), system=(SMALL, "line system"), names=(("steps",), "unknown"),
)  # fmt: skip
door(
    held_out.make_held_out,
    config=(TEST,), system=(Stirred(SMALL.grid),), lessons=(("free",), "unknown"),
)  # fmt: skip
door(
    cases.exact,
    system=(SHORT, "driven"),
    v=(V[None], "many potentials"),
    tolerance=(1e-6, POSITIVE),
)
door(
    cases.simulate,
    solver=(SOLVER,), psi0=(PSI[None],), v=(V[None],), n_given=(1, COUNT), n_frames=(2, COUNT),
    family=(("it",), "more"),
)  # fmt: skip
door(cases.measure_cost, propagator=(SOLVER,), cases=(TRUTH,), n_frames=(1, COUNT))
door(paper.make_cases, grid=(BOX, "line"))
door(paper.published_means, model=("full-gru", "name"))
door(baselines.sample_cases, key=(KEY,), grid=(BOX, "line"), n_case=(1, COUNT))

# Insight ------------------------------------------------------------------------------------------

door(
    tasks.TaskConfig,
    band=((3.0, 5.0), "rising"), n_energy=(9, COUNT), share=(0.5, SHARE), passband=(0.3, "width"),
    packet_width=(5.0, POSITIVE), n_packet=(9, COUNT), dwell=(0.0, FINITE),
)  # fmt: skip
BAD["rising"] = [(5.0, 3.0), (0.0, 3.0), (1.0, NAN)]
door(
    tasks.RolloutConfig,
    energies=((3.0, 4.0), "numbers", "as many"), shares=((0.5, 0.5), "numbers", "as many"),
    packet_width=(4.0, POSITIVE),
)  # fmt: skip
door(
    tasks.SearchConfig,
    n_starts=(4, COUNT), n_steps=(9, COUNT), rate=(0.1, POSITIVE), spread=(1.5, "size"),
    middle=(-1.0, FINITE), roughness=(0.0, "size"), seed=(0, "seed"),
)  # fmt: skip

door(
    InterventionConfig,
    cases=(2, COUNT), families=(("barrier",), "unknown"), frames=(80, COUNT), places=(3, COUNT),
    place_cases=(8, COUNT), ahead=((1, 5), "falling"), reach=(24, COUNT), k_band=(8.0, POSITIVE),
)  # fmt: skip
BAD["falling"] = [(), (0, 1), (5, 1), (1, 1)]
door(
    ProbeConfig,
    k_taught=(8.0, POSITIVE), k_max=(12.8, "low"), v_max=(10.0, POSITIVE),
    bump_area=(0.05, POSITIVE), bump_width=(0.15, POSITIVE), bump_packet=(0.02, POSITIVE),
    barrier=((5.0, 1.0), "numbers"), energies=((1.5, 8.5), "numbers"), n_energy=(15, COUNT),
    barrier_packet=(0.03, POSITIVE), double=((5.0, 0.5, 4.0), "numbers"),
    double_packet=((2.6, 0.8), "numbers"),
)  # fmt: skip
BAD["low"] = [7.0, NAN, "2"]
BAD["last"] = [2**32 - 1]
door(
    study.Study,
    seed=(0, "seed", "last"), n_seed=(3, COUNT), n_case=(8, COUNT), n_frames=(60, COUNT),
    n_at_once=(1, COUNT),
)  # fmt: skip

# Runs ---------------------------------------------------------------------------------------------

door(presets.gauged_stage, n_steps=(200, COUNT))
door(
    presets.frames_stage,
    n_steps=(20, COUNT), n_target=(2, COUNT), n_batch=(4, COUNT), peak_rate=(1e-3, POSITIVE),
    power=(1.0, POSITIVE), n_runs=(4, COUNT),
)  # fmt: skip
door(presets.spectra_stage, n_steps=(40, COUNT), peak_rate=(1e-3, POSITIVE))
door(presets.newton_stage, n_steps=(2, COUNT), power=(0.4, POSITIVE))
door(config.Config, seed=(0, "seed"))
door(pretrained.load, name=("unitary", "name"))
door(cluster.make_mesh, n_devices=(1, "devices"))
BAD["devices"] = [0, -1, 9999, 1.5, "2"]
door(cluster.start, n_devices=(1, "none of them"))
BAD["none of them"] = [0, -1, 1.5]

# Studies of our own -------------------------------------------------------------------------------

door(
    diffraction.DiffractionConfig,
    n_cases=(1, COUNT), n_x=(160, COUNT), n_frames=(4, COUNT), every=(2, COUNT),
    tolerance=(1e-6, POSITIVE), n_repeats=(1, COUNT),
)  # fmt: skip
BAD["close"] = [Grid((64, 64), (20.0, 40.0))]
door(scenes.double_slit, key=(KEY,), grid=(SQUARE, "plane", "close"))
door(scenes.forest, key=(KEY,), grid=(SQUARE, "plane", "close"), n_discs=(2, COUNT))
door(
    fringes.FringesConfig,
    momentum=(3.5, POSITIVE), n_frames=(115, COUNT), look=(88, COUNT, "late"),
)  # fmt: skip
BAD["late"] = [116]
SLITS = fringes.FringesConfig(screen=35.0)
door(fringes.make, config=(SLITS,), grid=(SQUARE, "plane"))
door(
    fringes.arrivals,
    grid=(SQUARE,), dt=(0.1, POSITIVE), frames=(jnp.ones((1, 160, 160), complex),),
    screen=(35.0, "place"),
)  # fmt: skip
door(
    frontier.FrontierConfig,
    n_potentials=(40, COUNT), n_units=(20, COUNT), levels=((0.1, 0.01), "numbers"),
)  # fmt: skip
for sample in (frontier.double_slit, frontier.scatterers):
    door(sample, key=(KEY,), grid=(SQUARE, "plane"))
HALF = Grid(32, 10.0)
BAD["too many"] = [256, 1000]
door(resampling.coarse_grid, fine=(BOX,), n_x=(64, COUNT, "too many"))
door(resampling.to_coarse, fine=(LINE,), coarse=(HALF,), f=(PSI, "state"))
door(resampling.to_fine, fine=(LINE,), coarse=(HALF,), f=(PSI[:32], "state"))
door(resampling.low_pass, fine=(LINE,), coarse=(HALF,), v=(V, "state"))
door(resampling.out_of_band, fine=(LINE,), coarse=(HALF,), psi=(PSI, "state"))
door(
    resampling.require_within_band,
    fine=(LINE,), coarse=(HALF,), psi=(PSI, "state"), tolerance=(0.1, SHARE),
)  # fmt: skip


def public_names() -> Iterator[str]:
    """Every public function and class of the package, by module and name."""
    for module in pkgutil.walk_packages(qdistill.__path__, "qdistill."):
        if any(part.startswith("_") for part in module.name.split(".")):
            continue
        loaded = importlib.import_module(module.name)
        for name, thing in vars(loaded).items():
            is_door = inspect.isfunction(thing) or inspect.isclass(thing)
            if is_door and thing.__module__ == module.name and not name.startswith("_"):
                yield name_of(thing)


def bad_calls() -> Iterator[tuple[str, str, Any]]:
    for name, (_, good, kinds) in DOORS.items():
        for argument, of_kinds in kinds.items():
            for kind in of_kinds:
                for bad in BAD[kind]:
                    is_recipe = inspect.isfunction(bad)
                    yield name, argument, bad(good[argument]) if is_recipe else bad


def assert_refused(name: str, argument: str, bad: Any) -> None:
    """In the one form of this package, which names an argument and what it is instead."""
    call, good, _ = DOORS[name]
    try:
        result = call(**good | {argument: bad})
    except ValueError as error:
        words = str(error)
        assert words.startswith("Argument `"), f"{name}({argument}={bad!r}): {words}"
        assert " must be " in words
        assert ", but is " in words
        return
    pytest.fail(f"{name}({argument}={bad!r}) is accepted in silence: {result!r}"[:500])


def test_every_config_is_a_door() -> None:
    """Whatever a module does with it: a config is what a user writes."""
    configs = {name for name in public_names() if name.endswith("Config")}
    assert configs - set(DOORS) == {"students.base.StudentConfig"}, "which has no settings"


def bad_settings(value: Any) -> list[Any]:
    """Values of another kind than a setting has."""
    if isinstance(value, bool):
        return [1, 0.5, "yes", None, [value]]
    if isinstance(value, float):
        return [INF, -INF, NAN, True, [value], np.array([value]), "2"]
    if isinstance(value, tuple):
        wrong = [list(value), [], *([()] if value else []), (*value, ("x",))]
        return wrong + [tuple(INF for _ in value)] * bool(value)
    if isinstance(value, int | str):
        return [2.5, INF, True, [value]]
    return [3, "x", INF]


@pytest.mark.usefixtures("without_checker")
def test_settings_of_another_kind_are_refused_in_words() -> None:
    accepted = []
    for name, (call, good, _) in DOORS.items():
        if not name.endswith(("Config", "Stage", "Study")):
            continue
        config = call(**good)
        for field in dataclasses.fields(config):
            for bad in bad_settings(getattr(config, field.name)):
                words = ""
                try:
                    dataclasses.replace(config, **{field.name: bad})
                except ValueError as error:
                    words = str(error)
                if not words.startswith("Argument `"):
                    accepted.append(f"{name.split('.')[-1]}({field.name}={bad!r}) {words}"[:200])
    # Where () is the default it stands for all, or for equal ones.
    assert accepted == ["CurriculumConfig(weights=()) ", "InterventionConfig(families=()) "]


def test_nothing_is_listed_that_does_not_exist() -> None:
    names = set(public_names())
    known = tuple(f"{place}." for place in ("experiments", "_distribute"))
    assert {name for name in DOORS if not name.startswith(known)} <= names


def arrays_of(call: Callable[..., Any], good: dict[str, Any]) -> list[jax.Array]:
    return [leaf for leaf in jax.tree.leaves(call(**good)) if isinstance(leaf, jax.Array)]


@pytest.mark.usefixtures("without_checker")
def test_good_input_passes() -> None:
    """Without this, a refusal of everything would pass the test below."""
    for name, (call, good, _) in DOORS.items():
        if name == "_distribute.start":
            continue
        try:
            # Arguments are known, and what is made of them is traced: nothing has to be compiled.
            jax.eval_shape(lambda call=call, good=good: arrays_of(call, good))
        except Exception:
            # It looks at a value on its way, or refuses: this call decides.
            jax.block_until_ready(arrays_of(call, good))


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_in_words(capsys: pytest.CaptureFixture) -> None:
    calls, accepted = list(bad_calls()), []
    n_tried = len(calls)
    for name, argument, bad in calls:
        try:
            assert_refused(name, argument, bad)
        except BaseException as error:  # pytest.fail raises no Exception.
            accepted.append(f"{type(error).__name__}: {name}({argument}={bad!r}) {error}"[:300])
    with capsys.disabled():
        print(f"\n{n_tried} bad inputs tried, {n_tried - len(accepted)} refused in words")
    assert not accepted, "\n".join(accepted)
    assert n_tried >= 300


NOT_POSITIVE = st.one_of(st.floats(max_value=0.0), st.just(NAN), st.just(INF), st.text(max_size=3))
NOT_FINITE = st.one_of(st.sampled_from([NAN, INF, -INF]), st.text(max_size=3), st.none())
NOT_A_SHARE = st.one_of(st.floats(max_value=-1e-6), st.floats(min_value=1.0001), st.just(NAN))
NOT_A_COUNT = st.one_of(st.integers(max_value=0), st.floats(), st.booleans(), st.text(max_size=3))
DRAWN = {
    POSITIVE: NOT_POSITIVE, FINITE: NOT_FINITE, SHARE: NOT_A_SHARE, COUNT: NOT_A_COUNT,
}  # fmt: skip
PLACES = [
    (name, argument, kind)
    for name, (_, _, kinds) in DOORS.items()
    for argument, of_kinds in kinds.items()
    for kind in of_kinds
    if kind in DRAWN
]


@pytest.mark.usefixtures("without_checker")
def test_bad_numbers_of_any_size_are_refused_in_words() -> None:
    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(st.data())
    def refused(data: st.DataObject) -> None:
        name, argument, kind = data.draw(st.sampled_from(PLACES))
        assert_refused(name, argument, data.draw(DRAWN[kind]))

    refused()


@given(
    length=st.floats(0.5, 500.0), n_x=st.sampled_from([16, 64]), place=st.floats(0.3, 0.7),
    k=st.floats(-0.9, 0.9),
)  # fmt: skip
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
def test_any_sound_packet_is_normalised_and_where_it_was_put(
    length: float, n_x: int, place: float, k: float
) -> None:
    """The right answer to good input: unit norm, and a mean position within a spacing."""
    line = Grid(n_x, length, "continuum")
    dx = line.dx[0]
    momentum = k * math.pi / dx
    psi = packets.gaussian(line, place * length, max(dx, length / 24), momentum)
    np.testing.assert_allclose(grid.norm(line, psi), 1, rtol=1e-5)
    assert abs(float(observables.position(line, psi)) - place * length) < dx + length / 50


def test_refusals_do_not_mind_how_a_number_is_stored() -> None:
    for one in (1, 1.0, np.float32(1), np.int8(1), jnp.ones(()), jnp.ones((), jnp.bfloat16)):
        checks.require_finite(a=one)
        checks.require_positive(a=one)
        checks.require_between(0, 1, a=one)
