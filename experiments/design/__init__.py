"""The study of potentials designed by gradients, from plane waves and through emulators."""
