"""Auto-Encoding Variational Bayes: models, encoders, estimators and learners."""
