"""All HTTP: one function per endpoint, typed outcomes."""
