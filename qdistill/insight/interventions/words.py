"""Text tables of interventions and sensitivities."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from qdistill._refusals import explained
from qdistill.insight import harness


@explained
def make_table(numbers: Mapping[str, Any]) -> str:
    """Return a table of the interventions, and one of the derivatives, as text."""
    return "\n".join(
        [
            f"Relative error of each effect after {numbers['n_frames']} frames, for families of "
            "potentials in the lessons and for others: medians (95%); and its ratio to the error "
            "of the forecast.",
            harness.make_table(("in lessons", "other", "ratio"), _of_interventions(numbers)),
            "Derivatives of the next frame: relative errors (inside / outside of V); sizes by "
            "frame.",
            harness.make_table(
                ("by psi, with its past", "by V", "by the height of V", "size by frame, and by V"),
                _of_derivatives(numbers),
                has_words=True,
            ),
        ]
    )


def _of_interventions(numbers: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    sections = {}
    for name, each in numbers["interventions"].items():
        effect, moved = (each["exact"]["all"][field]["median"] for field in ("effect", "moved"))
        title = f"{name} (effect {effect:.2f}, moved {moved:.2f})"
        sections[title] = {
            harness.in_words(numbers["roles"][who], who): [
                *(_cell(finding.get(group)) for group in ("taught", "other")),
                _number(finding["all"]["excess"]["median"], ".1f"),
            ]
            for who, finding in each["findings"].items()
        }
    return sections


def _cell(group: Mapping[str, Any] | None) -> str:
    if group is None or not np.isfinite(group["effect_error"]["median"]):
        return "-"
    error = group["effect_error"]
    return f"{error['median']:.1e} ({error['low']:.0e}-{error['high']:.0e})"


def _number(value: float, form: str) -> str:
    return f"{value:{form}}" if np.isfinite(value) else "-"


def _of_derivatives(numbers: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    return {
        kind: {
            harness.in_words(numbers["roles"][who], who): [
                *(_errors(each["relative_error"][c]) for c in ("psi", "v", "height")),
                _sizes(each),
            ]
            for who, each in numbers["sensitivity"][kind].items()
        }
        for kind in ("points", "waves")
    }


def _errors(by_region: Mapping[str, Any]) -> str:
    of_all, inside, outside = (by_region[r][0]["value"] for r in ("all", "inside", "outside"))
    return f"{of_all:.1e} ({inside:.0e} / {outside:.0e})"


def _sizes(each: Mapping[str, Any]) -> str:
    totals = zip(each["frames"], each["total"]["Re psi"], strict=True)
    sizes = ", ".join(f"{frame} {value:.2f}" for frame, value in totals)
    return f"{sizes}; V {each['total']['v'][0]:.2f}"
