"""Measure the speed of solvers, of C and of installed peers, and the share in a training."""

import dataclasses
import pathlib

from tqdm.auto import tqdm

from experiments import runner
from experiments.throughput import peers, study
from experiments.throughput.figure import draw
from qdistill.runs import provenance


@dataclasses.dataclass(frozen=True)
class Args(study.Study):
    """Time every solver on the same packets, interleaved; also trainings, sizes and memory."""

    out: pathlib.Path = pathlib.Path("runs/throughput")
    """Folder of the results."""
    devices: int = 1
    """Devices over which the packets are split; on a CPU, parts of it."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def measure(args: Args) -> runner.Results:
    """Measure all numbers of the study."""
    others = {name: peer for name, (peer, _) in peers.PEERS.items()}
    found = study.run(args, others, tqdm.write)
    found["environment"] = provenance.environment() | study.machine() | peers.versions()
    return runner.Results(found, study.table(found), draw(found))


if __name__ == "__main__":
    runner.main(measure, Args, study.smoke)
