"""How good is each estimator of log p(x)?"""
