"""Cekura test results in a local DuckDB warehouse; `cekura_source` reads them into any dlt pipeline, `cekura_views` adds the views."""

TYPE_CHECKING = False  # typing's own would be imported before the signal handlers stand
if TYPE_CHECKING:
    from cekura_sync.source import cekura_source as cekura_source
    from cekura_sync.views import cekura_views as cekura_views

__version__ = "0.2.0"
__all__ = ["__version__", "cekura_source", "cekura_views"]


def __getattr__(name: str) -> object:
    """What needs dlt, when somebody asks for it: dlt takes half a second to import."""
    if name == "cekura_source":
        from cekura_sync.source import cekura_source

        return cekura_source
    if name == "cekura_views":
        from cekura_sync.views import cekura_views

        return cekura_views
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
