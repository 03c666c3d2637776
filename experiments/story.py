"""Describe runs from their folders: the same as `qdistill story`."""

import sys

from qdistill.__main__ import main

if __name__ == "__main__":
    main(["story", *sys.argv[1:]])
