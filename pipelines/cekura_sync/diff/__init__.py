"""What the API lists, compared with what the warehouse knows."""
