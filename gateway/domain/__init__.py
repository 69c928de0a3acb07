"""What a return is and what is decided about it: frozen documents, states, decisions as values."""
