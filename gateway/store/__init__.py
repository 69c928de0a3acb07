"""All SQL: rows in, documents out."""
