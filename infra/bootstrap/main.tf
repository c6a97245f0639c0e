# What must be there before infra/terraform: where its state is kept, and who may plan and apply it from GitHub without a key.

locals {
  issuer = "token.actions.githubusercontent.com"
  bucket = "${var.name}-state-${var.account}-${var.region}"
  arn    = "arn:${var.partition}:s3:::${local.bucket}"
  iam    = "arn:${var.partition}:iam"

  # {role: which of the repository's environments may take it, and for how long}
  roles = {
    plan   = { environment = "${var.environment}-plan", seconds = 3600 }
    deploy = { environment = var.environment, seconds = 7200 } # what deploy.yml asks for: a migration, then services that become steady
  }
}

resource "aws_s3_bucket" "state" {
  bucket        = local.bucket
  force_destroy = false
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled" # a state that was overwritten by mistake can be had again
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket = aws_s3_bucket.state.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    id     = "plans"
    status = "Enabled"

    filter {
      prefix = "plans/"
    }

    expiration {
      days = 7 # what nobody has approved by then is planned anew
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  rule {
    id     = "states-of-before"
    status = "Enabled"

    filter {
      prefix = "smelt.tfstate"
    }

    noncurrent_version_expiration {
      noncurrent_days = 90
    }
  }

  depends_on = [aws_s3_bucket_versioning.state]
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.arn, "${local.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.state]
}
