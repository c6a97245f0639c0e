output "github" {
  description = "{environment on GitHub: its variables}; docs/release.md says where to put them."
  value = {
    for name, role in local.roles : role.environment => {
      AWS_ROLE     = aws_iam_role.github[name].arn
      AWS_REGION   = var.region
      STATE_BUCKET = local.bucket
    }
  }
}

output "plan_policy" {
  description = "What the plan's role may do besides ReadOnlyAccess, for those who make the roles themselves."
  value       = jsonencode(local.plan_policy)
}
