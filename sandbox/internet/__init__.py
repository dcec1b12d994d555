"""The world outside a live cluster, as far as the stacks ask for something there."""

HTTPS_PORT, SUBMISSION_PORT = 443, 587
