"""The tables of docs/laws.md; `pages.py` puts them in.

Each function without arguments is `{laws_found.NAME}` in a marker.
"""

import statistics
from typing import Any

from pages import RESULTS, Number, table


def blind() -> str:
    """Tabulate what was found of hidden terms, by kind."""
    return _found("blind")


def unlisted() -> str:
    """Tabulate what was found of what is on no list, by kind."""
    return _found("blind-unlisted")


def _found(study: str) -> str:
    summary = RESULTS()[study].metrics.summary
    rows = [
        [_WORDS.get(kind, kind), str(sum(row[key] for key in row)), *(str(row[k]) for k in _COUNTS)]
        for kind, row in summary.kinds.items()
    ]
    total = [summary.hidden, *(summary[key] for key in _COUNTS)]
    rows.append(["all", *map(str, total)])
    return table(("hidden", "in files", "found", "found, not told apart", "missed"), rows)


_COUNTS = ("found", "not told apart", "missed")
# Kinds of hidden functions, as a page names them.
_WORDS = {
    "potential": "a potential W(x)",
    "local absorber": "losses in one place, w(x)",
    "drive": "a drive F(t) x",
    "shape": "another function of V, f(V)",
    "quintic": "a nonlinear term of higher order, g",
    "hidden mirror": "a mirror symmetry",
}


def false() -> str:
    """Return the files with a false claim, as text."""
    return _false("blind")


def false_unlisted() -> str:
    """Return the files with something on no list and a false claim, as text."""
    return _false("blind-unlisted")


def _false(study: str) -> str:
    rows = [row for row in RESULTS()[study].metrics.files if list(row["false"])]
    if not rows:
        return "none"
    return "; ".join(f"file {row.seed} ({_hidden(row)}) {_claims(row['false'])}" for row in rows)


def _claims(claims: Any) -> str:
    return ", ".join(claims).replace("-i |V|", "losses by V").replace("|", " or ")


def missed() -> str:
    """Return what was missed, with its strength and the noise of the file."""
    return _missed("blind")


def wide_strengths() -> int:
    """Count the strengths of V that were read in planes and across channels."""
    return sum(
        len(dict(row.law.strengths.items())) for row in RESULTS()["blind-wide"].metrics.files
    )


def missed_wide() -> str:
    """Return what was missed in planes and across channels."""
    return _missed("blind-wide") or "none"


def false_wide() -> str:
    """Return the files of planes and channels with a false claim, as text."""
    return _false("blind-wide")


def wide() -> str:
    """Tabulate what was found of hidden terms in planes and across channels."""
    rows = []
    for kind, row in RESULTS()["blind-wide"].metrics.summary.items():
        counts = (
            row.hidden,
            *(row[key] for key in _COUNTS),
            row["files with a false claim"],
            row["files with a strength that excludes 1"],
        )
        forms = (f"{right} of {n}" for right, n in (row["one mass"], row["several masses"]))
        held = f"{row['intervals that hold the truth']} of {row.intervals}"
        name = {"plane": "plane", "channels": "two channels"}.get(kind, kind)
        rows.append([name, f"{row.files}", *map(str, counts), *forms, held])
    return table(
        ("", "systems", "hidden terms", "found", "found, not told apart", "missed",
         "systems with a false claim",
         "with a strength that excludes 1",
         "one mass, recognised", "two masses, recognised", "intervals that hold the truth"),
        rows,
    )  # fmt: skip


def missed_unlisted() -> str:
    """Return what was missed of what is on no list."""
    return _missed("blind-unlisted")


def _missed(study: str) -> str:
    rows = [row for row in RESULTS()[study].metrics.files if list(row.missed)]
    return "; ".join(
        f"{kind} of {row.hidden[kind]:.1g} at noise {row.noise:.0e}"
        for row in rows
        for kind in row.missed
    )


def claimed() -> int:
    """Return the number of functions that were claimed in files with listed terms only."""
    return sum(len(list(row.law.functions)) for row in RESULTS()["blind"].metrics.files)


def unlisted_files() -> dict[str, int]:
    """Count the things on no list, and the listed terms that were hidden next to them."""
    kinds = RESULTS()["blind-unlisted"].metrics.summary.kinds
    found = dict.fromkeys(("n", "found", "listed", "listed found"), 0)
    for kind, row in kinds.items():
        of = "" if kind in _WORDS else "listed "
        found[of.strip() or "n"] += sum(row[key] for key in row)
        found[f"{of}found"] += int(row.found)
    return found


def functions() -> dict[str, str]:
    """Return errors of the functions that were read, and shares of them in their intervals."""
    worst = max(
        (row for row in RESULTS()["blind-unlisted"].metrics.files if list(row.functions)),
        key=lambda row: max(float(each[0]) for _, each in row.functions.items()),
    )
    rows = [
        each
        for row in RESULTS()["blind-unlisted"].metrics.files
        for _, each in row.functions.items()
    ]
    errors, shares = (sorted(float(each[i]) for each in rows) for i in (0, 1))
    return {
        "n": str(len(rows)),
        "median": f"{statistics.median(errors):.1%}",
        "large": str(sum(error > 0.1 for error in errors)),
        "largest": f"{errors[-1]:.0%}",
        "left": f"{worst.law.error:.0%}",
        "share": f"{statistics.median(shares):.0%}",
        "least": f"{shares[0]:.0%}",
    }


def _hidden(row: Any) -> str:
    words = [f"{kind} {size:.2g}" for kind, size in row.hidden.items()]
    return ", ".join(words) or "nothing unusual"


def laws() -> str:
    """Tabulate the laws read from forecasts."""
    of = RESULTS()["laws"].metrics
    rows = []
    for name, row in of.summary.items():
        n = f", {row.n} trainings" * (row.n > 1)
        role = " (null model)" * (of.roles[name] == "null")
        forms = "; ".join(f"{form}: {count} of {row.n}" for form, count in row.forms.items())
        terms = ", ".join(f"{term} ({count})" for term, count in row.terms.items())
        cells = [
            f"{row.error.mean:.1e}",
            forms.replace("|k|", "k"),
            _interval(row.mass, 5),
            _interval(row.quartic, 3),
            terms.replace("|", "\\|") or "none",
        ]
        rows.append([f"{name}{role}{n}", *cells])
    heads = ("member", "error", "T", "mass", "k⁴ over the lattice's", "further terms (in how many)")
    return table(heads, rows)


_KINDS = {"splittings": ("demo", "unitary"), "networks": ("gru-demo",)}


def on_lattice() -> dict[str, str]:
    """Count the trainings whose forecasts have the lattice's dispersion."""
    return {kind: f"{len(_on_lattice(kind))} of {len(_laws(kind))}" for kind in _KINDS}


def alike() -> dict[str, int]:
    """Count those of them in which a dispersion of one more number fits as well."""
    found = {}
    for kind in _KINDS:
        rows = [row.errors for row in _on_lattice(kind)]
        # Squared errors alike within the margin of a choice.
        found[kind] = sum(
            min(row["relativistic"], row["k^2/2 + b k^4"]) ** 2 * 0.95 <= row.lattice**2
            for row in rows
        )
    return found


def _laws(kind: str) -> list[Any]:
    of = RESULTS()["laws"].metrics.laws
    return [row.law for name in _KINDS[kind] for row in of[name]]


def _on_lattice(kind: str) -> list[Any]:
    return [law for law in _laws(kind) if law.form == "lattice"]


def _interval(of: Any, digits: int) -> str:
    ends = f" ({of.low:.{digits}f} to {of.high:.{digits}f})" if "low" in list(of) else ""
    return f"{of.mean:.{digits}f}{ends}"


def masses() -> str:
    """Tabulate masses over the true ones, and strengths of V, read from forecasts."""
    rows = []
    for run, place in (
        ("masses-plane", "plane"),
        ("masses-tully", "Tully 2"),
        ("masses-tully-gru", "Tully 2"),
    ):
        of = RESULTS()[run].metrics
        for who, row in of.summary.items():
            if who == "exact solver" and run == "masses-tully-gru":
                continue
            forms = "; ".join(f"{form}: {n} of {row.n}" for form, n in row.forms.items())
            cells = [
                "; ".join(_mean(f"{name} ", each) for name, each in row[kind].items())
                for kind in ("masses", "strengths")
            ]
            rows.append(
                [
                    place,
                    _label(who, of.roles[who], row.n),
                    f"{Number(row.error.mean):.1e}",
                    forms,
                    *cells,
                ]
            )
    return table(("system", "member", "error", "masses", "over the true ones", "strengths"), rows)


def coupling() -> dict[str, str]:
    """Return the strength of the coupling in the paper's network, by what it was taught."""
    summary = RESULTS()["masses-tully-gru"].metrics.summary
    kinds = ("crossing", "placebo")
    return {kind: _mean("", summary[f"gru-{kind}-dt10"].strengths.V01, 2) for kind in kinds}


def null_coupling() -> str:
    """Return the strength of the coupling in the null model of the networks taught placebos."""
    summary = RESULTS()["masses-tully-gru"].metrics.summary
    return _mean("", summary["disturbed gru-placebo-dt10"].strengths.V01, 2)


def _label(who: str, role: str, n: int) -> str:
    words = {"null": " (null model)"}.get(role, "")
    return f"{who.removesuffix('-seed0')}{f', {n} trainings' * (n > 1)}{words}"


def _mean(name: str, row: Any, digits: int = 4) -> str:
    """The mean, with its interval if there are several trainings."""

    mean = f"{name}{row.mean:.{digits}f}"
    return mean if row.n < 2 else f"{mean} ({row.low:.{digits}f} to {row.high:.{digits}f})"
