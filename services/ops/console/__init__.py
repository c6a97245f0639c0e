"""The console: the pipeline, its runs and what went wrong, as one page that keeps itself up to date. It only reads."""
