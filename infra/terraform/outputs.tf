output "bucket" {
  description = "Where objects are."
  value       = module.messaging.bucket.name
}

output "queue_urls" {
  description = "{service: URL of its queue}"
  value       = { for service, queue in module.messaging.queues : service => queue.url }
}

output "repositories" {
  description = "{service: where its image is pushed to}"
  value       = module.compute.repositories
}

output "source_secrets" {
  description = "{variable: name of the secret that its value must be put into}"
  value       = module.compute.source_secrets
}

# Arguments of `aws ecs run-task` for an operator's command; docs/aws.md uses them.
output "ops" {
  description = "Cluster, task family and network of operators' tasks."
  value = {
    cluster = module.compute.cluster.name
    task    = module.compute.ops_task
    network = jsonencode({
      awsvpcConfiguration = {
        subnets        = module.network.private_subnets
        securityGroups = [module.network.security_groups["ops"]]
        assignPublicIp = "DISABLED"
      }
    })
  }
}

output "load_balancer" {
  description = "Where the names of console and page must lead to; null without them."
  value       = one([for web in module.web : { dns_name = web.load_balancer.dns_name, zone_id = web.load_balancer.zone_id }])
}

output "permissions" {
  description = "{service: what its code may do}, as rendered."
  value       = module.compute.permissions
}
