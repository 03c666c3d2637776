"""The study of held-out double slits and discs in two dimensions."""
