"""qdistill."""
