"""Lessons, and schedules of what is taught when."""
