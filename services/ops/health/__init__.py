"""Alert rules and freshness."""
