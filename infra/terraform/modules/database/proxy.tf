# Optional: holds connections for many loaders and through a failover. Few loaders with two connections each do not need
# it, and it costs as much as two virtual processors.

resource "aws_db_proxy" "this" {
  count = var.postgres.proxy ? 1 : 0

  name                   = var.deployment.name
  engine_family          = "POSTGRESQL"
  require_tls            = true
  idle_client_timeout    = 1800 # s; longer than a worker waits between two messages when there are any
  role_arn               = aws_iam_role.proxy[0].arn
  vpc_subnet_ids         = var.subnets
  vpc_security_group_ids = [var.security_groups.proxy]

  auth {
    auth_scheme               = "SECRETS"
    client_password_auth_type = "POSTGRES_SCRAM_SHA_256"
    iam_auth                  = "DISABLED"
    secret_arn                = local.secret_arn
  }

  depends_on = [aws_iam_role_policy.proxy]
}

resource "aws_db_proxy_default_target_group" "this" {
  count = var.postgres.proxy ? 1 : 0

  db_proxy_name = aws_db_proxy.this[0].name

  connection_pool_config {
    max_connections_percent   = 90 # the rest is for operators
    connection_borrow_timeout = 30 # s; then the message is tried again later
  }
}

resource "aws_db_proxy_target" "this" {
  count = var.postgres.proxy ? 1 : 0

  db_proxy_name          = aws_db_proxy.this[0].name
  target_group_name      = aws_db_proxy_default_target_group.this[0].name
  db_instance_identifier = aws_db_instance.this.identifier
}

resource "aws_iam_role" "proxy" {
  count = var.postgres.proxy ? 1 : 0

  name = "${var.deployment.name}-database-proxy"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.deployment.account } }
    }]
  })
}

resource "aws_iam_role_policy" "proxy" {
  count = var.postgres.proxy ? 1 : 0

  name = "read-the-password"
  role = aws_iam_role.proxy[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = local.secret_arn },
      {
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.data_key_arn
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.deployment.region}.amazonaws.com" } }
      },
    ]
  })
}
