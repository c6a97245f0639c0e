resource "aws_cloudwatch_metric_alarm" "rule" {
  for_each = local.rules

  alarm_name          = "${var.deployment.name}-${trimprefix(each.key, "${var.deployment.name}-")}"
  alarm_description   = "${each.value.title}. What to do: ${var.runbooks}/${each.value.runbook}.md"
  comparison_operator = each.value.compare
  threshold           = each.value.threshold
  evaluation_periods  = each.value.minutes
  datapoints_to_alarm = each.value.minutes
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn] # who was woken wants to know when it is over

  metric_query {
    id          = "signal"
    expression  = each.value.signal
    label       = each.value.title
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id = metric_query.key

      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.of
        period      = 60
        stat        = metric_query.value.stat
      }
    }
  }
}
