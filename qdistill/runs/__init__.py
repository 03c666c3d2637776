"""Configs, run folders, checkpoints and packaged emulators."""
