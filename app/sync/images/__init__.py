"""Glance images: what the master has, what a region lacks, and how it gets there."""
