"""The commands, one module for each kind of work. A command imports heavy modules only when it runs."""
