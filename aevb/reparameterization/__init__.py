"""Draws as differentiable functions z = g(ε, parameters) of noise ε whose law is fixed: section 2.4 of the paper."""
