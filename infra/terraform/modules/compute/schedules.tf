# Runs: a command on the extract queue, which any extractor takes. The slot is the time that the schedule meant, so that a
# command delivered twice asks for the same run.

locals {
  commands_of_schedules = {
    for name, schedule in var.schedules : name => jsonencode({
      version       = 1
      type          = "run"
      dataset       = schedule.dataset
      params        = schedule.params
      trigger       = "schedule:${name}"               # as shared/formats/commands.py: by it the runs of a schedule are found
      scheduled_for = "<aws.scheduler.scheduled-time>" # Scheduler replaces it
    })
  }
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.deployment.name
}

resource "aws_scheduler_schedule" "run" {
  #checkov:skip=CKV_AWS_297:a dataset's name and parameters, no content: AWS's own key will do
  for_each = var.schedules

  name                         = each.key
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = each.value.expression
  schedule_expression_timezone = each.value.timezone
  state                        = each.value.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = var.queues["extractor"].arn
    role_arn = aws_iam_role.scheduler_runs.arn
    # jsonencode writes < and > as \u003c and \u003e, which Scheduler does not recognise.
    input = replace(replace(local.commands_of_schedules[each.key], "\\u003c", "<"), "\\u003e", ">")

    retry_policy {
      maximum_event_age_in_seconds = 3600 # a slot missed for an hour is left to the next one, and to the dead letters
      maximum_retry_attempts       = 30
    }

    # The input itself, so that it is shown and replayed like any other command that could not be handled.
    dead_letter_config {
      arn = var.queues["extractor"].dead_letter_arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler_runs]
}

resource "aws_iam_role" "scheduler_runs" {
  name               = "${var.deployment.name}-scheduler-runs"
  assume_role_policy = local.trusts_scheduler
}

resource "aws_iam_role_policy" "scheduler_runs" {
  name = "send"
  role = aws_iam_role.scheduler_runs.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["sqs:SendMessage"]
      Resource = [var.queues["extractor"].arn, var.queues["extractor"].dead_letter_arn]
    }]
  })
}

locals {
  trusts_scheduler = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = var.deployment.account
          "aws:SourceArn"     = aws_scheduler_schedule_group.this.arn
        }
      }
    }]
  })
}
