"""The report: one self-contained page with what the store holds, and a trained model to take apart."""
