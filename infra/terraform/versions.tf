terraform {
  required_version = ">= 1.11" # write-only arguments: a secret's value is in no state

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0" # exactly the one that the checks ran with
    }
  }

  # The state names every resource and holds the cache's token: its bucket must be private, versioned and encrypted.
  # terraform init -backend-config=bucket=… -backend-config=key=smelt.tfstate -backend-config=region=…
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account]

  default_tags {
    tags = { Project = local.deployment.name } # the budget counts by it
  }
}
