"""Files that land whole, and what they hold: run folders, checksums, locks, tables, environments, provenance."""
