"""Reference tables out of files: rows of `list`, `code` and `label`, as CSV, JSON lines or Parquet.

Whatever list somebody keeps in a spreadsheet, to be joined with the rest.
"""
