"""Questions of the project's own about the paper's estimators; a folder for each."""
