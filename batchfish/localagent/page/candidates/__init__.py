"""The candidates for values on a page: structured data, labelled texts, tables, lists of records."""
