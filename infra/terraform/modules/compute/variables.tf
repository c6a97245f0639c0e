variable "bucket" {
  description = "The bucket, from the module messaging."
  type        = object({ name = string, arn = string })
}

variable "after_loading" {
  description = "What contracts may do with uploads that are loaded: tag, move, delete. Without it the loader may change no upload."
  type        = set(string)
}

variable "queues" {
  description = "{service: its queue}, from the module messaging."
  type = map(object({
    name             = string
    module           = string # what its worker runs
    url              = string
    arn              = string
    dead_letter_name = string
    dead_letter_arn  = string
  }))
}

variable "postgres" {
  description = "Where the database is, from the module database."
  type = object({
    identifier = string
    host       = string
    instance   = string
    port       = number
    name       = string
    user       = string
    secret_arn = string
  })
}

variable "max_connections" {
  description = "Connections that the database allows."
  type        = number
}

variable "postgres_certificates" {
  description = "PEM of the authorities that the database's certificate is checked against."
  type        = string

  validation {
    condition     = strcontains(var.postgres_certificates, "BEGIN CERTIFICATE")
    error_message = "PEM text: without it nobody knows which server answered."
  }

  validation {
    condition     = length(var.postgres_certificates) <= 32768
    error_message = "The region's bundle, not the global one: a task definition holds 64 KiB."
  }
}

variable "cache_secret_arn" {
  description = "The secret that holds Valkey's URL."
  type        = string
}

variable "network" {
  description = "Subnets and security groups, from the module network."
  type = object({
    private_subnets = list(string)
    egress_subnets  = list(string)
    ports           = object({ console = number, serving = number })
    security_groups = map(string)
  })
}

variable "data_key_arn" {
  description = "The key of objects and secrets."
  type        = string
}

variable "telemetry_key_arn" {
  description = "The key of logs."
  type        = string
}

variable "log_retention" {
  description = "Days that logs are kept."
  type        = number
}

variable "image_tag" {
  description = "The version that runs, in every service's repository."
  type        = string

  validation {
    condition     = var.image_tag != "latest" && var.image_tag != ""
    error_message = "Name a version: what `latest` was yesterday cannot be rolled back to."
  }
}

variable "cpu_architecture" {
  description = "What the images were built for."
  type        = string

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "X86_64 or ARM64."
  }
}

variable "spot" {
  description = "Whether the workers run on Fargate Spot."
  type        = bool
}

variable "paused" {
  description = "No workers at all: before the first migration, and for maintenance. Messages wait on their queues."
  type        = bool
}

variable "workers" {
  description = "{service: size and scaling}; the reasons are where the defaults are."
  type = map(object({
    cpu              = number # 1024 a virtual processor
    memory           = number # MiB
    memory_per_child = number # MiB after which a child is replaced
    concurrency      = number # messages at once in a task
    least            = number # tasks; 0 where the first message may wait for a task to start
    most             = number # tasks
    backlog_per_task = number # waiting messages a task that call for more tasks
    oldest           = number # s that a message may wait before one more task starts
  }))

  validation {
    condition     = alltrue([for worker in var.workers : worker.least >= 0 && worker.least <= worker.most && worker.most >= 1])
    error_message = "0 <= least <= most, and most at least 1."
  }

  validation {
    condition     = alltrue([for worker in var.workers : worker.concurrency * worker.memory_per_child + 256 <= worker.memory])
    error_message = "The children at their largest and 256 MiB for the main process must fit into a task, or the kernel ends it."
  }

  validation {
    condition = alltrue([
      for worker in var.workers : contains([256, 512, 1024, 2048, 4096], worker.cpu) && worker.memory >= 2 * worker.cpu && worker.memory <= min(8 * worker.cpu, 30720)
    ])
    error_message = "Fargate sells 2 to 8 MiB of memory for each of 256, 512, 1024, 2048 or 4096 units of CPU, and 30720 at most for the last."
  }

  validation {
    condition     = alltrue([for worker in var.workers : worker.memory % 1024 == 0 || (worker.cpu == 256 && worker.memory == 512)])
    error_message = "Fargate sells memory by 1024 MiB; 512 with 256 units of CPU."
  }
}

variable "source_environment" {
  description = "Environment variables of the extractor for its sources, e.g. SMELT_USAJOBS_USER_AGENT. No secrets."
  type        = map(string)
}

variable "source_secrets" {
  description = "Names of the extractor's variables that are secrets. Their values are put into Secrets Manager by hand."
  type        = set(string)
}

variable "schedules" {
  description = "{name: run}: EventBridge Scheduler puts a run command on the extract queue."
  type = map(object({
    dataset    = string
    params     = map(string)
    expression = string
    timezone   = string
    enabled    = bool
  }))
}

variable "scheduled_tasks" {
  description = "{name: command}: EventBridge Scheduler runs an operator's command as a task of its own."
  type = map(object({
    command    = list(string)
    expression = string
    timezone   = string
    enabled    = bool
  }))
}

variable "web" {
  description = "What console and serving are told of the load balancer before them, and serving's size; null: neither is there."
  type = object({
    load_balancer_arn = string
    balancer_cidrs    = list(string)
    target_groups     = object({ console = string, serving = string })
    client_id         = string # of the load balancer at the identity provider
    console_name      = string
    serving_name      = string
    operators         = set(string)
    groups_claim      = string
    serving = object({
      cpu    = number
      memory = number # MiB
      least  = number # tasks
      most   = number
      busy   = number # % of its processor, on average, above which it gets more tasks
    })
  })

  validation {
    condition     = var.web == null ? true : alltrue([for one in var.web.operators : !strcontains(one, ",")])
    error_message = "operators: addresses and groups without a comma, which is between them."
  }

  validation {
    condition     = var.web == null ? true : var.web.serving.least >= 1 && var.web.serving.least <= var.web.serving.most
    error_message = "serving: 1 <= least <= most: it is scaled by its processor, and none has no load."
  }

  validation {
    condition     = var.web == null ? true : contains([256, 512, 1024], var.web.serving.cpu) && var.web.serving.memory >= 2 * var.web.serving.cpu && var.web.serving.memory <= 8 * var.web.serving.cpu && (var.web.serving.memory % 1024 == 0 || var.web.serving.memory == 512)
    error_message = "serving: Fargate sells 2 to 8 MiB of memory for each unit of CPU, by 1024 or just 512, and one process has no use for more than 1024 of these."
  }
}
