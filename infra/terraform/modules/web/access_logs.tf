# Who asked for what: the services write no access log of their own. In a bucket apart, since the load balancer writes to none
# that is encrypted with a key of ours.

locals {
  bucket_name = "${var.deployment.name}-access-${var.deployment.account}-${var.deployment.region}"
  bucket_arn  = "arn:${var.deployment.partition}:s3:::${local.bucket_name}"
}

resource "aws_s3_bucket" "access_logs" {
  #checkov:skip=CKV_AWS_18:it holds access logs: those of these would have no end
  #checkov:skip=CKV_AWS_21:written once and never again by the load balancer, whose names of objects are random
  #checkov:skip=CKV_AWS_144:access logs are of use for weeks, and not worth a second region
  #checkov:skip=CKV_AWS_145:load balancers write with S3's own keys only
  #checkov:skip=CKV2_AWS_62:nobody waits for an access log
  bucket        = local.bucket_name
  force_destroy = false # who came in remains on record, also where console and page are taken away
}

resource "aws_s3_bucket_server_side_encryption_configuration" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.log_retention
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "LogsOfLoadBalancersOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.bucket_arn}/AWSLogs/${var.deployment.account}/*"
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })

  depends_on = [aws_s3_bucket_public_access_block.access_logs] # both write the bucket's policy status: one after the other
}
