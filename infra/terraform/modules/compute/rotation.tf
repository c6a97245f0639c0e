# RDS changes the password every seven days. Connections that are open stay; new ones need the new password, which a task gets
# when it starts. So the loaders, console and serving are rolled when RDS says that it has changed. Until then a loader that must
# connect anew fails as if the database were away, and its messages are tried again.

locals {
  rolled = concat(
    [for service in keys(var.workers) : service if local.services[service].database],
    keys(local.web_services),
  )
}

resource "aws_cloudwatch_event_rule" "password_changed" {
  name        = "${var.deployment.name}-password-changed"
  description = "RDS has changed the password of ${var.postgres.identifier}"

  event_pattern = jsonencode({
    source      = ["aws.rds"]
    detail-type = ["RDS DB Instance Event"]
    detail      = { EventID = ["RDS-EVENT-0016"], SourceIdentifier = [var.postgres.identifier] }
  })
}

resource "aws_cloudwatch_event_target" "roll" {
  rule     = aws_cloudwatch_event_rule.password_changed.name
  arn      = aws_sfn_state_machine.roll.arn
  role_arn = aws_iam_role.starts_roll.arn

  depends_on = [aws_iam_role_policy.starts_roll]
}

resource "aws_sfn_state_machine" "roll" {
  #checkov:skip=CKV_AWS_284:two states a week: its own history says all that a trace would
  name     = "${var.deployment.name}-roll"
  role_arn = aws_iam_role.roll.arn

  definition = jsonencode({
    Comment = "New tasks, which fetch the new password; paused services stay at none"
    StartAt = "UntilTheSecretIsCurrent"
    States = merge(
      { UntilTheSecretIsCurrent = { Type = "Wait", Seconds = 60, Next = local.rolled[0] } },
      {
        for index, service in local.rolled : service => merge(
          {
            Type       = "Task"
            Resource   = "arn:${var.deployment.partition}:states:::aws-sdk:ecs:updateService"
            Parameters = { Cluster = aws_ecs_cluster.this.name, Service = service, ForceNewDeployment = true }
            Retry      = [{ ErrorEquals = ["States.ALL"], IntervalSeconds = 10, MaxAttempts = 5, BackoffRate = 2 }]
          },
          index + 1 < length(local.rolled) ? { Next = local.rolled[index + 1] } : { End = true }
        )
      }
    )
  })

  logging_configuration {
    log_destination        = "${aws_cloudwatch_log_group.roll.arn}:*"
    level                  = "ERROR"
    include_execution_data = true # names of services, no secrets
  }

  depends_on = [aws_iam_role_policy.roll] # Step Functions tries the delivery of logs at once
}

resource "aws_cloudwatch_log_group" "roll" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the deployment's choice, var.log_retention
  name              = "/${var.deployment.name}/roll"
  retention_in_days = var.log_retention
  kms_key_id        = var.telemetry_key_arn
}
