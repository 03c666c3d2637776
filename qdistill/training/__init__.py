"""Batches made on the fly, losses, stages and the training loop."""
