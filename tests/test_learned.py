"""The numbers of results/learned.md are those that the scripts wrote."""

import json
import pathlib
from typing import Any

RESULTS = pathlib.Path(__file__).parents[1] / "results"
TEXT = " ".join((RESULTS / "learned.md").read_text().split())


def result(name: str) -> Any:
    return json.loads((RESULTS / name / "metrics.json").read_text())


def span(values: list[float], digits: int) -> str:
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def listed(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def test_ratios_of_symmetries() -> None:
    findings = result("symmetries")["findings"]

    def rho(who: str, kind: str, name: str) -> str:
        found = findings[who][kind][name]["rho"]
        return f"rho {found['median']:.2f} ({found['low']:.2f} to {found['high']:.2f})"

    barriers, others = "barriers", "other landscapes"
    gru = {name: rho("gru", barriers, name) for name in findings["gru"][barriers]}
    assert f"{rho('demo', barriers, 'energy')} on barriers and wells" in TEXT
    assert f"{rho('demo', others, 'energy')} on other landscapes" in TEXT
    assert f"superposition: {gru['superposition']} on barriers" in TEXT
    assert f"{rho('gru', others, 'superposition').removeprefix('rho ')} elsewhere" in TEXT
    assert f"goes on as before, {gru['composition']}" in TEXT
    assert f"the mirror, {gru['mirror']}, nor time reversal, {gru['time reversal']}" in TEXT
    assert f"inner products are conserved, {gru['inner products']}" in TEXT
    assert f"only a phase, {gru['constant in V']}" in TEXT
    boosts = [
        f"{findings[who][barriers]['Galilean boost']['violation']['median']:.0e}"
        for who in ("exact solver", "demo", "gru")
    ]
    assert (
        "by {} of psi on this lattice; both students break it by {} and {}".format(*boosts) in TEXT
    )


def test_waves() -> None:
    found = result("probes")["probes"]
    demo, gru = found["demo"], found["gru"]
    waves = demo["dispersion"]
    mass = f"{waves['mass_au']:.4f} ± {waves['mass_error_au']:.4f}"
    quartic = f"{waves['quartic_over_lattice']:.2f} ± {waves['quartic_over_lattice_error']:.2f}"
    assert f"moves is {mass}, and its k⁴ term {quartic} of the lattice's" in TEXT
    waves = gru["dispersion"]
    assert f"`gru` is {waves['mass_au']:.2f} ± {waves['mass_error_au']:.2f}" in TEXT
    assert waves["quartic_over_lattice_error"] > 1
    assert f"feels {span(gru['uniform']['coupling'], 3)} of it" in TEXT
    assert f"`gru` feels {span(gru['bump']['forward'], 2)} in the phase" in TEXT
    assert f"reflects {span(gru['bump']['backward'], 2)} of the amplitude" in TEXT
    bumps = span(demo["bump"]["forward"], 4), span(demo["bump"]["backward"], 3)
    assert "`demo` {} and {}".format(*bumps) in TEXT
    cones = [each["light_cone"] for each in (demo, gru)]
    fronts = [f"{cone['front_speed_bohr_per_au']:.2f}" for cone in cones]
    fronts.append(f"{cones[0]['expected_front_speed_bohr_per_au']:.2f}")
    assert "{} bohr per a.u. in `demo` and at {} in `gru`, against {}".format(*fronts) in TEXT
    double = demo["double_barrier"]
    assert f"stand at {listed(double['expected_resonances_hartree'])} hartree" in TEXT
    assert f"in `demo` at {listed(double['resonances_hartree'])};" in TEXT
    two = gru["double_barrier"]["resonances_hartree"]
    assert f"two of the three, at {listed(two)}." in TEXT


def test_order_of_learning() -> None:
    learning = result("probes")["learning"]
    steps = learning["steps_until_level"]
    last = {name: f"{errors[-1]:.1e}" for name, errors in learning["error"].items()}
    assert steps["tunnelling"] == steps["trapping"] == max(steps.values())
    assert f"after {steps['free']} steps in free flight, after {steps['scattering']} in" in TEXT
    assert f"after {steps['interference']} in interference, and last" in TEXT
    assert f"last, after {steps['trapping']}, in tunnelling and trapping" in TEXT
    assert (
        f"stands at {last['free']} in free flight, {last['interference']} in interference" in TEXT
    )
    assert f"{last['scattering']} in scattering, {last['trapping']} in trapping" in TEXT
    assert f"{last['tunnelling']} in tunnelling, the process that stays worst" in TEXT
    assert max(last, key=lambda name: learning["error"][name][-1]) == "tunnelling"


def test_importance_of_processes() -> None:
    found = result("importance")["decades_of_error"]["all landscapes"]
    shares = {
        name: f"{share['mean']:.2f} ({share['low']:.2f} to {share['high']:.2f})"
        for name, share in found["shapley"].items()
    }
    assert f"a Shapley value of {shares['trapping']} decades" in TEXT
    for name in ("tunnelling", "scattering", "interference"):
        assert f"{name} {shares[name]}" in TEXT
    assert f"free flight {shares['free']}:" in TEXT
    values = found["value_by_coalition"]
    together = values["+".join(found["shapley"])]
    assert f"better, {values['trapping']:.2f}, than that of all five" in TEXT
    assert f"in as many steps, {together:.2f}." in TEXT
    assert values["trapping"] > together
    assert all(pair["mean"] < 0 for pair in found["interaction"].values())


def test_causes() -> None:
    found = result("causes")
    done = found["interventions"]
    names = (
        *("no landscape", "phase flipped", "no trapped part", "barrier closed", "no fast waves"),
    )
    moved = [done[name]["exact"]["all"]["moved"]["median"] for name in names]
    said = "moves {:.2f} of the probability, the relative phase of two packets {:.2f}, "
    said += "the trapped part {:.2f}, tunnelling {:.2f}, and the waves beyond k = 6 that sharp "
    assert (said + "edges make {:.3f}").format(*moved) in TEXT

    def median(who: str, name: str, what: str = "unfaithfulness", group: str = "all") -> float:
        return done[name]["findings"][who][group][what]["median"]

    usual = [n for n in done if n not in ("nothing", "barrier closed", "wall", "no fast waves")]
    spans = {
        (who, what): span([median(who, name, what) for name in usual], digits)
        for who in ("demo", "gru")
        for what, digits in (("unfaithfulness", 3), ("excess", 1))
    }
    assert (
        f"`demo` is {spans['demo', 'unfaithfulness']} and that of `gru` "
        f"{spans['gru', 'unfaithfulness']}, {spans['demo', 'excess']} and "
        f"{spans['gru', 'excess']} times the error"
    ) in TEXT
    assert round(median("blind solver", "no landscape"), 5) == 1
    assert f"but {median('blind solver', 'no reflected part'):.3f} where the reflected" in TEXT
    closed = {w: done["barrier closed"]["findings"][w] for w in ("demo", "gru")}
    closed = {w: each["unfaithfulness_by_family"] for w, each in closed.items()}
    assert f"On barriers `gru` follows with {closed['gru']['barrier']:.2f};" in TEXT
    assert f"a tower on a slope, with {closed['gru']['triangle']:.2f};" in TEXT
    mine = [f"{closed['demo'][family]:.3f}" for family in ("barrier", "triangle")]
    assert "`demo` with {} and {}.".format(*mine) in TEXT
    assert f"meets it with an unfaithfulness of {median('demo', 'wall'):.3f};" in TEXT
    blown = median("gru", "wall", "own_effect", "taught")
    assert f"`gru` blows up to {blown:.1e} times the norm" in TEXT
    fast = [median(w, "no fast waves") for w in ("demo", "gru")]
    times = [median(w, "no fast waves", "excess") for w in ("demo", "gru")]
    said = "is {:.2f} for `demo` and {:.2f} for `gru`, {:.0f} and {:.0f} times their usual errors"
    assert said.format(*fast, *times) in TEXT


def test_derivatives() -> None:
    found = result("causes")["sensitivity"]

    def error(who: str, kind: str, channel: str, ahead: int = 0) -> float:
        return found[kind][who]["relative_error"][channel]["all"][ahead]["value"]

    points, waves = ([error(w, k, "psi") for w in ("demo", "gru")] for k in ("points", "waves"))
    assert "are wrong by {:.2f} in `demo` and {:.2f} in `gru`".format(*points) in TEXT
    assert "waves up to k = 8 by {:.3f} and {:.3f}".format(*waves) in TEXT
    *frames, _, past = found["waves"]["gru"]["total"]["Re psi"]
    assert "oldest first, are {:.2f}, {:.2f}, {:.2f} and {:.2f}, and".format(*frames) in TEXT
    exact = found["waves"]["exact solver"]["total"]["Re psi"][0]
    assert f"the newest has {past:.2f}, where the exact solver's one frame has {exact:.2f}" in TEXT
    by_v = found["waves"]["gru"]["relative_error"]["v"]["all"][0]
    assert f"error of {by_v['value']:.2f} ({by_v['low']:.2f} to {by_v['high']:.2f})" in TEXT
    heights = [error("gru", "waves", "height", ahead) for ahead in (0, 1)]
    assert "better, {:.2f} after one frame and {:.2f} after five".format(*heights) in TEXT
    mine = error("demo", "waves", "v"), error("demo", "waves", "height")
    assert "`demo` {:.2f} and {:.2f}.".format(*mine) in TEXT
