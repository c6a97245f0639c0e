"""Those who load the pages, each in its own way.

in_process   smelt's transformer and loader, called one after the other, without S3 and queues
whole_stack  smelt as it is deployed: S3, events, queues, worker processes
floor        COPY of rows that were prepared before
dlt_pipeline what many would pick instead
"""
