"""The SQL models of sql/: built, commented, checked, translated."""
