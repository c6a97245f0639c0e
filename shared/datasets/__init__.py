"""One folder a dataset; `contract` says what each must offer."""
