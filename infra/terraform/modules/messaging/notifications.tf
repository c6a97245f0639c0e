# S3 itself publishes the event of every object that it has durably stored.

resource "aws_s3_bucket_notification" "this" {
  bucket = aws_s3_bucket.this.id

  dynamic "queue" {
    for_each = var.topology.notifications

    content {
      id            = trim(queue.key, "/")
      queue_arn     = local.arns[queue.value]
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = queue.key
    }
  }

  depends_on = [aws_sqs_queue.work] # S3 tries the queue when this is set
}
