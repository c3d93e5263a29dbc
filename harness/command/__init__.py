"""The command line: its options, and the catalogue of what there is."""
