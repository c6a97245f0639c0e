"""Those who load the pages, each in its own way.

in_process     smelt's transformer and loader in one process, without S3 and queues
two_processes  the same in two processes, each with pages of its own
whole_stack    smelt as it is deployed: S3, events, queues, worker processes
floor          COPY of rows that were prepared before
dlt_pipeline   what many would pick instead
"""
