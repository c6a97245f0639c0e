mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  deployment     = { name = "smelt", partition = "aws", region = "us-east-1", account = "111122223333" }
  topology       = jsondecode(file("./topology.json"))
  bucket_name    = "smelt-test"
  data_key_arn   = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
  lifecycle_days = { bronze_to_glacier = 30, bronze_expiry = 180, silver_expiry = 60 }
}

run "queues_have_the_limits_of_the_topology" {
  module {
    source = "./modules/messaging"
  }

  assert {
    condition = alltrue([
      for service, queue in var.topology.queues :
      aws_sqs_queue.work[service].name == queue.name
      && aws_sqs_queue.work[service].visibility_timeout_seconds == queue.visibility
      && aws_sqs_queue.work[service].message_retention_seconds == queue.retention
      && jsondecode(aws_sqs_queue.work[service].redrive_policy).maxReceiveCount == queue.max_receives
      && endswith(jsondecode(aws_sqs_queue.work[service].redrive_policy).deadLetterTargetArn, ":${queue.dead_letter_name}")
    ])
    error_message = "The workers refuse to start on queues that differ from the topology."
  }

  assert {
    condition = alltrue([
      for service, queue in aws_sqs_queue.dead_letters :
      queue.message_retention_seconds == 14 * 24 * 3600
      && jsondecode(queue.redrive_allow_policy).redrivePermission == "byQueue"
      && endswith(one(jsondecode(queue.redrive_allow_policy).sourceQueueArns), ":${var.topology.queues[service].name}")
    ])
    error_message = "A dead-letter queue keeps what comes from its own queue for 14 days."
  }

  assert {
    condition     = alltrue([for queue in concat(values(aws_sqs_queue.work), values(aws_sqs_queue.dead_letters)) : queue.sqs_managed_sse_enabled])
    error_message = "Every queue is encrypted."
  }
}

run "s3_may_write_to_the_queues_that_it_notifies_only" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition = {
      for service, queue in aws_sqs_queue.work : service => anytrue([for one in jsondecode(queue.policy).Statement : one.Effect == "Allow"])
    } == { for service in keys(var.topology.queues) : service => contains(values(var.topology.notifications), service) }
    error_message = "Only the queues of the notifications have a statement that allows."
  }

  assert {
    condition     = { for queue in aws_s3_bucket_notification.this.queue : queue.filter_prefix => queue.queue_arn } == { for prefix, service in var.topology.notifications : prefix => "arn:aws:sqs:us-east-1:111122223333:${var.topology.queues[service].name}" }
    error_message = "Each prefix of the topology notifies its queue."
  }
}

run "the_bucket_is_private_encrypted_and_versioned" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "GETs are pinned to versions."
  }

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "aws:kms"
    error_message = "Objects are encrypted with our key."
  }

  assert {
    condition     = anytrue([for one in jsondecode(aws_s3_bucket_policy.this.policy).Statement : one.Effect == "Deny" && try(one.Condition.Bool["aws:SecureTransport"], "") == "false"])
    error_message = "Requests without TLS are denied."
  }
}

run "bronze_goes_to_glacier_and_then_away_overwritten_versions_too" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      rule.id => "${one(rule.transition).days} ${one(rule.transition).storage_class}"
      if endswith(rule.id, "-to-glacier")
    } == { for prefix in ["bronze", "uploads", "replays"] : "${prefix}-to-glacier" => "30 GLACIER_IR" }
    error_message = "Raw data moves after 30 days."
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      rule.id => [one(rule.expiration).days, one(rule.noncurrent_version_expiration).noncurrent_days] if startswith(rule.id, "expire-")
      } == {
      expire-bronze = [160, 20], expire-uploads = [160, 20], expire-replays = [160, 20], expire-plans = [160, 20], expire-silver = [40, 20], expire-quarantine = [40, 20], expire-discarded = [160, 20], expire-rejected-responses = [40, 20]
    }
    error_message = "Together they are the days that the options name."
  }
}

run "of_gold_the_last_of_each_day_stays" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : "${one(rule.noncurrent_version_expiration).noncurrent_days} ${length(rule.expiration)}"
      if one(rule.filter).prefix == "gold/"
    ] == ["1 0"]
    error_message = "It is written anew all day: what was overwritten goes, the rest stays."
  }
}

run "of_the_state_the_newest_stays" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : "${one(rule.noncurrent_version_expiration).noncurrent_days} ${length(rule.expiration)}"
      if one(rule.filter).prefix == "state/"
    ] == ["20 0"]
    error_message = "A source that runs once a year begins from it."
  }
}

run "glacier_for_less_than_its_minimum_charge_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    lifecycle_days = { bronze_to_glacier = 30, bronze_expiry = 100, silver_expiry = 60 }
  }

  expect_failures = [var.lifecycle_days]
}

run "an_object_that_expires_before_its_dead_letter_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    lifecycle_days = { bronze_to_glacier = 30, bronze_expiry = 180, silver_expiry = 10 }
  }

  expect_failures = [var.lifecycle_days]
}

run "a_bucket_with_a_dot_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    bucket_name = "smelt.example"
  }

  expect_failures = [var.bucket_name]
}
