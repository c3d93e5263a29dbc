DEMOS = ("generate", "reconstruct", "interpolate", "denoise", "inpaint")
def show_demo(*a): pass
