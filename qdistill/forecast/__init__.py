"""Test cases with exact solutions, forecasts, metrics and baselines."""

from qdistill.forecast import baselines, cases, held_out, metrics, paper
from qdistill.forecast.cases import Cases
from qdistill.forecast.held_out import BenchmarkConfig

__all__ = ["BenchmarkConfig", "Cases", "baselines", "cases", "held_out", "metrics", "paper"]
