"""Forecasts and how close they are to the truth."""
