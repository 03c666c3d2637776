"""Bad input to every public function: a refusal in words, never silence.

`DOORS` gives a good call of each public function that takes plain values, and the kind of each of
its arguments; a kind knows what is bad. What is no such door stands in `INSIDE`, with the reason.
"""

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
from qdistill._rollout import rollout

import qdistill
from experiments.diffraction import exam as diffraction
from experiments.diffraction import fringes
from experiments.frontier import cases as frontier
from experiments.frontier import resampling
from qdistill import _checks as arguments
from qdistill import _distribute as cluster
from qdistill import students, substeps
from qdistill.curriculum import lessons, sampling
from qdistill.curriculum import schedules as curriculum
from qdistill.forecast import baselines as generalisation
from qdistill.forecast import benchmark, metrics
from qdistill.physics import band, families, grid, observables, packets, potentials
from qdistill.physics.grid import Grid
from qdistill.runs import config, presets, pretrained
from qdistill.students import windows
from qdistill.system import System
from qdistill.teacher import factory as teacher
from qdistill.teacher import solvers as solver
from qdistill.training import batches, losses, stages
from qdistill.training import boxes as spectra

NAN, INF = float("nan"), float("inf")
LINE, BOX = Grid(64, 10.0), Grid(256, 100.0)
PSI = jnp.ones(64, jnp.complex64)
FRAMES = jnp.ones((3, 64), jnp.complex64)
V = jnp.zeros(64)
X = BOX.positions()
KEY = jax.random.key(0)
STUDENT = students.from_propagator(solver.split_step(LINE, 0.1, 2))
BLOCK = batches.Block(
    FRAMES[None], V[None], jnp.zeros(1, int), *(jnp.zeros((2, 4), int) for _ in range(3))
)
SPECTRA = spectra.SpectraBlock(
    spectra.Spectra(jnp.zeros((1, 3)), jnp.ones((1, 3, 8)), jnp.zeros((1, 8)), jnp.zeros(1, int)),
    jnp.zeros((2, 4), int),
)

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
    "box": [Grid(64, 50.0), Grid(64, 1000.0), Grid(64, 5.29), Grid((8, 8), (100.0, 100.0))],
    "state": [lambda a: a[..., :-1], lambda a: a[..., None], lambda a: a[..., :0]],
    "landscape": [
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


COUNT, POSITIVE, FINITE, SHARE = "count", "positive", "finite", "share"
LANDSCAPE = {"x": (X, "positions"), "centre": (50.0, FINITE)}
HILL = LANDSCAPE | {"height": (3.0, FINITE), "width": (9.0, POSITIVE)}

door(grid.Grid, shape=(64, COUNT), lengths=(10.0, POSITIVE), dispersion=("lattice", "name"))
door(grid.inner_product, grid=(LINE,), phi=(PSI, "state"), psi=(PSI, "state"))
door(grid.norm, grid=(LINE,), psi=(PSI, "state"))
door(
    packets.gaussian,
    grid=(LINE,), centre=(5.0, FINITE, "index"), width=(1.0, POSITIVE), momentum=(1.0, FINITE),
)  # fmt: skip
door(
    packets.superpose,
    grid=(LINE,), packets=(FRAMES,), amplitudes=(jnp.ones(3), "landscape"),
)  # fmt: skip
DOORS["packets.superpose"].kinds["amplitudes"] = ["amplitudes"]
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
door(potentials.well, **LANDSCAPE, depth=(3.0, POSITIVE), width=(9.0, POSITIVE))
for shape, n in ((potentials.double, 2), (potentials.triple, 3)):
    heights = tuple(range(1, n + 1))
    door(
        shape, **LANDSCAPE, heights=(heights, "numbers", "as many"),
        width=(3.0, POSITIVE), gap=(2.0, POSITIVE),
    )  # fmt: skip
door(potentials.steps, **LANDSCAPE, heights=((1.0, 2.0), "numbers"), width=(9.0, POSITIVE))
door(potentials.triangle, **HILL, skew=(0.0, "skew"))
door(potentials.trapezoid, **HILL, skew=(0.0, "skew"), top=(0.5, SHARE))
BAD["skew"] = [-1.1, 1.1, NAN, "left"]
door(potentials.half_circle, **HILL)
door(potentials.quadratic, **HILL)
door(potentials.harmonic, **LANDSCAPE, omega=(0.5, POSITIVE))
door(
    potentials.random, **HILL,
    amplitudes=((1.0, 2.0), "numbers", "as many"), phases=((0.1, 0.2), "numbers", "as many"),
)  # fmt: skip
door(
    potentials.double_slit,
    x=(X[:, None], "positions"), y=(X[None], "positions"), height=(3.0, FINITE),
    thickness=(2.0, POSITIVE), separation=(9.0, POSITIVE), opening=(2.0, POSITIVE),
    centre=((50.0, 50.0), "numbers", "as many"), angle=(0.1, FINITE),
)  # fmt: skip
PLANE = {
    "x": (X[:, None], "positions"), "y": (X[None], "positions"), "height": (3.0, FINITE),
    "centre": ((50.0, 50.0), "numbers", "as many"),
}  # fmt: skip
TURNED = PLANE | {"angle": (0.1, FINITE)}
door(potentials.wall, **TURNED, thickness=(2.0, POSITIVE))
door(potentials.slit, **TURNED, thickness=(2.0, POSITIVE), opening=(1.0, POSITIVE))
door(potentials.rectangle, **TURNED, sides=((2.0, 3.0), "numbers", "as many"))
door(potentials.disc, **PLANE, radius=(2.0, POSITIVE))
door(potentials.turned, **{name: kinds for name, kinds in TURNED.items() if name != "height"})
for draw in (families.sample, families.sample_parameters):
    door(draw, key=(KEY,), grid=(BOX, "line"), family=("barrier", "name"))
BAD["duration"] = [0.0, NAN, INF, "2", None, jnp.ones(3)]
door(
    solver.split_step,
    grid=(LINE,), dt=(0.1, "duration"), n_substeps=(9, COUNT), kinetic_cap=(20.0, POSITIVE),
)  # fmt: skip
BAD["range"] = [(1.0, -1.0), (NAN, 1.0), (0.0, INF)]
door(
    solver.chebyshev,
    grid=(LINE,), dt=(0.1, "duration"), tolerance=(1e-6, POSITIVE), v_range=((-1.0, 1.0), "range"),
)  # fmt: skip
door(solver.hamiltonian, grid=(LINE,), v=(V, "landscape"))
door(rollout, step=(jnp.sin,), state=(1.0,), n_frames=(2, COUNT))
door(observables.probability, grid=(LINE,), psi=(PSI, "state"))
door(observables.energy, grid=(LINE,), v=(V, "local"), psi=(PSI, "state"))
BAD["local"] = BAD["landscape"][:-1]
for measure in (observables.position, observables.momentum, observables.current):
    door(measure, grid=(LINE,), psi=(PSI, "state"), axis=(0, "axis"))
door(
    observables.transmission_reflection,
    grid=(LINE,), psi=(PSI, "state"), left=(4.0, "place"), right=(6.0, "place"), axis=(0, "axis"),
)  # fmt: skip
BAD["place"] = [-1.0, 600.0, NAN, "middle"]
for score in (
    metrics.correlation, metrics.fidelity, metrics.phase_correlation, metrics.mae, metrics.nrmse,
):  # fmt: skip
    door(score, forecast=(FRAMES, "state", "frames"), truth=(FRAMES, "state", "frames"))
BAD["frames"] = [lambda a: a[:1], lambda a: a[0]]
door(metrics.norm_drift, forecast=(FRAMES, "state"), psi0=(PSI, "state"))
door(
    metrics.energy_drift,
    grid=(LINE,), v=(V, "landscape"), forecast=(FRAMES, "state"), psi0=(PSI, "state"),
)  # fmt: skip
door(metrics.horizon, correlations=(jnp.ones(4),), dt=(0.1, POSITIVE), threshold=(0.9, SHARE))
BOTH = ([1.0, 2.0], "numbers")
door(curriculum.constant, value=BOTH)
door(curriculum.staged, values=(([1.0], [2.0]),), boundaries=([5], "steps"))
BAD["steps"] = [[0], [-3], [], [5, 9], [9, 5]]
door(
    curriculum.ramped,
    start=(0.0, FINITE), end=(1.0, FINITE), n_steps=(10, COUNT), begin=(0, "begin"),
)  # fmt: skip
BAD["begin"] = [-1, 0.5, NAN, "2"]
door(
    curriculum.loss_driven,
    n_lesson=(2, COUNT), power=(0.5, FINITE), floor=(0.2, SHARE), memory=(0.9, SHARE),
)  # fmt: skip
door(
    curriculum.CurriculumConfig,
    lessons=(("free", "barrier"), "some"), weights=((1.0, 2.0), "numbers", "as many", "weights"),
    plan=("constant", "name"), difficulty=((0.0, 1.0), "numbers"), ramp=(0.5, POSITIVE, SHARE),
)  # fmt: skip
BAD["some"] = [(), ("free", "")]
BAD["names"] = [(), ("diving",), ("free", "diving")]
BAD["weights"] = [(-1.0, 2.0), (0.0, 0.0)]
door(curriculum.make_schedules, config=(curriculum.CurriculumConfig(),), n_steps=(10, COUNT))
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
BAD["odd"] = [4, 22]
door(
    windows.WindowConfig,
    n_window=(23, COUNT, "odd"), n_history=(4, COUNT), sigma=(2.8, POSITIVE),
    v_scale=(14.0, POSITIVE), floor=(3e-4, POSITIVE),
)  # fmt: skip
door(windows.offsets, n_window=(5, COUNT, "odd"))
BAD["width"] = [0.0, -1.0, NAN, "2"]
door(windows.stitching_weights, n_window=(5, COUNT, "odd"), sigma=(2.8, "width"))
door(windows.around, field=(V,), centres=(jnp.arange(3),), n_window=(5, COUNT, "odd", "long"))
door(windows.around_all, field=(V,), n_window=(5, COUNT, "odd", "long"))
BAD["long"] = [65, 1001]
door(windows.stitch, forecasts=(jnp.ones((64, 5), complex),), sigma=(2.8, "width"))
door(
    spectra.SpectraConfig,
    n_box=(64, COUNT), n_states=(8, COUNT, "long"), floor=(0.0, FINITE), ceiling=(12.0, FINITE),
    horizon=(100, COUNT),
)  # fmt: skip
door(spectra.eigenstates, grid=(LINE,), v=(V, "landscape"), n_states=(3, COUNT, "long"))
door(spectra.cut_out, key=(KEY,), v=(V, "positions"), n_box=(8, COUNT, "long"))
door(spectra.cut_batch, block=(SPECTRA,), i=(1, "index"))
door(
    batches.BatchConfig,
    n_batch=(4, COUNT), n_block=(4, COUNT), n_runs=(2, COUNT), n_frames=(9, COUNT),
    n_target=(1, COUNT), examples=("windows", "name"), placement=("landscape", "name"),
    floor=(0.1, SHARE),
)  # fmt: skip
door(batches.cut_batch, block=(BLOCK,), i=(1, "index"), n_t=(2,))
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
    on_divergence=("stop", "name"), diverged=(1e3, POSITIVE, "small"),
    rollback_rate=(0.5, POSITIVE, "large"), max_rollbacks=(3, "begin"),
)  # fmt: skip
BAD |= {"none": [()], "small": [1.0, 0.5], "large": [1.0, 2.0]}
door(stages.clip_each, max_norm=(1.0, POSITIVE))
door(presets.gauged_stage, n_steps=(200, COUNT))
door(
    presets.frames_stage,
    n_steps=(20, COUNT), n_target=(2, COUNT), n_batch=(4, COUNT), peak_rate=(1e-3, POSITIVE),
    power=(1.0, POSITIVE), n_runs=(4, COUNT),
)  # fmt: skip
door(presets.spectra_stage, n_steps=(40, COUNT), peak_rate=(1e-3, POSITIVE))
door(presets.smoke_stage, stage=(stages.Stage(),), n_blocks=(2, "blocks"))
BAD["blocks"] = [0, -1, 0.5]
door(
    losses.window_loss,
    student=(STUDENT._replace(forecast_window=lambda params, psi, v: psi[-1]),),
    window=(windows.WindowConfig(),),
    loss_sigma=(0.0, "size"), noise=(0.0, "size"),
)  # fmt: skip
door(losses.rollout_loss, student=(STUDENT,), n_target=(2, COUNT), noise=(0.0, "size"))
door(
    losses.spectral_loss,
    student=(STUDENT._replace(is_linear=True),), dt=(0.1, POSITIVE),
    config=(spectra.SpectraConfig(),),
)  # fmt: skip
door(students.StudentConfig, name=("gru", "name"), n_units=(8, COUNT))
door(students.make, config=(students.StudentConfig("unitary"),), grid=(BOX,), dt=(0.1, POSITIVE))
door(
    students.UnitaryConfig,
    n_pairs=(2, COUNT), start=("nothing", "name"), kinetic_cap=(40.0, POSITIVE),
    reach=(8, COUNT), n_units=(8, COUNT), knot_spacing=(0.25, POSITIVE),
)  # fmt: skip
door(
    students.LocalConfig,
    n_layers=(1, COUNT), kernel_reach=(8, COUNT), reach=(8, COUNT), n_units=(8, COUNT),
)  # fmt: skip
door(
    students.FNOConfig,
    n_channels=(4, COUNT), n_layers=(2, COUNT), n_modes=(8, COUNT), v_scale=(14.0, POSITIVE),
)  # fmt: skip
door(
    teacher.TeacherConfig,
    n_dim=(1, COUNT), n_x=(64, COUNT), length=(100.0, POSITIVE), dispersion=("lattice", "name"),
    dt=(0.1, "duration"), solver=("chebyshev", "name"), tolerance=(1e-5, POSITIVE),
    v_range=((-1.0, 1.0), "range"), n_substeps=(10, COUNT),
)  # fmt: skip
door(
    benchmark.BenchmarkConfig,
    n_frames=(9, COUNT), n_given=(4, COUNT), tolerance=(1e-6, POSITIVE),
)  # fmt: skip
door(benchmark.make_cases, grid=(BOX, "box"))
door(benchmark.published_means, model=("full-gru", "name"))
door(generalisation.sample_cases, key=(KEY,), grid=(BOX, "box"), n_case=(1, COUNT))
door(
    generalisation.clamped,
    grid=(LINE,), dt=(0.1, "duration"), n_pairs=(2, COUNT), kinetic_cap=(20.0, POSITIVE),
)  # fmt: skip
door(
    diffraction.DiffractionConfig,
    n_cases=(1, COUNT), n_x=(160, COUNT), n_frames=(4, COUNT), every=(2, COUNT),
    tolerance=(1e-6, POSITIVE), n_repeats=(1, COUNT),
)  # fmt: skip
BAD["close"] = [Grid((64, 64), (20.0, 40.0))]
door(diffraction.sample_double_slit, key=(KEY,), grid=(SQUARE, "plane", "close"))
door(diffraction.sample_forest, key=(KEY,), grid=(SQUARE, "plane", "close"), n_discs=(2, COUNT))
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
    fringes.maxima,
    y=(np.arange(5.0),), profile=(np.array([0.0, 1.0, 2.0, 1.5, 0.0]), "state"), least=(0.05,),
)  # fmt: skip
door(
    frontier.FrontierConfig,
    n_potentials=(40, COUNT), n_units=(20, COUNT), levels=((0.1, 0.01), "numbers"),
)  # fmt: skip
BAD["too many"] = [256, 1000]
door(resampling.coarse_grid, fine=(BOX, "line"), n_x=(64, COUNT, "too many"))
door(config.Config, seed=(0, "seed"))
door(pretrained.load, name=("unitary", "name"))
door(cluster.make_mesh, n_devices=(1, "devices"))
BAD["devices"] = [0, -1, 9999, 1.5, "2"]
door(cluster.start, n_devices=(1, "none of them"))
BAD["none of them"] = [0, -1, 1.5]

# What needs no case of its own here, by name or by the start of a name, and why.
HALF = Grid(32, 10.0)
BAND = band.Band(LINE, 2 * math.pi * 5 / 10)
door(resampling.to_coarse, fine=(LINE,), coarse=(HALF,), f=(PSI, "state"))
door(resampling.to_fine, fine=(LINE,), coarse=(HALF,), f=(PSI[:32], "state"))
door(resampling.low_pass, fine=(LINE,), coarse=(HALF,), v=(V, "state"))
door(resampling.out_of_band, fine=(LINE,), coarse=(HALF,), psi=(PSI, "state"))
door(
    resampling.require_within_band,
    fine=(LINE,), coarse=(HALF,), psi=(PSI, "state"), tolerance=(0.1, SHARE),
)  # fmt: skip
door(
    substeps.choose,
    grid=(LINE,), dt=(0.1, FINITE), error=(1e-2, POSITIVE), v=(V[None] + FRAMES[:1].real,),
    psi=(FRAMES[:1],), n_frames=(1, COUNT), is_capped=(False,), most=(64, COUNT),
)  # fmt: skip
BAD["cutoff"] = [0.0, -1.0, NAN, 0.1, 1e3, "2"]
door(band.Band, grid=(LINE,), cutoff=(3.0, "cutoff"), above=(1.0, POSITIVE))
door(band.to_waves, band=(BAND,), psi=(PSI, "state"))
door(band.from_waves, band=(BAND,), coefficients=(PSI[:11], "state"))
door(band.elements, v=(V, "state"), rows=(BAND,), columns=(BAND,))
door(band.project, band=(BAND,), v=(V, "landscape"))
door(band.fold, band=(BAND,), v=(V, "landscape"), energy=(0.5, FINITE), outer=(12.0, "cutoff"))

INSIDE = {
    "arguments.": "the refusals themselves: test_arguments",
    "devices.": "test_devices",
    "cluster.": "takes functions and meshes, or the state of this process: test_cluster",
    "records.": "files of a run: test_faults",
    "provenance.": "takes a run's folder: test_provenance",
    "datasets.": "test_datasets",
    "pretrained.": "takes files and folders of runs, or what `load` gave: test_pretrained",
    "signals.": "no arguments: test_faults",
    "divergence.": "takes a run's own metrics: test_faults",
    "checkpoints.": "takes a run's own state: test_faults",
    "runs.": "takes a config, which refuses, and folders: test_runs, test_faults",
    "training.": "takes what stages, students and solver made: test_training",
    "story.": "takes a run's folder: test_story",
    "comparison.": "takes stories of runs: test_story",
    "tracking.": "takes folders of runs: test_story",
    "report.": "takes a run's own results: test_runs",
    "ladder.": "takes configs and its own results: test_ladder",
    "importance.": "test_importance",
    "causes.": "takes the package's own worlds: test_causes, test_sensitivity",
    "throughput.": "takes its own problems and results: test_throughput",
    "diffraction.": "takes configs and the package's own cases: test_diffraction",
    "fringes.": "takes a config, which refuses: test_diffraction",
    "contenders.": "takes settings that solvers refuse: test_frontier",
    "costs.": "takes contenders: test_frontier_costs",
    "frontier.": "takes configs, which refuse, and its own results: test_frontier",
    "physics.files.": "text, files and values: test_files",
    "expansion.": "what `chebyshev` is made of: test_expansion, test_solver",
    "physics.band.kinetic": "takes a band, which refuses: test_band",
    "physics.band.differentiate": "takes matrices over a band: test_band",
    "physics.eigenbasis.": "takes matrices that `project` and `fold` made: test_eigenbasis",
    "rollout.repeat": "what `rollout` is made of: test_rollout",
    "solver.dense": "takes a propagator, which refuses: test_solver",
    "probes.": "test_probes",
    "design.": "test_design",
    "symmetry.": "test_symmetry",
    "plots": "test_plots",
    "students.": "networks and what they are made of, from configs that refuse: test_students",
    "config.": "JSON that is refused in test_config",
    "curriculum.mixed": "takes schedules",
    "presets.smoke": "takes a config",
    "stages.": "takes a stage, which refuses",
    "teacher.make": "takes a config, which refuses",
    "batches.": "takes configs and the package's own arrays: test_batches",
    "spectra.": "takes configs and the package's own arrays: test_spectra",
    "windows.": "takes the package's own arrays: test_windows",
    "benchmark.": "takes the package's own runs: test_benchmark",
    "generalisation.": "takes the package's own runs: test_generalisation",
}
# Named tuples hold what they are given.
RECORDS = {
    *("Batch", "Block", "Runs", "Case", "Cases", "Family", "PacketRanges", "LossDriven"),
    "Substeps",
}


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


def test_every_public_function_is_a_door_or_has_a_reason() -> None:
    known = tuple(INSIDE)
    missing = [
        name
        for name in sorted(set(public_names()))
        if name not in DOORS and not name.startswith(known) and name.split(".")[-1] not in RECORDS
    ]
    assert not missing, "add to DOORS in this file: " + ", ".join(missing)


def test_nothing_is_listed_that_does_not_exist() -> None:
    names = set(public_names())
    assert set(DOORS) <= names
    for start in INSIDE:
        assert any(name.startswith(start) for name in names), start


@pytest.mark.usefixtures("without_checker")
def test_good_input_passes() -> None:
    """Without this, a refusal of everything would pass the test below."""
    for name, (call, good, _) in DOORS.items():
        if name != "cluster.start":
            jax.block_until_ready(jax.tree.leaves(call(**good)))


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
        arguments.require_finite(a=one)
        arguments.require_positive(a=one)
        arguments.require_between(0, 1, a=one)
