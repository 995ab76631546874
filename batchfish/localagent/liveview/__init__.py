"""The page on which a person watches a run."""
