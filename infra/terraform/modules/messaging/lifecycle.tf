# How long objects live. In a versioned bucket an object does not go when it expires: S3 puts a delete marker over it, and it
# becomes an overwritten version, whose own days begin then. So the two together are the days that the options name. A version
# that was overwritten lives for long enough to be read by a message that names it. But for gold, of which the last of each day
# stays for good: it is written anew whenever a run completes, and nobody asks for those in between.

locals {
  days        = var.lifecycle_days
  overwritten = 20                               # days: 4 on a queue, 14 as a dead letter, and 2 to act
  raw         = ["bronze", "uploads", "replays"] # what silver and the database are rebuilt from
  # Raw data: pages, uploads and replays. After a month only repairs read it, and they need it at once:
  # Instant Retrieval, not the tiers that take hours.
  # Silver and quarantine are in the database, and can be made again from bronze.
  # Plans are needed for as long as their pages are: the audit compares the two.
  # Dead letters that an operator took away: as long as the bronze they speak of. Answers that were not pages: as long as
  # somebody may want to see what a source sent.
  expiry = {
    "bronze/"             = local.days.bronze_expiry
    "uploads/"            = local.days.bronze_expiry
    "replays/"            = local.days.bronze_expiry
    "plans/"              = local.days.bronze_expiry
    "silver/"             = local.days.silver_expiry
    "quarantine/"         = local.days.silver_expiry
    "discarded/"          = local.days.bronze_expiry
    "rejected-responses/" = local.days.silver_expiry
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  dynamic "rule" {
    for_each = local.expiry

    content {
      id     = "expire-${trim(rule.key, "/")}"
      status = "Enabled"

      filter {
        prefix = rule.key
      }

      expiration {
        days = rule.value - local.overwritten
      }

      noncurrent_version_expiration {
        noncurrent_days = local.overwritten
      }
    }
  }

  dynamic "rule" {
    for_each = toset(local.raw)

    content {
      id     = "${rule.value}-to-glacier"
      status = "Enabled"

      filter {
        and {
          prefix                   = "${rule.value}/"
          object_size_greater_than = 128 * 1024 # bytes; smaller ones are charged as if they had this size
        }
      }

      transition {
        days          = local.days.bronze_to_glacier
        storage_class = "GLACIER_IR"
      }
    }
  }

  rule {
    id     = "overwritten-gold"
    status = "Enabled"

    filter {
      prefix = "gold/"
    }

    noncurrent_version_expiration {
      noncurrent_days = 1 # S3's shortest
    }
  }

  # How far sources have come is needed however long ago it was; each run writes it anew.
  rule {
    id     = "overwritten-state"
    status = "Enabled"

    filter {
      prefix = "state/"
    }

    noncurrent_version_expiration {
      noncurrent_days = local.overwritten
    }
  }

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7 # an upload that was broken off costs, and nobody sees it
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]

  lifecycle {
    precondition {
      condition     = length(setsubtract(keys(var.topology.notifications), keys(local.expiry))) == 0
      error_message = "Every prefix of the topology must say how long its objects live."
    }
  }
}
