"""Pixels on disk and in memory: formats, windows, voxel size, normalisation."""
