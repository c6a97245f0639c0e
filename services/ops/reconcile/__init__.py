"""The bucket compared with the ledger; objects sent once more."""
