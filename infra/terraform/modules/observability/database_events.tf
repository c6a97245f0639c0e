# What RDS says of itself. Alarms see a disk that is full by the size of the first day; RDS enlarges it and knows the size of
# today, and says when it is nearly full all the same because it may not grow further, or not so soon.

resource "aws_db_event_subscription" "database" {
  name             = "${var.deployment.name}-database"
  sns_topic        = aws_sns_topic.alerts.arn
  source_type      = "db-instance"
  source_ids       = [var.postgres.identifier]
  event_categories = ["availability", "failover", "failure", "low storage", "recovery"]

  depends_on = [aws_sns_topic_policy.alerts] # RDS checks that it may speak there
}
