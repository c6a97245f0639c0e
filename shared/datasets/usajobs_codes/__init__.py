"""USAJOBS code lists: what the codes in postings mean.

Source: https://developer.usajobs.gov/api-reference/ (the pages of /codelist/…)
"""
