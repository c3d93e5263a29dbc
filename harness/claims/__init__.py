"""What the paper says, sentence by sentence: the criterion, what was measured, and whether it holds."""
