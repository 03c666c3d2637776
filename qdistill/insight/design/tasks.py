"""Settings of a design: target transmission, bounds, verification, search."""

import dataclasses

import numpy as np
from jaxtyping import Float

from qdistill._checks import (
    refuse,
    require_at_least,
    require_between,
    require_finite,
    require_positive,
    require_seed,
    require_settings,
)
from qdistill._refusals import explained
from qdistill.physics.profiles import ProfileConfig


@explained
@dataclasses.dataclass(frozen=True)
class TaskConfig:
    """A target transmission, and the packets that verify a design.

    Attributes:
      profile: Bounds and smoothness of the potential.
      band: Lowest and highest energy of the target, in hartree.
      n_energy: Number of energies in the band, both ends included.
      share: Target transmission at all energies of the band.
      passband: Width in hartree of a filter around the middle of the band, if given:
        T = 1 / (1 + (2 (E - middle) / passband)^4).
      packet_width: Position spread S0 of the packets, in bohr.
      n_packet: Number of packets, with energies over the band.
      dwell: Additional time in a.u. for waves that stay inside the potential.
    """

    profile: ProfileConfig = dataclasses.field(default_factory=ProfileConfig)
    band: tuple[float, float] = (3.0, 5.0)
    n_energy: int = 61
    share: float = 0.5
    passband: float | None = None
    packet_width: float = 5.0
    n_packet: int = 9
    dwell: float = 0.0

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_positive(band=self.band, packet_width=self.packet_width)
        if self.band[0] >= self.band[1]:
            refuse("band", "(lowest, highest)", self.band)
        require_at_least(2, n_energy=self.n_energy, n_packet=self.n_packet)
        require_between(0, 1, share=self.share)
        require_finite(dwell=self.dwell)
        if self.passband is not None:
            require_positive(passband=self.passband)

    @property
    def energies(self) -> Float[np.ndarray, " n_energy"]:
        """The energies of the objective, in hartree."""
        return np.linspace(*self.band, self.n_energy)

    @property
    def packet_energies(self) -> Float[np.ndarray, " n_packet"]:
        """The energies of the packets, in hartree."""
        return np.linspace(*self.band, self.n_packet)

    def target(self, energy: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Return the target transmission at an energy in hartree.

        >>> TaskConfig(share=1.0, passband=0.2).target(np.array([3.9, 4.0, 4.5])).round(3)
        array([0.5  , 1.   , 0.002])
        """
        if self.passband is None:
            return np.full(np.shape(energy), self.share)
        return self.share / (1 + (2 * (energy - sum(self.band) / 2) / self.passband) ** 4)


@explained
@dataclasses.dataclass(frozen=True)
class RolloutConfig:
    """The target shares of packets, for a design through forecasts.

    Attributes:
      profile: Bounds and smoothness of the potential.
      energies: Energies of the packets, in hartree.
      shares: Target transmission of each packet.
      packet_width: Position spread S0 of the packets, in bohr.
    """

    profile: ProfileConfig = dataclasses.field(default_factory=ProfileConfig)
    energies: tuple[float, ...] = (3.0, 4.0, 5.0)
    shares: tuple[float, ...] = (0.5, 0.5, 0.5)
    packet_width: float = 4.0

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_positive(energies=self.energies, packet_width=self.packet_width)
        require_between(0, 1, shares=self.shares)
        if len(self.energies) != len(self.shares):
            refuse("shares", f"{len(self.energies)} shares, one for each energy", self.shares)


@explained
@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Settings of the descent to a potential.

    Attributes:
      n_starts: Number of random initial potentials; the best result counts.
      n_steps: Steps of Adam, with cosine decay of the learning rate to zero.
      rate: Initial learning rate.
      spread: Standard deviation of the initial u_m.
      middle: Mean of the initial u_m; -1 is a quarter of the way from the lower bound to the upper.
      roughness: Weight of the mean square slope of v, in (bohr / hartree)^2.
      seed: Random seed of the starts.
    """

    n_starts: int = 24
    n_steps: int = 800
    rate: float = 0.1
    spread: float = 1.5
    middle: float = -1.0
    roughness: float = 1e-5
    seed: int = 0

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_seed(seed=self.seed)
        require_at_least(1, n_starts=self.n_starts, n_steps=self.n_steps)
        require_positive(rate=self.rate)
        require_between(0, np.inf, spread=self.spread, roughness=self.roughness)
        require_finite(middle=self.middle)


# A splitter with the same transmission at all energies, a narrow filter, and a mirror half as high
# as the energies that it reflects, which works by interference alone.
TASKS = {
    "splitter": TaskConfig(ProfileConfig(8.0, 0.0, 6.0), (2.5, 5.5), 61, n_packet=13, dwell=20.0),
    "filter": TaskConfig(
        ProfileConfig(8.0, 0.0, 12.0), (2.0, 6.0), 161, 1.0, 0.3, 20.0, 41, dwell=30.0
    ),
    "mirror": TaskConfig(
        ProfileConfig(30.0, 0.0, 2.0), (3.6, 4.4), 61, 0.0, None, 10.0, dwell=40.0
    ),
}
ROLLOUTS = {
    "splitter": RolloutConfig(ProfileConfig(8.0, 0.0, 6.0)),
    "filter": RolloutConfig(ProfileConfig(8.0, 0.0, 12.0), (2.5, 4.0, 5.5), (0.0, 1.0, 0.0)),
}
