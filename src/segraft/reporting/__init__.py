"""Reports: one self-contained HTML page about a run, or about several runs side by side."""
