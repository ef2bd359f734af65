"""The verbs of the command line, one file each; each is the Python function of the same name."""
