"""The two graphs of the paper, of pixels (affinities) and of instances, and the memory bank."""
