"""Grids, wave packets, potentials and what is measured of a state."""
