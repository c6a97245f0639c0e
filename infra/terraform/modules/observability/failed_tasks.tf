# An operators' task, such as the nightly audit, that ended with anything but 0.

resource "aws_cloudwatch_event_rule" "failed_task" {
  name        = "${var.deployment.name}-failed-task"
  description = "A scheduled command failed"

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn        = [var.cluster.arn]
      taskDefinitionArn = [{ wildcard = "*:task-definition/${var.deployment.name}-ops:*" }]
      lastStatus        = ["STOPPED"]
      # A task that never came to run has no exit code, but a reason.
      "$or" = [
        { containers = { exitCode = [{ anything-but = 0 }] } },
        { stopCode = ["TaskFailedToStart"] },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "failed_task" {
  rule = aws_cloudwatch_event_rule.failed_task.name
  arn  = aws_sns_topic.alerts.arn

  input_transformer {
    input_paths = { task = "$.detail.taskArn", reason = "$.detail.stoppedReason" }
    # Quoted: a transformer's template must be JSON, and a string is.
    input_template = "\"A scheduled command of ${var.deployment.name} failed: <reason>, task <task>. What to do: ${var.runbooks}/failed-run.md\""
  }
}
