"""The errors a user can cause, and therefore mend."""


class UserError(Exception):
    """Something the user asked for cannot be done; the message names the rule, what came, and the remedy."""


class DataError(UserError):
    """A dataset is missing, damaged or not what it claims to be."""
