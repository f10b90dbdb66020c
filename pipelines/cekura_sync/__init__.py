"""Cekura test results in a local DuckDB warehouse."""
