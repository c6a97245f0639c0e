"""Bronze object in, silver batch and quarantine out."""

from shared import native

native.settle()
