-- The standard normal quantile for 95 % confidence: 2.5 % of the distribution lie above it.
select cast(1.959963984540054 as double) as z95
