"""A run's life: random streams, learner, tape, steps, evaluation, curve, checkpoint."""
