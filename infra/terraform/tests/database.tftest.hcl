mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  deployment        = { name = "smelt", partition = "aws", region = "us-east-1", account = "111122223333" }
  subnets           = ["subnet-1", "subnet-2"]
  security_groups   = { database = "sg-database", proxy = "sg-proxy", cache = "sg-cache" }
  data_key_arn      = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
  telemetry_key_arn = "arn:aws:kms:us-east-1:111122223333:key/66666666-7777-8888-9999-000000000000"
  log_retention     = 90
  cache_node        = "cache.t4g.micro"
  postgres = {
    instance_class      = "db.t4g.medium"
    storage             = 50
    largest_storage     = 500
    max_connections     = 200
    backup_days         = 14
    multi_az            = true
    deletion_protection = true
    proxy               = false
  }
}

run "postgres_is_private_encrypted_and_can_be_restored" {
  module {
    source = "./modules/database"
  }

  assert {
    condition     = aws_db_instance.this.engine_version == "18" && aws_db_parameter_group.this.family == "postgres18"
    error_message = "The major version that the tests run on."
  }

  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.storage_encrypted && aws_db_instance.this.kms_key_id == var.data_key_arn
    error_message = "Private, and encrypted with our key."
  }

  assert {
    condition     = one([for one in aws_db_parameter_group.this.parameter : one.value if one.name == "rds.force_ssl"]) == "1"
    error_message = "Nobody connects without TLS."
  }

  assert {
    condition     = aws_db_instance.this.backup_retention_period == 14 && aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot
    error_message = "Point-in-time recovery, and no accident deletes it."
  }

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null
    error_message = "RDS makes and changes the password: no state holds it."
  }

  assert {
    condition     = output.postgres.host == aws_db_instance.this.address && length(aws_db_proxy.this) == 0
    error_message = "Without the proxy the services connect to the instance."
  }
}

run "valkey_takes_tls_and_a_token_only" {
  module {
    source = "./modules/database"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required" && aws_elasticache_replication_group.this.at_rest_encryption_enabled
    error_message = "Encrypted on the wire and at rest."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.auth_token == data.aws_secretsmanager_secret_version.cache_token.secret_string
    error_message = "The token is the one in Secrets Manager."
  }
}

run "with_a_proxy_the_services_connect_to_it" {
  module {
    source = "./modules/database"
  }

  variables {
    postgres = {
      instance_class = "db.t4g.medium", storage = 50, largest_storage = 500, max_connections = 200, backup_days = 14
      multi_az       = true, deletion_protection = true, proxy = true
    }
  }

  assert {
    condition     = output.postgres.host == aws_db_proxy.this[0].endpoint && aws_db_proxy.this[0].require_tls
    error_message = "The proxy's endpoint, with TLS."
  }

  assert {
    condition     = output.postgres.instance == aws_db_instance.this.address
    error_message = "Serving connects past it: it sets its role as it connects."
  }
}

run "backups_of_less_than_a_week_are_refused" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    postgres = {
      instance_class = "db.t4g.medium", storage = 50, largest_storage = 500, max_connections = 200, backup_days = 1
      multi_az       = true, deletion_protection = true, proxy = false
    }
  }

  expect_failures = [var.postgres]
}
