"""Reading a page, purely: HTML becomes facts, a schema becomes wanted fields, and the two are matched."""
