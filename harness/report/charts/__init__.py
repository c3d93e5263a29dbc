"""The page's own charts: from tables to the parts of an inline SVG and the values that a reader finds on them."""
