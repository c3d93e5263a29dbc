"""The report: one self-contained page with what the store holds, and an explorer of the trained 2-D models."""
