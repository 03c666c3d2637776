"""Discovery: conserved quantities of emulators, found without a list."""
