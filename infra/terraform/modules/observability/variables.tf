variable "queues" {
  description = "{service: its queue}, from the module messaging."
  type        = map(object({ name = string, dead_letter_name = string }))
}

variable "postgres" {
  description = "The database's identifier and class, its storage in GiB and the connections it allows."
  type        = object({ identifier = string, instance_class = string, storage = number, max_connections = number })
}

variable "cache_id" {
  description = "Valkey's replication group."
  type        = string
}

variable "cluster" {
  description = "The cluster's name and ARN."
  type        = object({ name = string, arn = string })
}

variable "web" {
  description = "The load balancer, and {service: its target group, tasks that should answer at least}; null where there is none."
  type = object({
    load_balancer = string
    services      = map(object({ target_group = string, least = number }))
  })
}

variable "telemetry_key_arn" {
  description = "The key of the alert topic."
  type        = string
}

variable "alert_emails" {
  description = "Who is told. Each must confirm AWS's mail once."
  type        = set(string)

  validation {
    condition     = length(var.alert_emails) > 0 && alltrue([for address in var.alert_emails : strcontains(address, "@")])
    error_message = "One address at least: alarms that nobody hears are decoration."
  }
}

variable "monthly_budget" {
  description = "US dollars a month that this should cost at most."
  type        = number

  validation {
    condition     = var.monthly_budget > 0
    error_message = "More than 0."
  }
}

variable "runbooks" {
  description = "Where docs/runbooks/ can be read."
  type        = string
}
