locals {
  topology = jsondecode(file("${path.module}/topology.json"))

  deployment = {
    name      = "smelt"
    partition = var.partition
    region    = var.region
    account   = var.account
  }

  bucket_name = coalesce(var.bucket_name, "smelt-${var.account}-${var.region}")
}
