# Valkey's password. Secrets Manager makes a new one at every plan, of which the first for each `token_version` is kept.
# ElastiCache has no write-only argument, so the state holds it. To change it raise the version, apply, and roll the services.

locals {
  token_version = 1
}

data "aws_secretsmanager_random_password" "cache_token" {
  password_length            = 64   # of 16 to 128
  exclude_punctuation        = true # it becomes part of a URL
  require_each_included_type = true
}

resource "aws_secretsmanager_secret" "cache_token" {
  #checkov:skip=CKV2_AWS_57:a cache in private subnets; changing the token takes a restart of every service, which token_version does on purpose
  name       = "${var.deployment.name}/cache-token"
  kms_key_id = var.data_key_arn
}

resource "aws_secretsmanager_secret_version" "cache_token" {
  secret_id                = aws_secretsmanager_secret.cache_token.id
  secret_string_wo         = data.aws_secretsmanager_random_password.cache_token.random_password
  secret_string_wo_version = local.token_version
}

data "aws_secretsmanager_secret_version" "cache_token" {
  secret_id  = aws_secretsmanager_secret.cache_token.id
  version_id = aws_secretsmanager_secret_version.cache_token.version_id
}

resource "aws_secretsmanager_secret" "cache_url" {
  #checkov:skip=CKV2_AWS_57:changes with the token
  name       = "${var.deployment.name}/cache-url"
  kms_key_id = var.data_key_arn
}

resource "aws_secretsmanager_secret_version" "cache_url" {
  secret_id = aws_secretsmanager_secret.cache_url.id
  # rediss: TLS, with the certificate checked against the system's authorities, which Amazon's is one of.
  secret_string_wo = format(
    "rediss://:%s@%s:%d/0",
    data.aws_secretsmanager_secret_version.cache_token.secret_string,
    aws_elasticache_replication_group.this.primary_endpoint_address,
    aws_elasticache_replication_group.this.port,
  )
  secret_string_wo_version = local.token_version
}
