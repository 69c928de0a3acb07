"""Syntax to documents and back, steered by a partner profile."""
