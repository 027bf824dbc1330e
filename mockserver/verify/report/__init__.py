"""The report of a verification run: its model, and its forms on terminal, page and disk."""
