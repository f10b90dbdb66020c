"""Intervals as published, all at 95 %: what the models' intervals are held against."""

# R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, Table I, method 3: passed, of, low, high.
WILSON = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
