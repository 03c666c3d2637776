"""Calls of `qdistill.curriculum`, `students`, `training` and `forecast`."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.fuzz.calls import Calls, Samples
from qdistill import curriculum as lessons_of
from qdistill import students as forms
from qdistill.curriculum import CurriculumConfig, crossings, lessons
from qdistill.forecast import BenchmarkConfig, baselines, cases, held_out, metrics, paper
from qdistill.physics.grid import Grid
from qdistill.students import UnitaryConfig, WindowConfig, WindowedConfig
from qdistill.students.feedforward import Linear
from qdistill.system import System
from qdistill.training import (
    BatchConfig,
    Stage,
    TrainingConfig,
    batches,
    boxes,
    loop,
    losses,
    stages,
)

FRAMES = Stage(2, BatchConfig(2, 2, 2, n_frames=3, n_target=2, examples="frames"), peak_rate=1e-3)
PLAN = CurriculumConfig(("free", "barrier"))


def curriculum(calls: Calls, s: Samples) -> None:
    """Add the calls of lessons and schedules."""
    add = calls.add
    for lesson in (
        lessons.free, lessons.scattering, lessons.tunnelling, lessons.interference,
        lessons.trapping, lessons.barrier, lessons.any_potential, lessons.encounters,
    ):  # fmt: skip
        add(lesson, key=s.key, grid=s.line, difficulty=0.5)
    for lesson in (lessons.wall, lessons.slit, lessons.shape, lessons.several_packets):
        add(lesson, key=s.key, grid=s.plane, difficulty=0.5)
    add(lessons.require_plane, grid=s.plane, difficulty=0.5)
    for lesson in (crossings.crossing, crossings.channel_flight, crossings.channel_step):
        add(lesson, key=s.key, grid=Grid(64, 48.0), difficulty=0.5, is_placebo=False)
    add(
        crossings.channel_coupling,
        key=s.key, grid=Grid(64, 48.0), difficulty=0.5, is_placebo=False, strongest=0.1,
    )  # fmt: skip

    def half_way(schedule: Any) -> Any:
        return schedule(5)

    add(
        CurriculumConfig,
        lessons=("free", "barrier"), weights=(1.0, 2.0), plan="constant", difficulty=(0.0, 1.0),
        ramp=0.5,
    )  # fmt: skip
    add(lessons_of.constant, read=half_way, value=[1.0, 2.0])
    add(lessons_of.staged, read=half_way, values=[1.0, 2.0], boundaries=[4])
    add(lessons_of.ramped, read=half_way, start=0.0, end=1.0, n_steps=10, begin=2)
    ramp = lessons_of.ramped(0.0, 1.0, 10)
    constant = lessons_of.constant(1.0)
    add(lessons_of.mixed, read=half_way, first=constant, second=ramp, share=ramp)
    add(
        lessons_of.make_schedules,
        read=lambda both: [each(5) for each in both], config=PLAN, n_steps=10,
    )  # fmt: skip
    add(
        lessons_of.loss_driven,
        read=lambda driven: driven.weights(driven.init()),
        n_lesson=2, power=0.5, floor=0.2, memory=0.9,
    )  # fmt: skip
    add(
        lessons_of.adaptive,
        read=lambda driven: (driven.weights(driven.init()), driven.competence(driven.init())),
        n_lesson=2, goal=1e-4, floor=0.2, memories=(0.5, 0.9),
    )  # fmt: skip
    names, weights = ("free", "barrier"), jnp.array([1.0, 2.0])
    add(lessons_of.require_lessons, system=s.system, names=names)
    add(
        lessons_of.sample,
        key=s.key, system=s.system, names=names, weights=weights, difficulty=0.5,
    )  # fmt: skip


def students(calls: Calls, s: Samples) -> None:
    """Add the calls of students, with a forecast of each."""
    add = calls.add
    windowed = WindowedConfig("linear", 4, WindowConfig(5, 2))
    unitary, effective = UnitaryConfig(1, n_units=2, reach=2), forms.PropagatorConfig(48, 2)

    def forecast(student: Any) -> Any:
        emulator = student.bind(student.init(s.key))
        return emulator.forecast(s.frames[: student.n_history], s.v, 2)

    add(
        UnitaryConfig,
        n_pairs=1, start="nothing", kinetic_cap=40.0, reach=2, n_units=2, mirror=True,
        reversible=True, knot_spacing=0.25, smooth=False,
    )  # fmt: skip
    add(forms.PropagatorConfig, n_coarse=48, n_fields=2, widths=(0.5, 1.0))
    add(
        WindowConfig,
        n_window=5, n_history=2, sigma=2.8, v_scale=14.0, gauge=False, floor=3e-4,
    )  # fmt: skip
    add(WindowedConfig, name="linear", n_units=4, windows=WindowConfig(5, 2))
    add(forms.StudentConfig)
    add(forms.BandStudent, form=effective, system=s.system, taught=s.line)
    for kind, form in (
        (forms.EffectiveHamiltonian, effective),
        (forms.Splitting, unitary),
        (forms.Windowed, windowed),
    ):
        add(kind, read=forecast, form=form, system=s.system)
        add(type(form).build, read=lambda student: None, self=form, system=s.system)
    student = unitary.build(s.system)
    params = student.init(s.key)
    emulator = student.bind(params)
    add(forms.Emulator, student=student, params=params, config=None, score=None, provenance=())
    add(forms.Emulator.forecast, self=emulator, psi=s.psi, v=s.v, n_frames=2)
    add(forms.Emulator.on, self=emulator, grid=Grid(128, 64.0))
    add(forms.Student.on, self=student, grid=Grid(128, 64.0))
    add(forms.Splitting.dispersion, self=student, params=params)
    add(forms.Splitting.phases, self=student, params=params, v=s.v)
    add(forms.count_parameters, params=params)
    add(forms.register, name="linear", network=Linear)


def training(calls: Calls, s: Samples) -> None:
    """Add the calls of batches, boxes, losses, stages and the training loop."""
    _stages(calls)
    _batches(calls, s)
    _boxes(calls, s)
    _losses(calls, s)


def _stages(calls: Calls) -> None:
    add = calls.add
    add(
        BatchConfig,
        n_batch=2, n_block=2, n_runs=2, n_frames=3, n_target=2, examples="frames",
        placement="potential", floor=0.05,
    )  # fmt: skip
    add(
        Stage,
        n_steps=2, batches=FRAMES.batches, relative=False, loss_sigma=0.0, power=1.0, noise=0.0,
        optimiser="adam", peak_rate=1e-3, final_rate=1e-6, decay="linear", memory=0.999,
        warm_up=0.01, weight_decay=0.01, clip=1.0,
    )  # fmt: skip
    add(
        TrainingConfig,
        stages=(FRAMES,), checkpoint_every=2, on_divergence="stop", diverged=1e3,
        rollback_rate=0.5, max_rollbacks=2,
    )  # fmt: skip
    tree = {"a": jnp.ones((2, 2), float)}

    def step(optimiser: Any) -> Any:
        return optimiser.update(tree, optimiser.init(tree), tree)[0]

    add(stages.smoke_stage, stage=FRAMES, n_blocks=2, n_history=4)
    add(stages.learning_rate, read=lambda rate: rate(jnp.int32(1)), stage=FRAMES)
    add(stages.make_optimiser, read=step, stage=FRAMES)
    add(stages.clip_each, read=step, max_norm=1.0)
    add(loop.is_finite, tree=tree)


def _batches(calls: Calls, s: Samples) -> None:
    add = calls.add
    weights = jnp.array([1.0, 2.0])
    config, names = FRAMES.batches, PLAN.lessons
    zeros = jnp.zeros((2, 2), int)
    block = batches.Block(s.frames[None], s.v[None], zeros[0, :1], zeros, zeros, zeros)
    add(
        batches.make_block,
        read=lambda maker: maker(s.key, weights, 0.5),
        teacher=s.exact, names=names, config=config, n_history=1, n_window=5,
    )  # fmt: skip
    add(batches.cut_batch, block=block, i=1, n_history=1, n_target=1, n_window=5)
    add(
        batches.sample_places,
        key=s.key, config=config, n_history=1, n_window=5, frames=s.frames[None], v=s.v[None],
    )  # fmt: skip
    add(
        batches.make_batch,
        block_maker=lambda key, weights, difficulty: block, config=config, n_history=1,
        n_window=5, key=s.key, step=1, weights=weights, difficulty=0.5, begin=0,
    )  # fmt: skip
    add(batches.window_weights, config=config, n_window=5, psi=s.frames, v=s.v)


def _boxes(calls: Calls, s: Samples) -> None:
    add = calls.add
    config, weights = boxes.SpectraConfig(16, 4), jnp.array([1.0, 2.0])
    states = jnp.stack([jnp.eye(16, dtype=float)[:4]] * 2)
    spectra = boxes.Spectra(
        jnp.ones((2, 4), float), states, jnp.zeros((2, 16), float), jnp.zeros(2, int)
    )
    block = boxes.SpectraBlock(spectra, jnp.zeros((2, 2), int))
    add(boxes.SpectraConfig, n_box=16, n_states=4, floor=0.0, ceiling=12.0, horizon=100)
    add(boxes.cut_out, key=s.key, v=s.v, n_box=16)
    add(boxes.box_of, system=s.system, config=config)
    add(
        boxes.make_block,
        read=lambda maker: maker(s.key, weights, 0.5),
        system=s.system, names=PLAN.lessons, config=config, n_runs=2, shape=(2, 2),
    )  # fmt: skip
    add(boxes.cut_batch, block=block, i=1)


def _losses(calls: Calls, s: Samples) -> None:
    add = calls.add
    zero = jnp.zeros(2, int)
    windowed = WindowedConfig("linear", 4, WindowConfig(5, 2)).build(s.system)
    unitary = UnitaryConfig(1, n_units=2, reach=2).build(s.system)
    params, params_windowed = unitary.init(s.key), windowed.init(s.key)
    whole = batches.Batch(jnp.stack([s.frames] * 2), s.many_v, zero, zero)
    windows = batches.Batch(whole.psi[..., :5], s.many_v[:, 20:25], zero, zero)
    config = boxes.SpectraConfig(16, 4)
    spectra = boxes.Spectra(
        jnp.ones((2, 4), float),
        jnp.stack([jnp.eye(16, dtype=float)[:4]] * 2),
        jnp.zeros((2, 16), float),
        zero,
    )
    add(
        losses.window_loss,
        read=lambda loss: loss(params_windowed, windows, s.key),
        student=windowed, relative=False, loss_sigma=2.0, noise=0.0,
    )  # fmt: skip
    add(
        losses.rollout_loss,
        read=lambda loss: loss(params, whole, s.key), student=unitary, n_target=2, noise=0.0,
    )  # fmt: skip
    add(
        losses.spectral_loss,
        read=lambda loss: loss(params, spectra, s.key), student=unitary, config=config, start=None,
    )  # fmt: skip
    optimiser = stages.make_optimiser(FRAMES)
    state = loop.TrainState(
        jnp.zeros((), jnp.int32), params, optimiser.init(params), jnp.zeros(2, float), s.key
    )
    loss = losses.rollout_loss(unitary, 2)
    add(
        loop.train_step,
        read=lambda stepped: (stepped[0].params, stepped[1]),
        losses_of=loss, power=1.0, optimiser=optimiser, state=state, batch=whole,
    )  # fmt: skip
    taught: dict[str, Any] = {"student": unitary, "teacher": s.exact, "lessons": PLAN}
    plan = TrainingConfig((FRAMES,), 2)
    add(
        loop.make_trainers,
        read=lambda trainers: trainers[0].init(s.key).params, **taught, config=plan,
        weights=jnp.array([1.0, 2.0]),
    )  # fmt: skip
    trainers = loop.make_trainers(**taught, config=plan)
    add(
        loop.fit,
        read=lambda blocks: [new.params for new, _ in blocks],
        trainers=trainers, boundaries=[2], state=trainers[0].init(s.key),
    )  # fmt: skip


def forecast(calls: Calls, s: Samples) -> None:
    """Add the calls of cases, metrics, the held-out test and baselines."""
    add = calls.add
    truth = s.frames[:, ::-1] + s.frames
    for score in (
        metrics.correlation, metrics.fidelity, metrics.phase_correlation, metrics.mae,
        metrics.nrmse,
    ):  # fmt: skip
        add(score, forecast=s.frames, truth=truth)
    add(metrics.norm_drift, forecast=s.frames, psi0=s.psi)
    add(metrics.energy_drift, grid=s.line, v=s.v, forecast=s.frames, psi0=s.psi)
    add(metrics.horizon, correlations=jnp.array([1.0, 0.9, 0.5]), dt=0.1, threshold=0.8)
    config = BenchmarkConfig(n_frames=2, n_given=1, n_cases=2, n_substeps=4)
    add(BenchmarkConfig, n_frames=2, n_given=1, tolerance=1e-5, n_substeps=4, n_cases=2)
    add(
        cases.Cases,
        given=s.cases.given, v=s.cases.v, frames=s.cases.frames, family=s.cases.family,
    )  # fmt: skip
    frames = s.cases.frames[:, ::-1]
    per_frame = cases.measure(s.system, s.cases, frames)
    read = _first_step(s)
    add(cases.exact, read=read, system=s.system, v=s.many_v, tolerance=1e-6)
    add(
        cases.simulate,
        solver=s.exact, psi0=s.frames[:2], v=s.many_v, n_given=1, n_frames=2, family=("a", "b"),
    )  # fmt: skip
    add(cases.forecast, propagator=s.exact, cases=s.cases)
    add(cases.measure_cost, read=lambda cost: None, propagator=s.exact, cases=s.cases, n_frames=2)
    add(cases.measure, system=s.system, cases=s.cases, frames=frames)
    add(cases.summarise, names=s.cases.family, per_frame=per_frame)
    add(held_out.make_truth, read=read, config=config, system=s.system, v=s.many_v)
    add(held_out.make_paper_cases, config=config, system=s.system, names=("steps",))
    add(held_out.make_held_out, config=config, system=System(s.plane), lessons=("packets",))
    add(paper.make_cases, grid=s.line)
    add(paper.published)
    add(paper.published_means, model="full-gru")
    add(baselines.sample_cases, key=s.key, grid=s.line, n_case=2)
    add(baselines.best_clamped, system=s.system, n_substeps=1, truth=s.cases)
    errors = baselines.case_errors(per_frame)
    add(baselines.case_errors, per_frame=per_frame)
    add(baselines.summarise, families=s.cases.family, errors=errors)
    evaluation = baselines.evaluate({"it": s.exact}, 0, 2, config, (1,))
    add(
        baselines.evaluate,
        propagators={"it": s.exact}, seed=0, n_case=2, config=config, pairs=(1,),
    )  # fmt: skip
    add(baselines.table, evaluation=evaluation)
    np.testing.assert_equal(evaluation["n_frames"], 2)


def _first_step(s: Samples) -> Any:
    def read(propagator: Any) -> Any:
        step = propagator(s.v)
        return step.decode(step.advance(step.encode(s.psi[None], 0)))

    return read
