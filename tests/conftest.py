"""Settings for every test: compiled programs are kept between runs, plots need no screen."""

import ctypes
import gc
import importlib.metadata
import os
import pathlib
import sys

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
# Every program is kept, however small: all the processes of the tests meet the same ones.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(pathlib.Path(__file__).parents[1] / ".cache" / "jax")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import jax
import jaxtyping
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
# What has been traced stays: looking through all of it again and again finds no garbage.
gc.set_threshold(100_000, 50, 1000)

STATM = pathlib.Path("/proc/self/statm")
# Of resident memory, in bytes, where Linux tells it: after a file of tests, and after a test.
ENOUGH, TOO_MUCH = 1500 << 20, 2000 << 20


def pytest_configure(config: pytest.Config) -> None:
    """Doctests of the package and of pages give memory back too, though they lie elsewhere."""
    config.pluginmanager.register(Memory())


class Memory:
    """What is compiled, a megabyte or two for each program, is given back if it is much."""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        is_last = nextitem is None or nextitem.path != item.path
        # Files of one's own that its tests have loaded are noted by every later run.
        if is_last and (extensions := sys.modules.get("qdistill.runs.extensions")):
            extensions.LOADED.clear()
        if not STATM.exists():
            return
        used = int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        if used > (ENOUGH if is_last else TOO_MUCH):
            jax.clear_caches()
            gc.collect()
            libc = ctypes.CDLL(None)
            if hasattr(libc, "malloc_trim"):
                libc.malloc_trim(0)


@pytest.fixture
def without_checker(monkeypatch):
    """As for users, who run without the type checker and meet the refusal in words."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
