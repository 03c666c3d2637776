"""Solvers of the time-dependent Schroedinger equation."""
