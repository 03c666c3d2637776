"""The tables on curricula, on few runs and on the paper's own training; see `pages.py`.

Each function without arguments is `{plans.NAME}` in a marker.
"""

import statistics
from typing import Any

from compared import BARRIERS
from pages import RESULTS, Number, table

SETS = {"smooth": "smooth", "sharp": "sharp edges", "paper": "the paper's 25 cases"}


def _found() -> Any:
    return RESULTS()["curriculum"].metrics


def _long() -> Any:
    """The results of each long training, with more plans than those of the same number of steps."""
    return RESULTS()["curriculum-long"].metrics.budgets


def _more() -> Any:
    """The results of long trainings by further plans, next to the same seeds of `mixed` again."""
    return RESULTS()["curriculum-long-plans"].metrics.budgets


def _budgets() -> dict[str, Any]:
    return dict(_found().budgets.items()) | dict(_long().items())


def frames() -> str:
    """Return the number of the teacher's frames in a training of each number of steps."""
    budgets = _found().budgets.items()
    return ", ".join(f"{of.frames:,} in {int(budget):,} steps" for budget, of in budgets)


def hardness() -> str:
    """Tabulate the error of the fixed model on each lesson by difficulty."""
    levels, *lessons = dict(_found().hardness.items()).items()
    rows = [[name, *(f"{error:.3f}" for error in errors)] for name, errors in lessons]
    return table(("lesson", *(f"difficulty {level:g}" for level in levels[1])), rows)


def plans() -> str:
    """Tabulate the error of each plan and control over that of `mixed`, for all budgets."""
    blocks = [(f"{int(budget):,}", of) for budget, of in _budgets().items()]
    blocks += [(f"{int(budget):,}, again", of) for budget, of in _more().items()]
    rows = []
    for label, of in blocks:
        mixed = [f"{Number(10 ** of.error.mixed[each].mean):.1e}" for each in SETS]
        rows.append([label, "mixed: the error itself", *mixed])
        rows += _over_mixed(of)
    return table(("steps", "error over `mixed`", *SETS.values()), rows)


def recurrent() -> str:
    """Tabulate the error of the paper's network by each plan over that of `mixed`."""
    rows = []
    for run in ("curriculum-gru", "curriculum-gru-adaptive", "curriculum-gru-long"):
        of = RESULTS()[run].metrics
        mixed = [f"{Number(10 ** of.error.mixed[each].mean):.1e}" for each in SETS]
        steps = f"{of.steps:,}{', on a CPU' * run.endswith('adaptive')}"
        rows.append([steps, "mixed: the error itself", *mixed])
        rows += _over_mixed(of)
    return table(("steps", "error over `mixed`", *SETS.values()), rows)


def above_one() -> str:
    """Return the shares of the paper's cases with an error above 1, by plan, after most steps."""
    of = RESULTS()["curriculum-gru-long"].metrics["shares of errors above 1"]
    shares = {name: statistics.mean(map(float, row.paper)) for name, row in of.items()}
    return ", ".join(f"{share:.0%} ({name})" for name, share in shares.items())


def _falling_over(other: str) -> str:
    """Return the error of falling difficulty over that of another plan, on each set."""
    row = RESULTS()["curriculum-gru-long"].metrics[f"falling over {other}"]
    return ", ".join(f"{_ratio(row[each])} ({label})" for each, label in SETS.items())


def falling_over_rising() -> str:
    """Return the error of falling over that of rising difficulty."""
    return _falling_over("rising")


def falling_over_easy() -> str:
    """Return the error of falling difficulty over that of easy examples only."""
    return _falling_over("easy only")


def _over_mixed(of: Any) -> list[list[str]]:
    return [
        ["", name, *(_ratio(row[each]) for each in SETS)] for name, row in of["over mixed"].items()
    ]


def yoked() -> str:
    """Return the error of `adaptive` over its control on each set, after the first budget."""
    return _over_yoked("adaptive")


def yoked_long() -> str:
    """Return the error of `adaptive` over its control on each set, near convergence."""
    return _over_yoked("adaptive", _long())


def yoked_losses_long() -> str:
    """Return the error of `loss-driven` over its control on each set, near convergence."""
    return _over_yoked("loss-driven", _more())


def yoked_losses() -> str:
    """Return the error of `loss-driven` over its control on each set, after the first budget."""
    return _over_yoked("loss-driven")


def _over_yoked(name: str, budgets: Any = None) -> str:
    (_, first), *_ = (budgets or _found().budgets).items()
    row = first["over yoked"][name]
    return ", ".join(f"{_ratio(row[each])} ({label})" for each, label in SETS.items())


def few() -> str:
    """Tabulate the error against the number of distinct runs, and its ratio to new runs."""
    return _few(_found().few, _found().n_fresh)


def few_gru() -> str:
    """Tabulate the same for the paper's network, whose errors count up to 1."""
    of = RESULTS()["curriculum-gru-few"].metrics
    return _few(of, of.n_fresh, of["trainings that count as 1"])


def few_gru_above_one() -> str:
    """Return the shares of the paper's cases with an error above 1, by number of runs."""
    of = RESULTS()["curriculum-gru-few"].metrics
    words = []
    for name, each in of["shares of errors above 1"].items():
        shares = list(each.paper)
        label = "each new" if name == "fresh" else name.removeprefix("few ")
        words.append(f"{sum(shares) / len(shares):.0%} ({label})")
    return ", ".join(words)


def _few(of: Any, n_fresh: int, capped: Any = None) -> str:
    rows = []
    for name, row in of.error.items():
        is_fresh = name == "fresh"
        label = f"{n_fresh}, each new" if is_fresh else name
        errors = [f"{Number(10 ** row[each].mean):.1e}" for each in SETS]
        ratios = ["" if is_fresh else _ratio(of["over fresh"][name][each]) for each in SETS]
        # Where a training counts as 1, its error is larger.
        for i, each in enumerate(SETS):
            if capped and capped[name if is_fresh else f"few {name}"][each]:
                errors[i], ratios[i] = f"≥ {errors[i]}", f"≥ {ratios[i]}"
        rows.append([label, *(cell for pair in zip(errors, ratios, strict=True) for cell in pair)])
    words = (word for label in SETS.values() for word in (label, "over new runs"))
    return table(("distinct runs", *words), rows)


def convergence() -> str:
    """Return the error of `mixed` after each number of steps, and that of the preset `unitary`."""
    errors = [
        f"{Number(10**of.error.mixed.smooth.mean):.1e} after {int(budget):,}"
        for budget, of in _budgets().items()
    ]
    last = _found().references.unitary.smooth
    return ", ".join(errors) + f", and {last:.1e} after the 5,600 of the packaged `unitary`"


def mixed_before() -> str:
    """Return the error of `mixed` in the same long trainings as they were first recorded."""
    return _last_mixed(_found().budgets)


def mixed_again() -> str:
    """Return the error of `mixed` in the same long trainings next to further plans."""
    return _last_mixed(_more())


def _last_mixed(budgets: Any) -> str:
    *_, last = dict(budgets.items()).values()
    return f"{Number(10**last.error.mixed.smooth.mean):.1e}"


def _ratio(row: Any) -> str:
    """A ratio with its interval, in bold where a difference is shown."""
    mean, low, high = (10 ** row[key] for key in ("mean", "low", "high"))
    text = f"{mean:.2f} ({low:.2f} to {high:.2f})"
    is_shown = "verdict" in list(row) and row.verdict != "not shown"
    return f"**{text}**" if is_shown else text


def published() -> str:
    """Tabulate the correlations of the paper's training in this code, next to the published."""
    of = RESULTS()["published"].metrics
    trainings = [row for _, row in of.trainings.items()]
    rows = []
    for name, theirs in of.published.cases.items():
        ours = [row.cases[name].correlation for row in trainings]
        rows.append([name, *_next_to(theirs, ours)])
    barriers = [
        statistics.mean(row.cases[name].correlation for name in BARRIERS) for row in trainings
    ]
    rows.append(["the 11 barriers", *_next_to(of.published.barriers, barriers)])
    ours = [row.mean_correlation for row in trainings]
    rows.append(["all 25", *_next_to(of.published.correlation, ours)])
    head = ("case", "the paper", f"our {len(trainings)} trainings: mean (range)")
    return table(head, rows)


def _next_to(paper: float, ours: list[float]) -> list[str]:
    """The published correlation, and the mean of ours with its range."""
    mean = statistics.mean(ours)
    return [f"{paper:.3f}", f"{mean:.3f} ({min(ours):.3f} to {max(ours):.3f})"]


def changes() -> str:
    """Tabulate the scores of the paper's network with one change after another."""
    of, rows = RESULTS()["changes"].metrics, []
    for name, row in of["over seeds"].items():
        gain = dict(of.steps.items()).get(name)
        gained = f"{gain.mean:+.2f} ({gain.low:+.2f} to {gain.high:+.2f})" if gain else ""
        scores = [each.mean_correlation for _, each in of.rows[name].items()]
        ours = f"{statistics.mean(scores):.3f} ({min(scores):.3f} to {max(scores):.3f})"
        rows.append([name, ours, f"{Number(row.mean_infidelity.mean):.1e}", gained])
    head = ("change", "correlation (range)", "1 − correlation", "decades gained (95%)")
    return table(head, rows)
