# Size and scaling of the services. cpu: 1024 a virtual processor; memory: MiB of the task, and of a child before it is
# replaced; least and most: tasks; backlog_per_task: waiting messages a task that call for more tasks; oldest: seconds that a
# message may wait before one more starts.

variable "workers" {
  description = "Size and scaling of each service; what is not given is as here."
  type = object({
    extractor = optional(object({
      cpu              = optional(number, 256)
      memory           = optional(number, 1024)
      memory_per_child = optional(number, 512) # the largest answer seen has 70 MB, and is held more than once
      concurrency      = optional(number, 1)
      least            = optional(number, 0)  # schedules can wait for a task to start
      most             = optional(number, 2)  # all share one request rate: more would wait for each other
      backlog_per_task = optional(number, 50) # pages: ten seconds at five requests a second
      oldest           = optional(number, 900)
    }), {})
    transformer = optional(object({
      cpu              = optional(number, 1024)
      memory           = optional(number, 4096)
      memory_per_child = optional(number, 3072) # a document of 128 MiB is in memory several times over
      concurrency      = optional(number, 1)    # one a processor: it computes
      least            = optional(number, 1)    # the first page of a run is not to wait for a start
      most             = optional(number, 10)
      backlog_per_task = optional(number, 60) # pages of about a second: a minute's work
      oldest           = optional(number, 300)
    }), {})
    uploads = optional(object({
      cpu              = optional(number, 512) # half a processor: pages go first
      memory           = optional(number, 4096)
      memory_per_child = optional(number, 3072) # a document of 128 MiB is in memory several times over
      concurrency      = optional(number, 1)
      least            = optional(number, 1) # uploads come at any time
      most             = optional(number, 10)
      backlog_per_task = optional(number, 60)
      oldest           = optional(number, 600) # people wait longer than schedules
    }), {})
    loader = optional(object({
      cpu              = optional(number, 512)
      memory           = optional(number, 2048)
      memory_per_child = optional(number, 1024)
      concurrency      = optional(number, 1)
      least            = optional(number, 1)
      most             = optional(number, 8) # Postgres is the limit: with two processors more loaders load no more
      backlog_per_task = optional(number, 60)
      oldest           = optional(number, 300)
    }), {})
  })
  default = {}
}
