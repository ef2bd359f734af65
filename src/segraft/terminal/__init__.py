"""What commands show while they work and at their end: on a terminal, in a file, in a pipe."""
