"""`python -m cekura_sync` is the command."""

from cekura_sync.cli import main

main()
