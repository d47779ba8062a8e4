"""A whole study put away and brought back: database, documents, packages; never the keys."""
