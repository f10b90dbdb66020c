"""Commands that work with invented data."""

import click

from cekura_sync import settings
from cekura_sync.commands.options import WholeNumber


@click.command(short_help="Show the product with invented data.")
@click.option(
    "--results", type=WholeNumber(min=1), default=3000, show_default=True, help="Number of results to invent."
)
def demo(results: int) -> None:
    """Sync invented results from a built-in stand-in for the API, and show the main views."""
    from cekura_sync import demo as demonstration

    demonstration.run(results)


@click.command(short_help="Serve a stand-in for the API on loopback.")
@click.option(
    "--port",
    type=WholeNumber(0, 65535),
    default=8787,
    show_default=True,
    help="Port to listen on. 0 means any free port.",
)
@click.option(
    "--results", type=WholeNumber(min=0), default=2000, show_default=True, help="Number of results to invent."
)
@click.option("--latency", metavar="DUR", default="0s", show_default=True, help="Delay of every response.")
@click.option(
    "--shape",
    type=click.Choice(["observed", "literal"]),
    default="observed",
    show_default=True,
    help="Send payloads as observed from the real API, or as its specification describes them.",
)
@click.option(
    "--generation",
    type=click.Choice(["old", "new"]),
    default="old",
    show_default=True,
    help="Send counts, versions, scenarios and errors as older servers do, or as newer ones do.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[@N]",
    help="Produce a fault, such as 429@3 or html:0.1. Can be repeated.",
)
def sandbox(
    port: int, results: int, latency: str, shape: str, generation: str, faults: tuple[str, ...]
) -> None:
    """Serve a stand-in for the Cekura API, with invented data, on loopback."""
    from cekura_sync import demo as demonstration

    demonstration.serve(
        port=port,
        results=results,
        latency=settings.duration(latency, "--latency"),
        shape=shape,
        generation=generation,
        faults=faults,
    )
