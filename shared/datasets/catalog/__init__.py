"""The datasets that come with smelt: a contract each, and code where one needs it."""
