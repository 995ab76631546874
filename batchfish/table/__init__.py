"""The table of a batch: typed columns made of its results, as Parquet, CSV or JSONL."""
