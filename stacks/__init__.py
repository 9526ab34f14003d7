"""Stack files and the typed model that reads them."""
