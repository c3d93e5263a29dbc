"""Which step size the paper's rule picks for each curve, and whether its curves were made with that one."""
