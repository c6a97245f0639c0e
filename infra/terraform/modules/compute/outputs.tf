output "cluster" {
  description = "The cluster's name and ARN."
  value       = { name = aws_ecs_cluster.this.name, arn = aws_ecs_cluster.this.arn }
}

output "repositories" {
  description = "{service: where its image is pushed to}"
  value       = { for service, repository in aws_ecr_repository.service : service => repository.repository_url }
}

output "source_secrets" {
  description = "{variable: name of the secret that its value must be put into}"
  value       = { for name, secret in aws_secretsmanager_secret.source : name => secret.name }
}

output "ops_task" {
  description = "The family of operators' tasks."
  value       = aws_ecs_task_definition.service["ops"].family
}

output "permissions" {
  description = "{service: what its code may do}, as rendered."
  value       = { for service, policy in aws_iam_role_policy.task : service => policy.policy }
}
