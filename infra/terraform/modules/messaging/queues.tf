# A work queue and a dead-letter queue a service, with the limits of topology.json.

locals {
  queues  = var.topology.queues
  arn_of  = "arn:${var.deployment.partition}:sqs:${var.deployment.region}:${var.deployment.account}"
  arns    = { for service, queue in local.queues : service => "${local.arn_of}:${queue.name}" }
  dead    = { for service, queue in local.queues : service => "${local.arn_of}:${queue.dead_letter_name}" }
  from_s3 = toset(values(var.topology.notifications)) # services whose queue S3 writes to

  no_plain_text = {
    Sid       = "TlsOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }
}

# SSE-SQS, not a key of ours: messages name objects and parameters but hold no content, and a key would be asked for
# (and paid for) with every message, by S3 as well.

resource "aws_sqs_queue" "dead_letters" {
  for_each = local.queues

  name                      = each.value.dead_letter_name
  message_retention_seconds = var.topology.dead_letter_retention
  sqs_managed_sse_enabled   = true

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.arns[each.key]]
  })

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [merge(local.no_plain_text, { Resource = local.dead[each.key] })]
  })
}

resource "aws_sqs_queue" "work" {
  for_each = local.queues

  name                       = each.value.name
  visibility_timeout_seconds = each.value.visibility
  message_retention_seconds  = each.value.retention
  receive_wait_time_seconds  = 20 # SQS's longest poll: who does not say otherwise pays for few empty receives
  sqs_managed_sse_enabled    = true

  # Behind the workers, who bury with a reason: for what dies without a word.
  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead[each.key]
    maxReceiveCount     = each.value.max_receives
  })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [merge(local.no_plain_text, { Resource = local.arns[each.key] })],
      contains(local.from_s3, each.key) ? [{
        Sid       = "EventsOfOurBucket"
        Effect    = "Allow"
        Principal = { Service = "s3.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.arns[each.key]
        Condition = {
          ArnEquals    = { "aws:SourceArn" = local.bucket_arn }
          StringEquals = { "aws:SourceAccount" = var.deployment.account } # a bucket's name may pass to somebody else
        }
      }] : []
    )
  })

  depends_on = [aws_sqs_queue.dead_letters] # SQS refuses a redrive to a queue that is not there

  lifecycle {
    precondition {
      condition     = each.value.visibility >= 30 && each.value.visibility <= each.value.time_limit
      error_message = "Workers extend the visibility every third of it: below 30 s one slow call loses the claim; above the time limit a dead worker's message waits for nothing."
    }
  }
}
