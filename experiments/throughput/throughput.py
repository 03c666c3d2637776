"""How fast the teachers are beside C and installed peers, and what they cost a training."""

import dataclasses
import json
import pathlib
import sys

import jax
import tyro
from tqdm.auto import tqdm

from experiments import throughput
from experiments.throughput import peers
from experiments.throughput.figure import plot_scaling, plot_throughput
from qdistill import _devices as devices
from qdistill import plots
from qdistill.runs import folder as runs


@dataclasses.dataclass(frozen=True)
class Args(throughput.Study):
    """Solve the same packets with every solver by turns; time trainings, sizes and memory."""

    out: pathlib.Path = pathlib.Path("runs/throughput")
    """Folder of the results."""
    devices: int = 1
    """Devices over which the packets are split; on a CPU, parts of it."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


def measure(args: Args) -> None:
    """Run, write, draw."""
    if args.devices > 1:
        devices.use_cpu_devices(args.devices)
    runs.make_folder(args.out)
    study = throughput.smoke(args) if args.smoke else args
    settings = dataclasses.asdict(study) | {"out": str(args.out)}
    (args.out / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    found = throughput.run(
        study, {name: peer for name, (peer, _) in peers.PEERS.items()}, tqdm.write
    )
    found |= {"environment": throughput.environment() | peers.versions()}
    text = json.dumps(runs.plain(found), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    draw(args.out, found)
    print(throughput.table(found))


def draw(out: pathlib.Path, found: dict) -> None:
    """Speeds and errors; seconds against sizes."""
    keys = ("packet_frames_per_second", "rms_relative_error", "is_ours")
    rows = {
        physics: {name: tuple(row[key] for key in keys) for name, row in each.items()}
        for physics, each in found["solvers"].items()
    }
    plots.save(plot_throughput(rows), out / "throughput.png")
    sweeps = {
        what.removeprefix("n_").replace("x", "points"): {
            f"{physics}: {each['teacher']}": (each[what]["sizes"], each[what]["seconds"])
            for physics, each in found["scaling"].items()
        }
        for what in ("n_packets", "n_x", "n_frames")
    }
    plots.save(plot_scaling(sweeps), out / "scaling.png")


def main() -> None:
    """Parse and measure."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    try:
        measure(tyro.cli(Args, prog="throughput.py"))
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"throughput.py: {error}")


if __name__ == "__main__":
    main()
