"""What a page offers as values: structured data, labelled texts, tables, lists of records."""
