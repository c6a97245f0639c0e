"""USAJOBS Historic JOA API: every federal job announcement that ever opened, without its long texts.

Source: https://developer.usajobs.gov/api-reference/get-api-historicjoa
"""
