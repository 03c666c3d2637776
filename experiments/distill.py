"""Distil an emulator from the solver and score it: `python experiments/distill.py demo`.

It is the same as `qdistill distill`; `--evaluate RUN` is `qdistill evaluate RUN`.
"""

import sys

from qdistill.__main__ import main

if __name__ == "__main__":
    words = sys.argv[1:]
    if "--evaluate" in words:
        words.remove("--evaluate")
        main(["evaluate", *words])
    else:
        main(["distill", *words])
