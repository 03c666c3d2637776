"""What students of single avoided crossings know of Tully's models."""
