"""Analyses of emulators: symmetries, waves, interventions, importance of lessons, design."""
