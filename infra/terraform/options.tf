# What a deployment may change; the defaults carry a few hundred thousand postings a day.

variable "partition" {
  description = "aws, or aws-us-gov in GovCloud."
  type        = string
  default     = "aws"
}

variable "bucket_name" {
  description = "The bucket's name; empty for smelt-ACCOUNT-REGION."
  type        = string
  default     = ""
}

variable "cidr" {
  description = "The VPC's addresses."
  type        = string
  default     = "10.42.0.0/16"
}

variable "paused" {
  description = "No workers at all: before the first migration, and for maintenance."
  type        = bool
  default     = false
}

variable "cpu_architecture" {
  description = "What the images were built for: ARM64, or X86_64, which costs a quarter more. A release has both."
  type        = string
  default     = "ARM64"
}

variable "spot" {
  description = "Whether the workers run on Fargate Spot: a third of the price, and AWS may take a task away with two minutes' notice."
  type        = bool
  default     = false # an interrupted message is given back and handled again; a run takes longer
}

variable "log_retention" {
  description = "Days that logs are kept: a quarter, as long as somebody may ask why a number changed."
  type        = number
  default     = 90
}

variable "lifecycle_days" {
  description = "Days after which bronze moves to Glacier Instant Retrieval, and bronze and silver are gone, versions and all."
  type = object({
    bronze_to_glacier = optional(number, 30) # by then only repairs read it
    bronze_expiry     = optional(number, 180)
    silver_expiry     = optional(number, 60) # in the database, and can be made again from bronze
  })
  default = {}
}

variable "postgres" {
  description = "Size and safety of the database."
  type = object({
    instance_class      = optional(string, "db.t4g.medium")
    storage             = optional(number, 50)  # GiB
    largest_storage     = optional(number, 500) # GiB
    max_connections     = optional(number, 200) # 4 GiB hold them; scaling checks that they suffice
    backup_days         = optional(number, 14)  # a fault noticed after a holiday can still be undone
    multi_az            = optional(bool, true)
    deletion_protection = optional(bool, true)
    proxy               = optional(bool, false)
  })
  default = {}
}

variable "cache_node" {
  description = "The kind of Valkey's nodes; the smallest holds a thousand times what is kept there."
  type        = string
  default     = "cache.t4g.micro"
}

variable "source_secrets" {
  description = "Names of secrets that the contracts of your datasets name, such as WEATHER_TOKEN. Each becomes a secret, for the extractor alone; its value is put in by hand."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for name in var.source_secrets : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "Names of environment variables: WEATHER_TOKEN."
  }
}

variable "source_environment" {
  description = "Further environment variables of the extractor, such as an API's address. No secrets."
  type        = map(string)
  default     = {}
}

variable "after_loading" {
  description = "What contracts may do with uploads that are loaded: tag, move, delete. Without it the loader may change no upload."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.after_loading, ["tag", "move", "delete"])) == 0
    error_message = "Of tag, move, delete."
  }
}

variable "schedules" {
  description = "{name: run}: what is extracted when. Times are in the zone named."
  type = map(object({
    dataset    = string
    params     = optional(map(string), {})
    expression = string
    timezone   = optional(string, "UTC")
    enabled    = optional(bool, true)
  }))
  default = {
    usajobs-search = {
      dataset    = "usajobs_search"
      expression = "cron(0 7 * * ? *)" # daily, before work begins on the East Coast
      timezone   = "America/New_York"
    }
  }
}

variable "scheduled_tasks" {
  description = "{name: command}: operators' commands by the clock, each a task of its own."
  type = map(object({
    command    = list(string)
    expression = string
    timezone   = optional(string, "UTC")
    enabled    = optional(bool, true)
  }))
  default = {
    audit = {
      command    = ["smelt", "reconcile", "--repair"] # a sweeper behind every hand-off
      expression = "cron(0 5 * * ? *)"                # when nothing else is under way: what is counts as missing
      timezone   = "America/New_York"
    }
    check = { # the rules that only the database can answer; alarms.tf has the others
      command = [
        "smelt", "check", "--rule", "freshness", "--rule", "quarantine-share", "--rule", "conservation", "--rule", "consistency",
        "--rule", "outage", "--rule", "incomplete-run"
      ]
      expression = "cron(0 10 * * ? *)" # today's run is late by then, if it is: a mail a day for as long as something is wrong
      timezone   = "America/New_York"
    }
  }
}

variable "runbooks" {
  description = "Where docs/runbooks/ can be read: alarms link to it."
  type        = string
  default     = "docs/runbooks"
}
