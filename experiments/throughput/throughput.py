"""Speed of the solvers, of C and of installed peers, and the solvers' share of a training."""

import dataclasses
import pathlib

from tqdm.auto import tqdm

from experiments import runner
from experiments.throughput import peers, study
from experiments.throughput.figure import draw
from qdistill.runs import provenance


@dataclasses.dataclass(frozen=True)
class Args(study.Study):
    """Solve the same packets with every solver, interleaved; time trainings, sizes and memory."""

    out: pathlib.Path = pathlib.Path("runs/throughput")
    """Folder of the results."""
    devices: int = 1
    """Devices over which the packets are split; on a CPU, parts of it."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


def measure(args: Args) -> runner.Results:
    """Measure everything."""
    others = {name: peer for name, (peer, _) in peers.PEERS.items()}
    found = study.run(args, others, tqdm.write)
    found["environment"] = provenance.environment() | study.machine() | peers.versions()
    return runner.Results(found, study.table(found), draw(found))


if __name__ == "__main__":
    runner.main(measure, Args, study.smoke)
