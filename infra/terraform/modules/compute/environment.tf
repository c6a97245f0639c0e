# What a service is told. The names are those of shared/config/settings.py, services/ops/console/settings.py and
# services/serving/settings.py.

locals {
  receive_wait = 20  # s, SQS's longest poll
  stop_timeout = 80  # s for work under way after that
  kill_after   = 120 # s from SIGTERM to SIGKILL, Fargate's most

  liveness = "/tmp/alive"

  environment = {
    AWS_DEFAULT_REGION = var.deployment.region # boto3 does not read the AWS_REGION that Fargate sets
    SMELT_BUCKET       = var.bucket.name
  }

  # All but serving, which knows of no queue.
  queue_environment = {
    SMELT_EXTRACT_QUEUE_URL    = var.queues["extractor"].url
    SMELT_BRONZE_QUEUE_URL     = var.queues["transformer"].url
    SMELT_UPLOADS_QUEUE_URL    = var.queues["uploads"].url
    SMELT_SILVER_QUEUE_URL     = var.queues["loader"].url
    SMELT_RECEIVE_WAIT_SECONDS = tostring(local.receive_wait)
    SMELT_STOP_TIMEOUT_SECONDS = tostring(local.stop_timeout)
    SMELT_LIVENESS_FILE        = local.liveness
  }

  # Without the password: libpq takes it from PGPASSWORD, so that the URL is no secret and may be shown.
  database_environment = { for name, host in { all = var.postgres.host, serving = var.postgres.instance } : name => {
    SMELT_DATABASE_URL = format(
      "postgresql://%s@%s:%d/%s?sslmode=verify-full&sslrootcert=%s",
      var.postgres.user, host, var.postgres.port, var.postgres.name, local.certificates,
    )
  } }
  database_secrets = { PGPASSWORD = "${var.postgres.secret_arn}:password::" } # that key of the secret's JSON

  # Who is believed about who asks: the load balancer's networks, not `*`, with which a client's own word would count.
  proxy_environment = { for web in var.web[*] : "FORWARDED_ALLOW_IPS" => join(",", web.balancer_cidrs) }
}

check "a_stop_fits_into_what_fargate_gives" {
  assert {
    condition     = local.receive_wait + local.stop_timeout < local.kill_after
    error_message = "A poll and the stop timeout must end before Fargate kills the task."
  }
}
