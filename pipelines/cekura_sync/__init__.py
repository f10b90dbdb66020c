"""Cekura test results in a local DuckDB warehouse; `cekura_source` reads them into any dlt pipeline."""

TYPE_CHECKING = False  # typing's own would be imported before the signal handlers stand
if TYPE_CHECKING:
    from cekura_sync.source import cekura_source as cekura_source

__version__ = "0.2.0"
__all__ = ["__version__", "cekura_source"]


def __getattr__(name: str) -> object:
    """The source when somebody asks for it: dlt takes half a second to import."""
    if name == "cekura_source":
        from cekura_sync.source import cekura_source

        return cekura_source
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
