"""Bringing an image's bytes to a region: who reads them, who shares the stream, which way they go."""
