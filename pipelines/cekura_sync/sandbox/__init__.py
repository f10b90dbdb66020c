"""An independent stand-in for the Cekura results API: invented data, served as the real service does."""

from cekura_sync.sandbox.faults import Answer, Fault, Request, parse_fault
from cekura_sync.sandbox.server import Sandbox, serve
from cekura_sync.sandbox.world import World

__all__ = ["Answer", "Fault", "Request", "Sandbox", "World", "parse_fault", "serve"]
