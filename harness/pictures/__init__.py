"""Trained models shown: figures 4 and 5, the demos, restoring."""
