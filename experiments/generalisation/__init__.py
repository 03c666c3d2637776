"""How far emulators generalise: beyond their lessons, without a family, and without a part."""
