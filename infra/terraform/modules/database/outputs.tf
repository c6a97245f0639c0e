locals {
  secret_arn = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}

output "postgres" {
  description = "Where the services connect to, and as whom. The secret is {username, password}."
  value = {
    identifier = aws_db_instance.this.identifier
    host       = var.postgres.proxy ? aws_db_proxy.this[0].endpoint : aws_db_instance.this.address
    instance   = aws_db_instance.this.address # for who sets parameters as it connects, which RDS Proxy refuses
    port       = local.port
    name       = local.database
    user       = local.database
    secret_arn = local.secret_arn
  }
}

output "cache" {
  description = "Valkey's id, and the secret that holds its URL."
  value = {
    id         = aws_elasticache_replication_group.this.id
    secret_arn = aws_secretsmanager_secret_version.cache_url.arn # the secret's; a task that reads it waits for its value
  }
}
