# What each service may do, as data: read it beside the calls in services/*. A test compares the two, and the table in
# docs/aws.md with what is rendered here. ListBucket is what makes S3 answer 404 rather than 403 for an object that is not
# there; a condition on the prefix would not hold for HEAD, which has none.

locals {
  bucket = var.bucket.arn
  queue  = { for service, queue in var.queues : service => queue.arn }
  dead   = { for service, queue in var.queues : service => queue.dead_letter_arn }

  schedules = format(
    "arn:%s:scheduler:%s:%s:schedule/%s/*",
    var.deployment.partition, var.deployment.region, var.deployment.account, aws_scheduler_schedule_group.this.name,
  )

  consume = {
    for service in keys(var.queues) : service => [
      {
        sid = "TakeMessagesAndPutThemBack"
        actions = [
          "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
          "sqs:SendMessage",
        ]
        resources = [local.queue[service]]
      },
      {
        sid       = "BuryMessages"
        actions   = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
        resources = [local.dead[service]]
      },
      { sid = "SeeWhatIsMissing", actions = ["s3:ListBucket"], resources = [local.bucket] },
    ]
  }

  # By service: the prefixes of what it transforms.
  transform = {
    for service, prefixes in { transformer = ["bronze"], uploads = ["uploads", "replays"] } : service => [
      {
        sid       = "ReadRawData"
        actions   = ["s3:GetObject", "s3:GetObjectVersion"]
        resources = [for prefix in prefixes : "${local.bucket}/${prefix}/*"]
      },
      {
        sid       = "WriteSilver"
        actions   = ["s3:PutObject"]
        resources = ["${local.bucket}/silver/*", "${local.bucket}/quarantine/*"]
      },
    ]
  }

  # {what contracts may do with uploads that are loaded (`afterLoading`): what it takes}; versions stay in any case
  after_loading = {
    tag = [
      {
        sid       = "TagLoadedUploads"
        actions   = ["s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"]
        resources = ["${local.bucket}/uploads/*"]
      },
    ]
    move = [
      {
        sid       = "TakeLoadedUploads"
        actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject"]
        resources = ["${local.bucket}/uploads/*"]
      },
      {
        sid       = "KeepMovedUploads"
        actions   = ["s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"]
        resources = ["${local.bucket}/loaded/*"]
      },
    ]
    delete = [
      { sid = "HideLoadedUploads", actions = ["s3:GetObject", "s3:DeleteObject"], resources = ["${local.bucket}/uploads/*"] },
    ]
  }

  permissions = { for service in keys(local.services) : service => local.rights[service] }

  rights = {
    extractor = concat(local.consume["extractor"], [
      {
        sid       = "WaitForThoseDownstream"
        actions   = ["sqs:GetQueueAttributes"]
        resources = [local.queue["transformer"], local.queue["loader"]]
      },
      {
        sid       = "PlansAndPages"
        actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
        resources = ["${local.bucket}/plans/*", "${local.bucket}/bronze/*"]
      },
      { sid = "BeginFromTheState", actions = ["s3:GetObject", "s3:GetObjectVersion"], resources = ["${local.bucket}/state/*"] },
      { sid = "KeepRejectedResponses", actions = ["s3:PutObject"], resources = ["${local.bucket}/rejected-responses/*"] },
    ])
    transformer = concat(local.consume["transformer"], local.transform["transformer"])
    uploads = concat(local.consume["uploads"], local.transform["uploads"], [
      { sid = "WaitForTheLoader", actions = ["sqs:GetQueueAttributes"], resources = [local.queue["loader"]] },
    ])
    loader = concat(local.consume["loader"], [
      {
        sid       = "ReadWhatIsLoaded"
        actions   = ["s3:GetObject", "s3:GetObjectVersion"]
        resources = [for prefix in ["silver", "quarantine", "plans"] : "${local.bucket}/${prefix}/*"]
      },
      { sid = "KeepTheState", actions = ["s3:PutObject"], resources = ["${local.bucket}/state/*"] },
      { sid = "AskForObjectsInFull", actions = ["sqs:SendMessage"], resources = [local.queue["transformer"], local.queue["uploads"]] },
    ], flatten([for action in var.after_loading : local.after_loading[action]]))
    ops = [
      {
        sid       = "SeeQueues"
        actions   = ["sqs:GetQueueAttributes"]
        resources = concat(values(local.queue), values(local.dead))
      },
      {
        sid       = "HandleDeadLetters"
        actions   = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"]
        resources = values(local.dead)
      },
      { sid = "SendAgain", actions = ["sqs:SendMessage"], resources = values(local.queue) },
      { sid = "CompareTheBucket", actions = ["s3:ListBucket", "s3:ListBucketVersions"], resources = [local.bucket] },
      {
        sid       = "SeeWhatMessagesName"
        actions   = ["s3:GetObject", "s3:GetObjectVersion"]
        resources = [for prefix in ["bronze", "uploads", "replays", "silver", "quarantine", "plans", "state"] : "${local.bucket}/${prefix}/*"]
      },
      {
        sid       = "UploadReplayDiscard"
        actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
        resources = [for folder in ["uploads", "replays", "discarded", "state"] : "${local.bucket}/${folder}/*"]
      },
      {
        sid       = "KeepSchedules"
        actions   = [for what in ["Get", "Create", "Update", "Delete"] : "scheduler:${what}Schedule"]
        resources = [local.schedules]
      },
      {
        sid       = "KeepTheirGroup"
        actions   = ["scheduler:GetScheduleGroup", "scheduler:CreateScheduleGroup"]
        resources = [aws_scheduler_schedule_group.this.arn]
      },
      # A role that Scheduler alone can take on. Not that of scheduled tasks, so those cannot be made or changed by hand.
      { sid = "LetSchedulesSend", actions = ["iam:PassRole"], resources = [aws_iam_role.scheduler_runs.arn] },
      # Both know no resources.
      { sid = "SeeAgesAndSchedules", actions = ["cloudwatch:GetMetricData", "scheduler:ListSchedules"], resources = ["*"] },
    ]
    # What operators do on its pages: of their commands neither uploads nor the making of schedules.
    console = [
      {
        sid       = "SeeQueues"
        actions   = ["sqs:GetQueueAttributes"]
        resources = concat(values(local.queue), values(local.dead))
      },
      {
        sid       = "HandleDeadLetters"
        actions   = ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"]
        resources = values(local.dead)
      },
      { sid = "SendAgain", actions = ["sqs:SendMessage"], resources = values(local.queue) },
      { sid = "TraceThroughTheBucket", actions = ["s3:ListBucket", "s3:ListBucketVersions"], resources = [local.bucket] },
      {
        sid       = "SeeWhatMessagesName"
        actions   = ["s3:GetObject", "s3:GetObjectVersion"]
        resources = [for prefix in ["bronze", "uploads", "replays", "silver", "quarantine", "plans"] : "${local.bucket}/${prefix}/*"]
      },
      {
        sid       = "ReplayDiscard"
        actions   = ["s3:PutObject"]
        resources = [for folder in ["replays", "discarded"] : "${local.bucket}/${folder}/*"]
      },
      { sid = "PauseSchedules", actions = ["scheduler:GetSchedule", "scheduler:UpdateSchedule"], resources = [local.schedules] },
      { sid = "LetSchedulesSend", actions = ["iam:PassRole"], resources = [aws_iam_role.scheduler_runs.arn] }, # a pause names it anew
      { sid = "SeeAgesAndSchedules", actions = ["cloudwatch:GetMetricData", "scheduler:ListSchedules"], resources = ["*"] },
    ]
    serving = [
      { sid = "StoreGold", actions = ["s3:PutObject", "s3:AbortMultipartUpload"], resources = ["${local.bucket}/gold/*"] },
    ]
  }

  # The bucket's key, only by way of S3. Who only reads needs no new data keys.
  key_actions = {
    extractor   = ["kms:Decrypt", "kms:GenerateDataKey"]
    transformer = ["kms:Decrypt", "kms:GenerateDataKey"]
    uploads     = ["kms:Decrypt", "kms:GenerateDataKey"]
    loader      = ["kms:Decrypt", "kms:GenerateDataKey"]
    ops         = ["kms:Decrypt", "kms:GenerateDataKey"]
    console     = ["kms:Decrypt", "kms:GenerateDataKey"]
    serving     = ["kms:Decrypt", "kms:GenerateDataKey"] # it reads nothing: S3 wants both for an upload in parts
  }
}
