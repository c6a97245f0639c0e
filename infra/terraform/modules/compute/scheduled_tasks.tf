# Operators' commands by the clock, each a task of its own: the audit, and the alternative for a source that should be
# extracted without a queue between: ["smelt", "runs", "start", "<dataset>", "--wait"], which fails where the run is not complete.

resource "aws_scheduler_schedule" "task" {
  #checkov:skip=CKV_AWS_297:a command line without secrets: AWS's own key will do
  for_each = var.scheduled_tasks

  name                         = "task-${each.key}"
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = each.value.expression
  schedule_expression_timezone = each.value.timezone
  state                        = each.value.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_ecs_cluster.this.arn
    role_arn = aws_iam_role.scheduler_tasks.arn
    input    = jsonencode({ containerOverrides = [{ name = "ops", command = each.value.command }] })

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.service["ops"].arn
      launch_type         = "FARGATE"

      network_configuration {
        subnets          = local.services["ops"].subnets
        security_groups  = [var.network.security_groups["ops"]]
        assign_public_ip = false
      }
    }

    retry_policy {
      maximum_event_age_in_seconds = 3600 # Fargate without capacity is waited for; what failed itself is reported, not repeated
      maximum_retry_attempts       = 10
    }
  }

  depends_on = [aws_iam_role_policy.scheduler_tasks]
}

resource "aws_iam_role" "scheduler_tasks" {
  name               = "${var.deployment.name}-scheduler-tasks"
  assume_role_policy = local.trusts_scheduler
}

resource "aws_iam_role_policy" "scheduler_tasks" {
  name = "run"
  role = aws_iam_role.scheduler_tasks.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RunOperatorsTasks"
        Effect    = "Allow"
        Action    = ["ecs:RunTask"]
        Resource  = ["arn:${var.deployment.partition}:ecs:${var.deployment.region}:${var.deployment.account}:task-definition/${var.deployment.name}-ops:*"]
        Condition = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.this.arn } }
      },
      {
        Sid       = "WithTheirRoles"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [aws_iam_role.task["ops"].arn, aws_iam_role.execution["ops"].arn]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
    ]
  })
}
