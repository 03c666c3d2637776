"""Write forecasts of an emulator and the truth to a file: the same as `qdistill export`."""

import sys

from qdistill.__main__ import main

if __name__ == "__main__":
    main(["export", *sys.argv[1:]])
