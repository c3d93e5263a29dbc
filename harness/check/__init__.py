"""`--check`: short runs and estimates held to committed values, so that a drift of a fraction of a nat is noticed."""
