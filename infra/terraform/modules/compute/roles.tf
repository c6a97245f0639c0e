# Two roles a service: the task's, for what its code calls (permissions.tf), and the execution's, with which Fargate fetches
# image and secrets and writes logs. The code never sees the second.

locals {
  trusts_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.deployment.account }
        ArnLike      = { "aws:SourceArn" = "arn:${var.deployment.partition}:ecs:${var.deployment.region}:${var.deployment.account}:*" }
      }
    }]
  })
}

resource "aws_iam_role" "task" {
  for_each = local.permissions

  name               = "${var.deployment.name}-${each.key}"
  assume_role_policy = local.trusts_tasks
}

resource "aws_iam_role_policy" "task" {
  #checkov:skip=CKV_AWS_355:cloudwatch:GetMetricData and scheduler:ListSchedules know no resources
  for_each = local.permissions

  name = "work"
  role = aws_iam_role.task[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for one in each.value : { Sid = one.sid, Effect = "Allow", Action = one.actions, Resource = one.resources }],
      [{
        Sid       = "TheBucketsKey"
        Effect    = "Allow"
        Action    = local.key_actions[each.key]
        Resource  = [var.data_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = "s3.${var.deployment.region}.amazonaws.com" } }
      }]
    )
  })
}

resource "aws_iam_role" "execution" {
  for_each = local.services

  name               = "${var.deployment.name}-${each.key}-start"
  assume_role_policy = local.trusts_tasks
}

resource "aws_iam_role_policy" "execution" {
  #checkov:skip=CKV_AWS_355:ecr:GetAuthorizationToken knows no resources
  for_each = local.services

  name = "start"
  role = aws_iam_role.execution[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "LogIn", Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] },
      {
        Sid      = "PullImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [aws_ecr_repository.service[local.images[each.key]].arn]
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.service[each.key].arn}:*"]
      },
      {
        Sid      = "FetchSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = concat([var.cache_secret_arn], each.value.secret_roots)
      },
      {
        Sid       = "TheSecretsKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = [var.data_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.deployment.region}.amazonaws.com" } }
      },
    ]
  })
}
