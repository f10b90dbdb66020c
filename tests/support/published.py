"""Intervals as published, all at 95 %: what the models' intervals are held against."""

# R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, Table I, method 3: passed, of, low, high.
WILSON = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]

# R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890, Table II, method 10: the first group less the second.
NEWCOMBE = [
    ((56, 70), (48, 80), 0.0524, 0.3339, "improved"),
    ((9, 10), (3, 10), 0.1705, 0.8090, "improved"),
    ((6, 7), (2, 7), 0.0582, 0.8062, "improved"),
    ((5, 56), (0, 29), -0.0381, 0.1926, "same"),
    ((0, 10), (0, 20), -0.1611, 0.2775, "same"),
    ((0, 10), (0, 10), -0.2775, 0.2775, "same"),
    ((10, 10), (0, 20), 0.6791, 1.0, "improved"),
    ((10, 10), (0, 10), 0.6075, 1.0, "improved"),
]
