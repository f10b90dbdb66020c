"""Cekura test results in a local DuckDB warehouse."""

__version__ = "0.1.0"
