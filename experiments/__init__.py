"""Scripts that run, measure and draw, and the studies behind the numbers."""
