"""Bronze object in, silver batch and quarantine out."""
