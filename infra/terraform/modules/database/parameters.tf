locals {
  parameters = {
    "rds.force_ssl"                       = { value = "1", apply = "immediate" }
    "max_connections"                     = { value = tostring(var.postgres.max_connections), apply = "pending-reboot" }
    "log_min_duration_statement"          = { value = "5000", apply = "immediate" }   # ms; a page loads in well under one second
    "log_statement"                       = { value = "ddl", apply = "immediate" }    # rows are data, not for logs
    "log_lock_waits"                      = { value = "1", apply = "immediate" }      # loaders lock in key order: a wait is news
    "idle_in_transaction_session_timeout" = { value = "300000", apply = "immediate" } # ms; nobody thinks inside a transaction
  }
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.deployment.name}-18-"
  family      = "postgres18"

  dynamic "parameter" {
    for_each = local.parameters

    content {
      name         = parameter.key
      value        = parameter.value.value
      apply_method = parameter.value.apply
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}
