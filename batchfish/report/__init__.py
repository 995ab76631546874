"""The report of a batch: one self-contained HTML file, made from plain facts."""
