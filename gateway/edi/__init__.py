"""Pure readers and writers of EDI and flat files: bytes in, findings and documents out."""
