"""The findings in words: a table for the interventions, and lines for the sensitivities."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def describe(found: Mapping[str, Any]) -> str:
    """The findings as a table for each of the two parts."""
    subjects = list(next(iter(found["interventions"].values()))["findings"])
    lines = [
        "Unfaithfulness (95%), where landscapes are of the taught families / of others, after "
        f"{found['n_frames']} frames:",
        f"{'':20}{'effect':>7}{'moved':>7}" + "".join(f"{who:>43}" for who in subjects),
    ]
    for name, each in found["interventions"].items():
        exact = each["exact"]["all"]
        cells = "".join(f"{_pair(each['findings'][who]):>43}" for who in subjects)
        medians = (f"{exact[field]['median']:7.2f}" for field in ("effect", "moved"))
        lines.append(f"{name:20}{''.join(medians)}{cells}")
    lines.append(
        "Next frame: errors of its derivatives by psi with its past, by V, by the height of V"
    )
    for kind in ("points", "waves"):
        for who, each in found["sensitivity"][kind].items():
            errors = each["relative_error"]
            words = (
                f"{channel} {errors[channel]['all'][0]['value']:.1e} (inside "
                f"{errors[channel]['inside'][0]['value']:.1e}, outside "
                f"{errors[channel]['outside'][0]['value']:.1e})"
                for channel in ("psi", "v", "height")
            )
            lines.append(f"  {kind:8}{who:14}" + "; ".join(words))
            totals = zip(each["frames"], each["total"]["Re psi"], strict=True)
            shares = ", ".join(f"{frame} {value:.2f}" for frame, value in totals)
            lines.append(f"  {'':22}size by {shares}; v {each['total']['v'][0]:.2f}")
    return "\n".join(lines)


def _pair(finding: Mapping[str, Any]) -> str:
    """Of taught families and of others."""
    cells = []
    for group in ("taught", "other"):
        each = finding.get(group, {"unfaithfulness": {"median": np.nan}})["unfaithfulness"]
        value = each["median"]
        cells.append(
            f"{value:.1e} ({each['low']:.0e}-{each['high']:.0e})" if np.isfinite(value) else "-"
        )
    return " / ".join(cells)
