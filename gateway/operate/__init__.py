"""What those who run a deployment look at: health, metrics, and the page at ``/``."""
