"""What smelt runs on: the embedded stack on one machine, and Terraform for AWS."""
