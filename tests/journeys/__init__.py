"""The acceptance scenarios, one test or more for each number."""
