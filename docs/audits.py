"""The tables on waves, symmetries and interventions; see `pages.py`.

Each function without arguments is `{audits.NAME}` in a marker.
"""

import math
import statistics
from collections.abc import Iterable
from typing import Any

import scipy.special
from pages import RESULTS, Number, table

# Families of potentials, as they are called in the results and in the table.
GROUPS = {"taught": "in lessons", "other": "others"}
# Verdicts on what is violated by rounding only, or in the same way by all.
BUILT_IN = ("holds", "as the teacher", "unlike the teacher")


def waves() -> str:
    """Tabulate the waves of all trainings of `demo`, next to a null model."""
    return _waves("probes")


def network_waves() -> str:
    """Tabulate the waves of the paper's network, next to null models of its error."""
    return _waves("probes-gru-demo", "probes-gru")


def fast_share() -> str:
    """Return the share of a uniform V that the fastest waves of five networks feel."""
    rows = RESULTS()["probes-gru-demo"].metrics.probes.items()
    shares = [row.uniform.coupling[3] for name, row in rows if name.startswith("gru")]
    return _over(shares, 3, 0.0)


def quartic_error() -> Number:
    """Return the largest error of the k^4 term of the paper's network, over the lattice's."""
    rows = [
        row.dispersion.quartic_over_lattice_error
        for study in ("probes-gru-demo", "probes-gru")
        for name, row in RESULTS()[study].metrics.probes.items()
        if name.startswith("gru")
    ]
    return Number(max(rows))


def _waves(*studies: str) -> str:
    groups: dict[str, list[Any]] = {}
    for study in studies:
        found: dict[str, list[Any]] = {}
        for name, row in RESULTS()[study].metrics.probes.items():
            found.setdefault(name.split(", seed ")[0], []).append(row)
        # The exact solver, which comes first, is the same in all.
        groups |= found
    mass, quartic, uniform, front = [], [], [], []
    for rows in groups.values():
        fits = [row.dispersion for row in rows]
        mass.append(_over((of.mass_au for of in fits), 3, fits[0].mass_error_au))
        errors = fits[0].quartic_over_lattice_error
        quartic.append(_over((of.quartic_over_lattice for of in fits), 3, errors))
        felt = [share for row in rows for share in row.uniform.coupling]
        uniform.append(f"{min(felt):.4f} to {max(felt):.4f}")
        speeds = (row.light_cone.front_speed_bohr_per_au for row in rows)
        front.append(_over(speeds, 3, rows[0].light_cone.front_speed_error_bohr_per_au))
    expected = rows[0].light_cone.expected_front_speed_bohr_per_au
    names = [_trained(name, len(rows)) for name, rows in groups.items()]
    body = [
        ["mass", *mass],
        ["k⁴ term over the lattice's", *quartic],
        ["share of a uniform V that is felt", *uniform],
        [f"speed of a front, bohr a.u.⁻¹ ({expected:.3f} expected)", *front],
    ]
    return table(("", *names), body)


def _over(values: Iterable[float], digits: int, error: float) -> str:
    """The mean over trainings with its 95% t interval; of one, the value and its own error."""
    found = list(values)
    if len(found) < 2:
        return f"{found[0]:.{digits}f} ± {Number(error):.0e}"
    half = scipy.special.stdtrit(len(found) - 1, 0.975) * statistics.stdev(found)
    mean, half = statistics.mean(found), half / math.sqrt(len(found))
    return f"{mean:.{digits}f} ({mean - half:.{digits}f} to {mean + half:.{digits}f})"


def _trained(name: str, n: int) -> str:
    if name == "exact solver":
        return name
    is_null = name.startswith(("clamped", "takahashi", "fourth", "disturbed"))
    return f"`{name}`" + (" (null model)" if is_null else f", {n} training{'s' * (n > 1)}")


RHO = ("cases", "symmetry", "rho (95%)", "lowest rho of a matched null model", "verdict")


def symmetries() -> str:
    """Tabulate rho of what is not built in, for `demo` and its matched null models."""
    return table(RHO, _audited(RESULTS()["symmetries"].metrics, "demo"))


def new_cases() -> str:
    """Tabulate the same for `unitary` and `demo` on the cases of the questions fixed in advance."""
    of = RESULTS()["fixed_questions"].metrics
    rows = [[f"`{name}`", *row] for name in ("unitary", "demo") for row in _audited(of, name)]
    return table(("ten trainings", *RHO), rows)


def filtered() -> str:
    """Tabulate the same next to null models that see the potential through a filter."""
    runs = {"unitary": "filtered_nulls", "demo": "filtered_nulls"}
    runs["demo-newton"] = "filtered_nulls-newton"
    rows = [
        [f"`{name}`", *row]
        for name, run in runs.items()
        for row in _audited(RESULTS()[run].metrics, name)
    ]
    return table(("ten trainings", *RHO), [row for row in rows if row[2] != "energy"])


def _audited(of: Any, name: str) -> list[list[str]]:
    """The rows of an audit on what is not built in."""
    return [
        [kind, symmetry, _rho(row), _lowest(of, row, kind, symmetry) or "—", _verdict(row)]
        for kind, found in of.findings[name].items()
        for symmetry, row in found.items()
        if row.verdict not in BUILT_IN
    ]


def _lowest(of: Any, row: Any, kind: str, symmetry: str) -> str:
    """The lowest rho of the matched null models of a row, and their number."""
    nulls = list(row.evidence.nulls) if "evidence" in row else []
    theirs = sorted((of.findings[null][kind][symmetry].rho.median, null) for null in nulls)
    return f"{theirs[0][0]:.2f} (`{theirs[0][1]}`, of {len(nulls)})" if nulls else ""


def symmetries_gru() -> str:
    """Tabulate rho of `gru-demo` and of its null model, with verdicts, by kind of case."""
    of = RESULTS()["symmetries-gru"].metrics
    kinds = of.findings["gru-demo"]
    null = of.findings["disturbed gru-demo"]
    rows: dict[str, list[str]] = {}
    for kind, found in kinds.items():
        for symmetry, row in found.items():
            rho, theirs = (f"{each.rho.median:.2f}" for each in (row, null[kind][symmetry]))
            measured = f"{rho} / {theirs}, " if row.verdict not in BUILT_IN else ""
            rows.setdefault(symmetry, []).append(measured + _verdict(row))
    return table(("rho of `gru-demo` / null model", *kinds), [[k, *of] for k, of in rows.items()])


def agreement() -> dict[str, Any]:
    """Count the rows in which `gru` and `gru-demo` have the same verdict by rho, and all rows.

    Under ``"lower"`` is by how much rho of `gru` is lower in the others, least and most.
    """
    long, short = (
        RESULTS()[f"symmetries-{run}"].metrics.findings[name]
        for run, name in (("gru-long", "gru"), ("gru", "gru-demo"))
    )
    pairs = [
        (row, short[kind][symmetry])
        for kind, found in long.items()
        for symmetry, row in found.items()
    ]
    lower = [
        second.rho.median - first.rho.median
        for first, second in pairs
        if first.verdict != second.verdict
    ]
    return {
        "same": len(pairs) - len(lower),
        "all": len(pairs),
        "lower": f"{min(lower):.2f} to {max(lower):.2f}",
    }


def _rho(row: Any) -> str:
    rho = row.rho
    return f"{rho.median:.2f} ({rho.low:.2f} to {rho.high:.2f})"


def _verdict(row: Any) -> str:
    if not row.control_fires:
        return f"{row.verdict}; the control does not fire"
    if "evidence" not in row:
        return str(row.verdict)
    p = row.evidence.p
    return row.evidence.verdict + (f", p = {p:.1g}" if math.isfinite(p) else "")


def removed() -> str:
    """Tabulate the relative error of the effect of each intervention, for all members."""
    of = RESULTS()["interventions"].metrics
    who = [name for name, role in of.roles.items() if role in ("emulator", "null")]
    rows = []
    for name, each in of.interventions.items():
        if not each.control_fires:
            continue
        cells = [_effect(each.findings[member], group) for member in who for group in GROUPS]
        rows.append([name, f"{each.exact.all.effect.median:.2f}", *cells])
    heads = (f"`{member}`: {words}" for member in who for words in GROUPS.values())
    return table(("", "exact effect", *heads), rows)


def _effect(found: Any, group: str) -> str:
    if group not in found:
        return ""
    error = found[group].effect_error
    return f"{error.median:.1e} ({error.low:.1e} to {error.high:.1e})"
