"""The page as a tree of what a person sees: decoded, parsed, without what is hidden."""
