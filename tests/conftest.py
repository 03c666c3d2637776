"""Settings for every test: compiled programs are kept between runs, plots need no screen."""

import gc
import importlib.metadata
import os
import pathlib

os.environ.setdefault("MPLBACKEND", "Agg")
# The dense oracles are far slower when two BLAS threads and XLA fight for two cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Most of the time goes into compiling programs that then run for milliseconds. XLA's older emitter
# of loops compiles two to three times as fast, and one module faster than many parts. XLA ends a
# process at a flag that it does not know, as other versions may not. Scripts and notebooks that
# tests start inherit the flags.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0"
    + " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    * importlib.metadata.version("jaxlib").startswith("0.10."),
)

import jax
import jaxtyping
import pytest

jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
jax.config.update("jax_numpy_rank_promotion", "raise")
# What has been traced stays: looking through all of it again and again finds no garbage.
gc.set_threshold(100_000, 50, 1000)


@pytest.fixture
def without_checker(monkeypatch):
    """As for users, who run without the type checker and meet the refusal in words."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
