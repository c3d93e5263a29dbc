"""The site's pages, and in `docs.making` what computes their tables."""
