# Valkey is a cache and a coordinator: FLUSHALL costs no data, so there is no snapshot. The second node keeps the request
# rate shared while the first is being replaced.

resource "aws_elasticache_subnet_group" "this" {
  name       = var.deployment.name
  subnet_ids = var.subnets
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id = var.deployment.name
  description          = "Request rates, pauses, notes of what is tried again"
  engine               = "valkey"
  engine_version       = "8.0" # at the beginning; AWS moves minor versions on by itself
  node_type            = var.cache_node
  parameter_group_name = "default.valkey8"
  port                 = 6379

  num_cache_clusters         = 2
  automatic_failover_enabled = true
  multi_az_enabled           = true

  at_rest_encryption_enabled = true
  kms_key_id                 = var.data_key_arn
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  auth_token                 = data.aws_secretsmanager_secret_version.cache_token.secret_string
  auth_token_update_strategy = "ROTATE" # the old one counts until the next: tasks restart at their own pace

  subnet_group_name  = aws_elasticache_subnet_group.this.name
  security_group_ids = [var.security_groups.cache]

  snapshot_retention_limit   = 0
  auto_minor_version_upgrade = true
  apply_immediately          = true # nothing is lost by it

  lifecycle {
    # To the provider going back to the version above is a replacement. A major version comes with another group of parameters.
    ignore_changes = [engine_version]
  }
}
