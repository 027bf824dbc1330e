"""`mockserver verify`: test whether a server conforms to the document and to the behaviour catalogue."""
