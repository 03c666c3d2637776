"""The order of learning: what a student knows first, for its error, over repeated trainings."""
