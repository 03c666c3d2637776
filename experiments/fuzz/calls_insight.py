"""Calls of `qdistill.insight`."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.fuzz import calls_discovery
from experiments.fuzz.calls import Calls, Samples
from experiments.fuzz.calls_work import FRAMES
from qdistill.curriculum import CurriculumConfig
from qdistill.insight import design, flight, harness, importance, interventions, probes, symmetries
from qdistill.insight.importance import games, trainings
from qdistill.students import UnitaryConfig
from qdistill.teacher import split_step
from qdistill.training import TrainingConfig, loop


def insight(calls: Calls, s: Samples) -> None:
    """Add the calls of all analyses."""
    _design(calls, s)
    _flight(calls, s)
    _harness(calls, s)
    _importance(calls, s)
    _interventions(calls, s)
    _probes(calls, s)
    _learning(calls, s)
    _symmetries(calls, s)
    calls_discovery.discover(calls, s)


def _design(calls: Calls, s: Samples) -> None:
    add = calls.add
    profile = design.ProfileConfig(6.0, 0.0, 3.0, 1.0)
    packets: dict[str, Any] = {"energies": [1.5, 2.0], "width": 2.0, "extent": 6.0, "dwell": 0.0}
    search = design.SearchConfig(2, 2)
    task = design.TaskConfig(profile, (1.5, 2.0), 3, packet_width=2.0, n_packet=2)
    trial = design.prepare(s.system, **packets)
    solver = split_step(trial.system, 2)
    add(
        design.TaskConfig,
        profile=profile, band=(1.5, 2.0), n_energy=3, share=0.5, passband=None, packet_width=2.0,
        n_packet=2, dwell=0.0,
    )  # fmt: skip
    peaked = dataclasses.replace(task, passband=1.0)
    add(design.TaskConfig.target, self=peaked, energy=np.array([1.5, 2.0]))
    add(
        design.RolloutConfig,
        profile=profile, energies=(1.5, 2.0), shares=(0.5, 0.5), packet_width=2.0,
    )  # fmt: skip
    add(
        design.SearchConfig,
        n_starts=2, n_steps=2, rate=0.1, spread=1.5, middle=-1.0, roughness=1e-5, seed=0,
    )  # fmt: skip
    add(design.descend, config=search, n_knot=2, loss=lambda u: jnp.sum(u**2))
    add(design.embed, v=s.v, n_x=128)
    add(design.optimise, task=task, config=search, system=s.system)
    add(design.prepare, system=s.system, **packets)
    add(design.verify, system=s.system, v=s.v, **packets)
    add(design.averages, trial=trial, v=s.v)
    wide = design.embed(s.v, trial.system.grid.shape[0])
    add(
        design.passing,
        read=lambda shares: shares(wide), propagator=solver, trial=trial, n_frames=2,
    )  # fmt: skip
    u = jnp.zeros(profile.n_knot, float)
    add(
        design.rollout_objective,
        read=lambda loss: loss(u),
        config=search, profile=profile, grid=trial.system.grid,
        passing=design.passing(solver, trial, 2), shares=(0.5, 0.5),
    )  # fmt: skip
    add(
        design.stationary_objective,
        read=lambda loss: loss(u), config=search, task=task, grid=s.line,
    )  # fmt: skip


def _flight(calls: Calls, s: Samples) -> None:
    add = calls.add
    add(flight.evaluate, propagator=s.exact, v=s.v, psi=s.psi, n_frames=2)
    add(flight.count_sides, grid=s.line, v=s.v, psi=s.psi, momentum=2.0)
    sides = {"transmission": 0.5, "reflection": 0.4, "inside": 0.1}
    numbers = {"exact": sides, "forecast": sides, "relative_l2_error": 1e-3, "wraps_around": False}
    add(flight.is_at_edge, grid=s.line, frames=s.frames)
    add(flight.make_table, numbers=numbers)
    lines: dict[str, Any] = {"x": np.ones(2), "t": np.ones(2), "v": np.ones(2)}
    frames = np.ones((2, 2), complex)
    add(flight.FlightReport, numbers=numbers, table="", **lines, truth=frames, frames=frames)


def _harness(calls: Calls, s: Samples) -> None:
    add = calls.add
    emulators, nulls = {"fine": s.solver}, {"coarse": split_step(s.system, 3)}
    panel = harness.make_panel(emulators, nulls)
    small, large = harness.Interval(1e-3, 0.0, 2e-3), harness.Interval(0.5, 0.4, 0.6)
    add(harness.make_panel, emulators=emulators, nulls=nulls)
    add(harness.Member, role="emulator", seeds=(s.solver,))
    add(harness.Panel, system=panel.system, members=panel.members)
    add(harness.Panel.with_controls, self=panel, exact=s.exact, negative={"blind": s.exact})
    add(harness.Panel.without, self=panel, role="null")
    add(harness.Report, numbers={"a": 1.0}, table="a 1")
    add(harness.Report.to_json, self=harness.Report({"a": 1.0}, ""))
    add(harness.bootstrap, values=np.linspace(0, 1, 8).reshape(2, 4), seed=0)
    add(harness.resample, sizes=(2, 4), seed=0)
    add(harness.rounding, n_frames=2, dtype=np.float32)
    add(harness.fires, control=large, claim=small, rounding=1e-5)
    add(
        harness.verdict,
        own=small, exact=small, excess=small, ratio=large, rounding=1e-5,
    )  # fmt: skip
    add(harness.in_words, role="null", name="coarse")
    add(
        harness.make_table,
        columns=["a", "b"], sections={"one": {"row": ["1", "2"]}}, has_words=False,
    )  # fmt: skip
    ratios = np.linspace(0.1, 0.9, 30).reshape(5, 6)
    one = harness.Evidence("as a null model", 0.01, ("coarse",))
    add(harness.p_below, ratios=ratios, others=ratios[:1])
    add(harness.holm, p=[0.01, 0.04])
    add(harness.weigh, ratios=ratios, errors=ratios, nulls={"coarse": (ratios[:1], ratios[:1])})
    add(harness.decide, found={"energy": one})
    add(harness.randomise, propagator=s.solver, key=s.key)
    add(harness.Disturbed, exact=s.exact, network=s.solver, scale=0.1)
    add(harness.Disturbed.__call__, self=harness.Disturbed(s.exact, s.solver, 0.1), v=s.v)
    add(
        harness.disturb,
        emulator=s.solver, exact=s.exact, psi=s.frames[:2], v=s.many_v, n_frames=2, key=s.key,
    )  # fmt: skip
    add(harness.forecast, propagator=s.exact, given=s.frames[:2, None], v=s.many_v, n_frames=2)
    add(harness.recall, exact=s.exact, psi=s.psi, v=s.v, n_given=2)
    add(harness.solve_exactly, system=s.system, bounds=(-16.0, 31.0), tolerance=1e-6)


def _importance(calls: Calls, s: Samples) -> None:
    add = calls.add
    values = np.array([0.0, 1.0, 2.0, 5.0])
    for share in (games.shapley, games.interactions, games.leave_one_out, games.only_one):
        add(share, values=values)
    add(games.coalitions, n_player=2)
    lessons, families = ("free", "trapping"), ("barrier",)
    of_lessons = np.linspace(0.1, 0.9, 8).reshape(1, 4, 2, 1)
    errors = importance.Errors(lessons, families, of_lessons, of_lessons[:, :, :1])
    add(importance.skill, errors=of_lessons[0])
    add(importance.analyse, errors=errors, seed=0)
    found = importance.analyse(errors)
    add(importance.Importance, **vars(found))
    add(importance.short_stage, n_steps=20, n_target=1, n_batch=2, peak_rate=1e-3)
    student = UnitaryConfig(1, n_units=2, reach=2)
    study = importance.Study(
        system=s.system,
        curriculum=CurriculumConfig(lessons),
        student=student,
        training=TrainingConfig((FRAMES,), 2),
        n_seed=1,
        n_case=1,
        n_frames=1,
    )
    add(importance.Study, **vars(study))
    add(importance.smoke, study=study)
    for whole in (importance.evaluate, importance.measure_errors):
        calls.add_slow(whole, study=study)
    params = trainings.initial_params(student.build(s.system), [0])
    add(importance.examine, student=student.build(s.system), params=params, truth=s.cases)
    add(importance.sample_potentials, system=s.system, seed=0, n_case=1, n_frames=1)
    add(trainings.initial_params, student=student.build(s.system), seeds=[0])
    add(trainings.coalition_weights, members=games.coalitions(2))
    calls.add_slow(
        trainings.train,
        read=list,
        student=student.build(s.system), teacher=s.exact, curriculum=study.curriculum,
        training=study.training, weights=np.array([[1.0, 0.0]]), seeds=[0],
    )  # fmt: skip


def _interventions(calls: Calls, s: Samples) -> None:
    add = calls.add
    config = interventions.InterventionConfig(1, ("barrier",), 2, 1, 2, (1,), 2, 4.0)
    add(interventions.InterventionConfig, **vars(config))
    add(interventions.Blind, read=lambda blind: blind(s.v).advance(s.psi), of=s.exact)
    add(
        interventions.make_controls,
        read=lambda pair: pair[0](s.v).advance(s.psi), system=s.system,
    )  # fmt: skip
    exact, _ = interventions.make_controls(s.system)
    gone = interventions.INTERVENTIONS["no potential"]
    add(
        interventions.sample_moments,
        key=s.key, exact=exact, intervention=gone, n_case=1, families=["barrier"],
    )  # fmt: skip
    moments = interventions.Moment(
        s.frames[:2], s.many_v, jnp.array([[14.0, 18.0]] * 2), jnp.array([2.0, 2.0])
    )
    asked: dict[str, Any] = {"exact": exact, "intervention": gone, "moments": moments}
    add(interventions.intervene, **asked, n_given=1, n_frames=2, family=("a", "b"))
    done = interventions.intervene(exact, gone, moments, 1, 2)
    add(interventions.measure_effects, propagator=s.solver, done=done)
    add(interventions.InterventionReport, numbers={}, table="")
    psi = np.asarray(s.frames[:2])
    add(interventions.choose_places, psi=psi, n_place=1, seed=0)
    add(interventions.measure_sizes, psi=psi, v=np.asarray(s.many_v))
    given, places = s.frames[:2, None], np.array([[24], [25]])
    add(
        interventions.measure_derivatives,
        propagator=s.solver, exact=exact, given=given, v=s.many_v, places=places, ahead=(1,),
        reach=2, k_band=4.0, by_differences=False,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    derivatives = interventions.Derivatives(
        rng.normal(size=(2, 1, 1, 6, 5)) + 0j, np.ones((2, 1, 5)), np.arange(-2, 3)
    )
    sizes = interventions.measure_sizes(psi, np.asarray(s.many_v))
    add(interventions.draw_maps, found=derivatives, sizes=sizes)
    add(interventions.compare, seeds=[derivatives], exact=derivatives, seed=0)
    calls.add_slow(interventions.evaluate, emulators={"fine": s.solver}, seed=0, config=config)


def _probes(calls: Calls, s: Samples) -> None:
    add = calls.add
    config = probes.ProbeConfig(
        3.0, 4.0, (1.0, 2.0), 4.0, (1.5, 2.0), 0.05, 0.6, 0.04, 0.01, (2.0, 2.0), (1.5, 2.5), 2,
        0.04, (2.0, 1.0, 2.0), (2.0, 1.5),
    )  # fmt: skip
    add(probes.ProbeConfig, **vars(config))
    add(probes.impulse, grid=s.line, k_band=3.0)
    k = np.linspace(0, 4, 21)
    add(probes.fit_dispersion, k=k, omega=k**2 / 2, k_max=3.0)
    add(probes.find_peaks, x=k, y=np.sin(k) ** 2, prominence=0.05)
    add(probes.transmission, grid=s.line, v=s.v, k=np.array([1.0, 2.0]))
    asked: dict[str, Any] = {"propagator": s.solver}
    add(probes.measure_dispersion, **asked, k_max=4.0)
    add(probes.measure_uniform, **asked, momenta=[1.0, 2.0], v_max=4.0, n_v=2)
    bump: dict[str, Any] = {"momenta": [1.5, 2.0], "packet_width": 1.3}
    add(probes.measure_bump, **asked, **bump, area=0.05, width=0.6)
    add(probes.measure_light_cone, **asked, k_band=3.0, share=0.01)
    add(probes.measure_scattering, **asked, **bump, v=s.v)
    add(probes.measure_resonances, **asked, v=s.v, momentum=2.0, packet_width=1.5)
    calls.add_slow(probes.probe, propagator=s.solver, config=config)
    calls.add_slow(probes.evaluate, emulators={"fine": s.solver}, config=config)
    found = found_by_probes(k)
    add(probes.describe, grid=s.line, config=config, found=found)
    add(
        probes.ProbeReport,
        numbers={}, table="", found={"fine": found}, system=s.system, config=config,
    )  # fmt: skip


def found_by_probes(k: np.ndarray) -> probes.Probes:
    """Return artificial results of probes."""
    zero, v, share = 0 * k, np.linspace(-1, 1, len(k)), np.sin(k) ** 2
    series = probes.Series(0.0, 1.0, 0.0)
    return probes.Probes(
        probes.WaveResponse(k, k**2 / 2, zero, zero, zero),
        probes.SeriesFit(series, series, 0.0),
        probes.UniformResponse(k[:2], v, np.stack([v, v]), k[:2], zero[:2], zero[:2]),
        probes.BumpResponse(k[1:3], k[1:3] + 0j, k[1:3] + 0j, zero[:2], zero[:2]),
        probes.LightCone(
            1 + k, 1 + k, np.multiply.outer(share, share), 6 * k, 6 * k, 6.0, 0.1, 6.0, 7.0
        ),
        probes.Scattering(k, share, 1 - share, share),
        probes.Resonances(k, share, share, share, k[1:2], k[1:2], 0.1),
    )


def _learning(calls: Calls, s: Samples) -> None:
    add = calls.add
    step, error = np.array([0, 10, 20]), np.array([[1.0, 0.9], [0.3, 0.5], [0.1, 0.2]])
    names = ("free", "barrier")
    rules: dict[str, Any] = {"factor": 10.0, "level": 0.1}
    add(probes.steps_until, step=step, error=error, factor=10.0)
    add(probes.describe_learning, step=step, error=error, processes=names, **rules)
    add(probes.Learning, **vars(probes.describe_learning(step, error, names, 10.0, 0.1)))
    add(probes.forecast_errors, propagator=s.solver, truth=s.cases)
    add(probes.sample_lessons, system=s.system, seed=0, n_case=1, n_frames=1, lessons=("free",))
    student = UnitaryConfig(1, n_units=2, reach=2).build(s.system)
    plan = TrainingConfig((FRAMES,), 2)
    trainers = loop.make_trainers(student, s.exact, CurriculumConfig(names), plan)
    calls.add_slow(
        probes.measure_learning,
        student=student, trainers=trainers, boundaries=[2], state=trainers[0].init(s.key),
        truth=s.cases, every=1, **rules,
    )  # fmt: skip


def _symmetries(calls: Calls, s: Samples) -> None:
    add = calls.add
    known = symmetries.make_symmetries(s.line)
    some = {name: known[name] for name in ("mirror", "scaling", "inner products", "composition")}
    add(symmetries.make_symmetries, grid=s.line)
    add(symmetries.v_range, system=s.system, v=s.many_v, symmetries=some)
    drawn: dict[str, Any] = {
        "key": s.key,
        "system": s.system,
        "symmetries": some,
        "lessons": ("barrier",),
    }
    add(symmetries.sample_cases, **drawn, n_case=2, n_given=1, n_frames=2)
    pairs = jnp.stack([s.frames[:2, None]] * 2)
    starts = symmetries.Starts(pairs, s.many_v, ("a", "b"))
    add(symmetries.solve_pairs, exact=s.exact, starts=starts, n_frames=2)
    solved = symmetries.solve_pairs(s.exact, starts, 2)
    asked: dict[str, Any] = {"propagator": s.solver, "exact": s.exact}
    truth = jnp.stack([s.frames[:2]] * 2)
    add(symmetries.run, propagator=s.solver, given=pairs[0], v=s.v, truth=truth)
    ran = symmetries.run(s.solver, pairs[0], s.v, truth)
    add(symmetries.measure, **asked, claim=known["mirror"].claim, ran=ran)
    add(symmetries.measure_all, **asked, cases=solved, symmetries=some, with_lie=False)
    add(symmetries.measure_lie_derivative, **asked, group=known["scaling"].group, ran=ran)
    findings = symmetries.measure_all(s.solver, s.exact, solved, some, with_lie=False)
    add(symmetries.summarise, seeds=[findings], rounding=1e-5, seed=0)
    rows = symmetries.summarise([findings], 1e-5)
    numbers = {
        "n_cases": 2, "seed": 0, "n_frames": 2, "rounding": 1e-5, "roles": {"fine": "emulator"},
        "findings": {"fine": {"barrier": rows}},
    }  # fmt: skip
    add(symmetries.make_table, numbers=numbers)
    add(symmetries.SymmetryReport, numbers=numbers, table="")
    calls.add_slow(
        symmetries.evaluate,
        emulators={"fine": s.solver}, seed=0, n_case=2, n_frames=2, symmetries=some,
        lessons=("barrier",),
    )  # fmt: skip
