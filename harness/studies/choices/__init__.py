"""What each choice that the paper leaves open is worth: its curves against the same with one choice made otherwise."""
