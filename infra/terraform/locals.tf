locals {
  topology = jsondecode(file("${path.module}/topology.json"))

  deployment = {
    name      = "smelt"
    partition = var.partition
    region    = var.region
    account   = var.account
  }

  bucket_name = coalesce(var.bucket_name, "smelt-${var.account}-${var.region}")

  # How CloudWatch knows them, and how many tasks there are at least.
  web_services = merge([
    for web in module.web : {
      console = { target_group = web.target_groups["console"].metric, least = 1 }
      serving = { target_group = web.target_groups["serving"].metric, least = var.paused ? 0 : var.web.serving.least }
    }
  ]...)
}
