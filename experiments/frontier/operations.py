"""Floating-point operations, real additions and multiplications, as they are counted on paper."""

import math
from typing import NamedTuple


class Operations(NamedTuple):
    """What a way to evolve packets asks of a machine, whatever the machine makes of it.

    Attributes:
      landscape: Of what is made of a landscape once; exponentials of single points are left out,
        and so is what takes a packet in.
      unit: Of one packet over one unit of time.
      look: Of one psi on the points, from what is evolved.
    """

    landscape: float
    unit: float
    look: float = 0.0

    def of_job(self, n_packets: int, n_units: int, n_looks: int) -> float:
        """Of a landscape with so many packets for so many units, each looked at so often."""
        return self.landscape + n_packets * (n_units * self.unit + n_looks * self.look)


def fft(*shape: int) -> float:
    """Of a complex transform: 5 n log2 n.

    >>> fft(1024)
    51200.0
    """
    n = math.prod(shape)
    return 5 * n * math.log2(n)


def product(n: int, m: int, k: int) -> float:
    """Of an n x m matrix with an m x k one, all real."""
    return 2.0 * n * m * k


def diagonalisation(n: int) -> float:
    """Of a real symmetric matrix, with its eigenvectors: 9 n^3.

    By the QR iteration, Golub and Van Loan, Matrix Computations, section 8.3; divide and conquer
    takes fewer.
    """
    return 9.0 * n**3


def split_step(n_pairs: int, *shape: int) -> float:
    """Of so many pairs of FFTs, each with a kick and a drift."""
    return n_pairs * (2 * fft(*shape) + 12 * math.prod(shape))
