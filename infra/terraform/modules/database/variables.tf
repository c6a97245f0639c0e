variable "subnets" {
  description = "Ids of subnets without a way out, in two availability zones at least."
  type        = list(string)
}

variable "security_groups" {
  description = "Ids of the groups of Postgres, of its proxy and of Valkey."
  type        = object({ database = string, proxy = string, cache = string })
}

variable "data_key_arn" {
  description = "The key of storage, backups and secrets."
  type        = string
}

variable "telemetry_key_arn" {
  description = "The key of logs and Performance Insights."
  type        = string
}

variable "log_retention" {
  description = "Days that Postgres' logs are kept."
  type        = number
}

variable "postgres" {
  description = "Size and safety of the database."
  type = object({
    instance_class      = string
    storage             = number # GiB at the start
    largest_storage     = number # GiB that it may grow to by itself
    max_connections     = number
    backup_days         = number
    multi_az            = bool
    deletion_protection = bool
    proxy               = bool
  })

  validation {
    condition     = var.postgres.backup_days >= 7 && var.postgres.backup_days <= 35
    error_message = "7 to 35 days: 35 is RDS's most, and in less than a week a slow corruption may not have been noticed."
  }

  validation {
    condition     = var.postgres.largest_storage >= ceil(var.postgres.storage * 1.26)
    error_message = "RDS wants room to grow by 26 % at least."
  }
}

variable "cache_node" {
  description = "The kind of Valkey's nodes."
  type        = string
}
