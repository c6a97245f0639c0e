locals {
  trusted = {
    for name in ["states", "events"] : name => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Service = "${name}.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { StringEquals = { "aws:SourceAccount" = var.deployment.account } }
      }]
    })
  }
}

resource "aws_iam_role" "roll" {
  name               = "${var.deployment.name}-roll"
  assume_role_policy = local.trusted["states"]
}

resource "aws_iam_role_policy" "roll" {
  #checkov:skip=CKV_AWS_290:the delivery of logs knows no resources
  #checkov:skip=CKV_AWS_355:likewise
  name = "roll"
  role = aws_iam_role.roll.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "RollWhatKnowsThePassword"
        Effect   = "Allow"
        Action   = ["ecs:UpdateService"]
        Resource = [for service in local.rolled : merge(aws_ecs_service.worker, aws_ecs_service.console, aws_ecs_service.serving)[service].id]
      },
      {
        Sid    = "DeliverLogs"
        Effect = "Allow"
        Action = [
          "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
          "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
        ]
        Resource = ["*"]
      },
    ]
  })
}

resource "aws_iam_role" "starts_roll" {
  name               = "${var.deployment.name}-starts-roll"
  assume_role_policy = local.trusted["events"]
}

resource "aws_iam_role_policy" "starts_roll" {
  name = "start"
  role = aws_iam_role.starts_roll.id

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["states:StartExecution"], Resource = [aws_sfn_state_machine.roll.arn] }]
  })
}
