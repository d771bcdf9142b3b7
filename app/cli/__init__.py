"""The command line: parses, calls the synchronisation, prints. It decides nothing about images."""
