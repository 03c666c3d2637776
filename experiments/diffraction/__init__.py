"""A double slit and forests of discs, held out."""
