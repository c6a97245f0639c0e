# Beside main.tf in a copy: the state is a file, and AWS_ENDPOINT_URL says where moto is.

terraform {
  backend "local" {}
}

provider "aws" {
  s3_use_path_style           = true # the server's address has no names below it
  max_retries                 = 2    # of a fault of the server, instead of 25
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
}
