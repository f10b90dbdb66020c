"""How others learn that syncs run: pings, metrics, the watch over both."""
