"""Data contracts in the Open Data Contract Standard (ODCS), and what is built from them.

`document` reads a contract; `record_model`, `tables`, `checks` and `rows` each build one part of a dataset from it.
"""
