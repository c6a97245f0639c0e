locals {
  database = "smelt" # the database and its owner
  port     = 5432
}

resource "aws_db_subnet_group" "this" {
  name       = var.deployment.name
  subnet_ids = var.subnets
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_161:the services log in with the rotated password, which libpq takes by itself; an IAM token lives for 15 minutes and needs code at every connection
  #checkov:skip=CKV_AWS_293:on by default; the check does not see defaults of optional attributes, tests/deployment.tftest.hcl does
  #checkov:skip=CKV_AWS_133:likewise, 14 days
  #checkov:skip=CKV_AWS_157:likewise
  #checkov:skip=CKV2_AWS_69:likewise, rds.force_ssl in parameters.tf
  identifier     = var.deployment.name
  engine         = "postgres"
  engine_version = "18" # the major version that the tests run on
  instance_class = var.postgres.instance_class

  db_name  = local.database
  username = local.database
  port     = local.port

  # RDS makes the password, keeps it in Secrets Manager and changes it every seven days: it is in no state and no plan.
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.data_key_arn

  storage_type          = "gp3"
  allocated_storage     = var.postgres.storage
  max_allocated_storage = var.postgres.largest_storage
  storage_encrypted     = true
  kms_key_id            = var.data_key_arn

  multi_az               = var.postgres.multi_az
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [var.security_groups.database]
  publicly_accessible    = false
  ca_cert_identifier     = "rds-ca-rsa2048-g1"
  parameter_group_name   = aws_db_parameter_group.this.name

  # Automated backups are what point-in-time recovery works from: to any second of these days but the last five minutes.
  backup_retention_period   = var.postgres.backup_days
  backup_window             = "07:00-08:00"         # UTC: night in the US, where the sources and their readers are
  maintenance_window        = "sun:08:30-sun:09:30" # after a backup
  copy_tags_to_snapshot     = true
  deletion_protection       = var.postgres.deletion_protection
  skip_final_snapshot       = !var.postgres.deletion_protection
  final_snapshot_identifier = "${var.deployment.name}-final"
  delete_automated_backups  = !var.postgres.deletion_protection

  auto_minor_version_upgrade = true
  apply_immediately          = false # changes that restart wait for the window

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.telemetry_key_arn
  performance_insights_retention_period = 7  # days, the free ones
  monitoring_interval                   = 60 # s: the coarsest, and cheapest
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]

  depends_on = [
    aws_cloudwatch_log_group.postgres, # RDS would make them itself, without retention and key
    aws_iam_role_policy_attachment.monitoring,
  ]
}

resource "aws_cloudwatch_log_group" "postgres" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the deployment's choice, var.log_retention
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.deployment.name}/${each.key}"
  retention_in_days = var.log_retention
  kms_key_id        = var.telemetry_key_arn
}

resource "aws_iam_role" "monitoring" {
  name = "${var.deployment.name}-database-monitoring"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.deployment.account } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${var.deployment.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
