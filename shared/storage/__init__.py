"""The bucket: identities, keys, reading and writing."""
