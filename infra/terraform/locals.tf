locals {
  topology = jsondecode(file("${path.module}/topology.json"))

  deployment = {
    name      = "smelt"
    partition = var.partition
    region    = var.region
    account   = var.account
  }

  bucket_name = coalesce(var.bucket_name, "smelt-${var.account}-${var.region}")

  # How long a message may wait before somebody is told: by then there should have been more tasks.
  slo = { for service, worker in var.workers : service => 2 * worker.oldest }
}
