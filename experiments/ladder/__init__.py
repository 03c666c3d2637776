"""Students at equal training time."""
