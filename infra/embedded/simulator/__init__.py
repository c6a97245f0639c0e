"""A server that speaks the USAJOBS API with generated postings, for machines without an API key, demos and tests.

    market          which postings are open on which day              posting   what both endpoints say of one of them
    announcement    a posting as Search has it                        record    and as HistoricJoa has it
    prose, places, codes    what postings are made of
    search, historic, codelists    the three endpoints                parameters, answers    what they share
    app             routes, authorisation, control endpoint           faults    errors on request

`python -m infra.embedded.simulator --port 8100` serves it. Tests read the truth from `market.Market` instead:
`open_postings(day)` and `posting(control_number, day)`.
"""
