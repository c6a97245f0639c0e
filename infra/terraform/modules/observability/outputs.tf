output "topic_arn" {
  description = "Where alerts are published."
  value       = aws_sns_topic.alerts.arn
}

output "rules" {
  description = "{alarm: its runbook}"
  value       = { for name, rule in local.rules : name => rule.runbook }
}
