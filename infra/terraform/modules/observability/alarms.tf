locals {
  watches_one = { for name, rule in local.rules : name => length(rule.metrics) == 1 }
  periods     = { for name, rule in local.rules : name => lookup(rule, "period", 60) } # s between points of its metric
}

resource "aws_cloudwatch_metric_alarm" "rule" {
  for_each = local.rules

  alarm_name          = "${var.deployment.name}-${trimprefix(each.key, "${var.deployment.name}-")}"
  alarm_description   = "${each.value.title}. What to do: ${var.runbooks}/${each.value.runbook}.md"
  comparison_operator = each.value.compare
  threshold           = each.value.threshold
  evaluation_periods  = each.value.minutes * 60 / local.periods[each.key]
  datapoints_to_alarm = each.value.minutes * 60 / local.periods[each.key]
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn] # who was woken wants to know when it is over

  # A rule of one metric watches the metric itself: CloudWatch then reads further back where the newest points are late.
  namespace   = local.watches_one[each.key] ? each.value.namespace : null
  metric_name = local.watches_one[each.key] ? one(values(each.value.metrics)).name : null
  dimensions  = local.watches_one[each.key] ? one(values(each.value.metrics)).of : null
  statistic   = local.watches_one[each.key] ? one(values(each.value.metrics)).stat : null
  period      = local.watches_one[each.key] ? local.periods[each.key] : null

  dynamic "metric_query" {
    for_each = local.watches_one[each.key] ? [] : [each.value]

    content {
      id          = "signal"
      expression  = metric_query.value.signal
      label       = metric_query.value.title
      return_data = true
    }
  }

  dynamic "metric_query" {
    for_each = local.watches_one[each.key] ? {} : each.value.metrics

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
