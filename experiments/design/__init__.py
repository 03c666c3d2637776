"""Potentials found by gradients, and made through emulators."""
