"""What a destination of somebody's dlt pipeline holds, and our views in it."""
