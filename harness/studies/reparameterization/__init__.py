"""Why does the reparameterization trick matter?"""
