"""Scores of predicted against true instances."""
