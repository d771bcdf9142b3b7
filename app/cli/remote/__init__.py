"""What ``run.py remote`` is made of: login, forms of output, following (docs/client.md)."""
