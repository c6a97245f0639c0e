"""Benchmarks beside the peers and the floor: `python -m bench --help`.

workload        pages to load                       rig, workers    the stack that they are loaded into
contenders      who loads them                      comparison      all of them in turn, in one run
latency, backlog, memory, requests, gate, profile   the other measurements
processes       CPU and memory of processes         contents        what is in the tables in the end
goals, report   the table and docs/performance.md
"""
