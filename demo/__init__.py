"""``make demo``: a small federation of directories, synchronised through the real command line."""
