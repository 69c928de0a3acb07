"""Read models for people, on a read-only connection."""
