"""Results become a typed table: Parquet, CSV or JSONL."""
