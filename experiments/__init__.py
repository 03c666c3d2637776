"""Scripts, and studies whose results are published."""
