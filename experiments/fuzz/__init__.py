"""Fuzzing of all public functions: a valid small call of each, with hostile arguments."""
