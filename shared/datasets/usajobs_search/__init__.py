"""USAJOBS Search API: every open federal job announcement, up to 500 a page.

Source: https://developer.usajobs.gov/api-reference/get-api-search
"""
