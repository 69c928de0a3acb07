"""The running service: one lock, supervised loops, a clean stop."""
