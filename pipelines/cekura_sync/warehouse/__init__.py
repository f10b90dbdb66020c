"""Where results are kept: a DuckDB file, or a database that others share."""
