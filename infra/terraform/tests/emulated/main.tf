# The module messaging alone, for the emulator: AWS_ENDPOINT_URL says where that is. tests/infra/test_messaging.py applies it.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

variable "deployment" {
  type = object({ name = string, partition = string, region = string, account = string })
}

variable "bucket_name" {
  type = string
}

provider "aws" {
  region                      = var.deployment.region
  s3_use_path_style           = true # the emulator's address has no names below it
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

module "messaging" {
  source = "../../modules/messaging"

  deployment     = var.deployment
  topology       = jsondecode(file("${path.module}/../../topology.json"))
  bucket_name    = var.bucket_name
  data_key_arn   = "arn:aws:kms:${var.deployment.region}:${var.deployment.account}:key/11111111-2222-3333-4444-555555555555"
  lifecycle_days = { bronze_to_glacier = 30, bronze_expiry = 180, silver_expiry = 60 }
}
