"""`mockserver verify`: hold a server to the document and to the behaviour catalogue."""
