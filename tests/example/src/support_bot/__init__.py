"""A support desk that keeps each ticket as an MKA1 conversation."""
