"""Estimators of log p(x) for each datapoint, in nats."""
