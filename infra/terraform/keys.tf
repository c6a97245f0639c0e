# Two keys: what is ours to keep secret, and what is said about it. Rotated every year by KMS; deleted ones wait for thirty
# days, the longest there is, because everything encrypted with them is lost.

locals {
  account_root = "arn:${var.partition}:iam::${var.account}:root"
  logs         = "arn:${var.partition}:logs:${var.region}:${var.account}:log-group"

  # The account's own policies decide: services.tf and roles.tf of the module compute.
  by_policies = {
    Sid       = "ByPolicies"
    Effect    = "Allow"
    Principal = { AWS = local.account_root }
    Action    = "kms:*"
    Resource  = "*"
  }
}

resource "aws_kms_key" "data" {
  description             = "smelt: bucket, database, cache, secrets, images"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({ Version = "2012-10-17", Statement = [local.by_policies] })
}

resource "aws_kms_alias" "data" {
  name          = "alias/smelt-data"
  target_key_id = aws_kms_key.data.key_id
}

resource "aws_kms_key" "telemetry" {
  description             = "smelt: logs, alerts, Performance Insights"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.by_policies,
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = {
          ArnLike = {
            "kms:EncryptionContext:aws:logs:arn" = [
              "${local.logs}:/smelt/*",
              "${local.logs}:/aws/rds/instance/smelt/*",
            ]
          }
        }
      },
      {
        Sid       = "WhoSpeaksToTheAlertTopic"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com", "budgets.amazonaws.com", "events.rds.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*" # without a condition, as AWS documents it for topics: not all of them send what one would test
      },
    ]
  })
}

resource "aws_kms_alias" "telemetry" {
  name          = "alias/smelt-telemetry"
  target_key_id = aws_kms_key.telemetry.key_id
}
