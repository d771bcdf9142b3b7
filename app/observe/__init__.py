"""What the service tells about itself: logs, health, metrics. Knows requests and jobs, changes nothing."""
