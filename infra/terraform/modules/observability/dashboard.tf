# One row of the pipeline a queue, then the lines of all other rules; the alarms above everything.

locals {
  in_order = ["extractor", "transformer", "uploads", "loader"] # as a posting passes them
  height   = 6

  alarm_widget = {
    type = "alarm", x = 0, y = 0, width = 24, height = 3
    properties = {
      title  = "What needs a person"
      alarms = [for alarm in aws_cloudwatch_metric_alarm.rule : alarm.arn]
    }
  }

  queue_widgets = flatten([
    for row, service in local.in_order : [
      for column, graph in {
        "0" = {
          title = "${var.queues[service].name}: waiting, in flight, dead"
          metrics = [
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queues[service].name, { label = "waiting" }],
            [".", "ApproximateNumberOfMessagesNotVisible", ".", ".", { label = "in flight" }],
            [".", "ApproximateNumberOfMessagesVisible", ".", var.queues[service].dead_letter_name, { label = "dead", color = "#d62728" }],
          ]
        }
        "1" = {
          title   = "${var.queues[service].name}: age of the oldest, s"
          metrics = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queues[service].name, { stat = "Maximum" }]]
        }
        "2" = {
          title = "${service}: done a minute, tasks"
          metrics = [
            ["AWS/SQS", "NumberOfMessagesDeleted", "QueueName", var.queues[service].name, { stat = "Sum", label = "done" }],
            ["ECS/ContainerInsights", "RunningTaskCount", "ClusterName", var.cluster.name, "ServiceName", service, { yAxis = "right", label = "tasks" }],
          ]
        }
        } : {
        type = "metric", x = 8 * tonumber(column), y = 3 + local.height * row, width = 8, height = local.height
        properties = {
          title = graph.title, metrics = graph.metrics, region = var.deployment.region, period = 60, stat = "Maximum", view = "timeSeries"
        }
      }
    ]
  ])

  other_rules = merge(local.database_rules, local.cache_rules, local.web_rules)

  other_widgets = [
    for index, name in sort(keys(local.other_rules)) : {
      type = "metric", x = 6 * (index % 4), y = 3 + local.height * (length(local.in_order) + floor(index / 4)), width = 6, height = local.height
      properties = {
        title  = name
        region = var.deployment.region
        period = 60
        view   = "timeSeries"
        metrics = [
          for metric in local.other_rules[name].metrics :
          concat([local.other_rules[name].namespace, metric.name], flatten([for key, value in metric.of : [key, value]]), [{ stat = metric.stat }])
        ]
        annotations = { horizontal = [{ label = "alarm", value = local.other_rules[name].threshold }] }
      }
    }
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.deployment.name
  dashboard_body = jsonencode({ widgets = concat([local.alarm_widget], local.queue_widgets, local.other_widgets) })
}
