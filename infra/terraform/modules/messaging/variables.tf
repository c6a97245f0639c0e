variable "topology" {
  description = "Queues, limits and prefixes: topology.json, which shared/config/topology.py writes."
  type = object({
    queues = map(object({
      name             = string
      module           = string
      time_limit       = number
      max_receives     = number
      visibility       = number
      retention        = number
      dead_letter_name = string
    }))
    dead_letter_retention = number
    notifications         = map(string)
  })

  validation {
    condition = alltrue([
      for queue in var.topology.queues : queue.retention < var.topology.dead_letter_retention
    ])
    error_message = "A dead letter's clock runs from its first enqueue: its queue must keep messages longer than the one it comes from."
  }

  validation {
    condition     = alltrue([for service in values(var.topology.notifications) : contains(keys(var.topology.queues), service)])
    error_message = "A prefix notifies a service that has no queue."
  }
}

variable "bucket_name" {
  description = "The bucket of bronze, silver, quarantine and plans."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket_name)) # a dot would break TLS to the bucket
    error_message = "3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "data_key_arn" {
  description = "The key that objects are encrypted with."
  type        = string
}

variable "lifecycle_days" {
  description = "Days after which objects have moved or are gone; each with its reason in lifecycle.tf."
  type = object({
    bronze_to_glacier = number
    bronze_expiry     = number
    silver_expiry     = number
  })

  validation {
    condition     = var.lifecycle_days.bronze_expiry - 20 - var.lifecycle_days.bronze_to_glacier >= 90
    error_message = "Glacier Instant Retrieval charges for 90 days at least: let bronze stay there that long, or it costs more than without."
  }

  validation {
    condition     = min(var.lifecycle_days.bronze_expiry, var.lifecycle_days.silver_expiry) >= 40
    error_message = "An object must outlive the message that names it, 4 days on a queue and 14 as a dead letter, before it expires and after."
  }
}
