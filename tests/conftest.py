"""Settings for every test: compiled programs are kept between runs, plots need no screen."""

import os
import pathlib

os.environ.setdefault("MPLBACKEND", "Agg")
# The dense oracles are far slower when two BLAS threads and XLA fight for two cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Most of the time goes into compiling programs that then run for milliseconds.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import jaxtyping
import pytest

jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def without_checker(monkeypatch):
    """As for users, who run without the type checker and meet the refusal in words."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
