"""Trained students that come with the package: `qdistill.load("unitary")` forecasts at once.

Each is a file of arrays beside this one. It carries the config of the run that it comes from, the
run's score on the paper's test, and what is known of the code and machine that trained it.
"""

from qdistill.pretrained.files import FOLDER, find, from_run, load, names, read, write
from qdistill.pretrained.student import Pretrained

__all__ = ["FOLDER", "Pretrained", "find", "from_run", "load", "names", "read", "write"]
