"""Forecast a packet on a potential of your own: the same as `qdistill forecast`."""

import sys

from qdistill.__main__ import main

if __name__ == "__main__":
    main(["forecast", *sys.argv[1:]])
