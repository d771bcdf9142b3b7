"""The processes of the service: gunicorn in production, a small server for trying things out."""
