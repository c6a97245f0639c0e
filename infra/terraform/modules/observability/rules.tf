# The alert rules as data: alarms.tf makes an alarm of each, dashboard.tf draws its line. Limits of the rules about queues are
# those of `smelt check` (services/ops/health/rules.py, by way of alerts.json); here is how CloudWatch sees them. What only the
# database knows (freshness, quarantine, conservation) is asked for by scheduled tasks, whose failure is an alert:
# failed_tasks.tf.

locals {
  alerts = jsondecode(file("${path.module}/../../alerts.json"))

  # Metric math, where a rule needs more than one metric. A point that is late counts as the one before it: filled with 0, the
  # newest would always be 0, and the alarm would never fire, or never end. Every minute must agree, without exceptions:
  # one message done in all that time is progress.
  progress = "IF(FILL(visible, REPEAT) > 0 AND FILL(deleted, REPEAT) < 1, 1, 0)"

  queue_rules = merge([
    for service, queue in var.queues : {
      "${queue.name}-dead-letters" = {
        title     = "${queue.dead_letter_name} is not empty"
        runbook   = local.alerts["dead-letters"].runbook
        namespace = "AWS/SQS"
        metrics   = { visible = { name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", of = { QueueName = queue.dead_letter_name } } }
        compare   = "GreaterThanThreshold"
        threshold = local.alerts["dead-letters"].limits[service]
        minutes   = local.alerts["dead-letters"].minutes[service]
        missing   = "ignore" # SQS says nothing of a queue that is not used, and says so late: what was last known holds
      }
      "${queue.name}-oldest" = {
        title     = "a message of ${queue.name} waits for longer than ${local.alerts["oldest"].limits[service]} s"
        runbook   = local.alerts["oldest"].runbook
        namespace = "AWS/SQS"
        metrics   = { age = { name = "ApproximateAgeOfOldestMessage", stat = "Maximum", of = { QueueName = queue.name } } }
        compare   = "GreaterThanThreshold"
        threshold = local.alerts["oldest"].limits[service]
        minutes   = local.alerts["oldest"].minutes[service]
        missing   = "ignore"
      }
      "${queue.name}-no-progress" = {
        title     = "messages wait on ${queue.name} and none is done"
        runbook   = local.alerts["no-progress"].runbook
        namespace = "AWS/SQS"
        metrics = {
          visible = { name = "ApproximateNumberOfMessagesVisible", stat = "Minimum", of = { QueueName = queue.name } }
          deleted = { name = "NumberOfMessagesDeleted", stat = "Sum", of = { QueueName = queue.name } }
        }
        signal    = local.progress
        compare   = "GreaterThanThreshold"
        threshold = 0
        minutes   = local.alerts["no-progress"].minutes[service]
        missing   = "notBreaching"
      }
    }
  ]...)

  database_rules = {
    for name, rule in {
      storage = {
        title     = "the database's disk is nearly full"
        metric    = "FreeStorageSpace"
        compare   = "LessThanThreshold"
        threshold = var.postgres.storage * 0.1 * pow(1024, 3) # bytes; RDS itself makes it larger at 10 % free, once in six hours
        minutes   = 15
      }
      credits = { # of the classes that save processor time up; RDS goes on without credits, and bills for it
        title     = "the database uses more processor than its class includes, and AWS bills for it"
        metric    = "CPUSurplusCreditsCharged"
        compare   = "GreaterThanThreshold"
        threshold = 0
        minutes   = 60
        period    = 300 # RDS reports credits every five minutes
        applies   = strcontains(var.postgres.instance_class, ".t")
      }
      cpu = {
        title     = "the database's processors are busy"
        metric    = "CPUUtilization"
        compare   = "GreaterThanThreshold"
        threshold = 80 # %
        minutes   = 30 # a large run may keep them busy for as long
      }
      connections = {
        title     = "the database's connections run out"
        metric    = "DatabaseConnections"
        compare   = "GreaterThanThreshold"
        threshold = floor(var.postgres.max_connections * 0.8)
        minutes   = 5
      }
    } :
    "database-${name}" => {
      title     = rule.title
      runbook   = "database-down"
      namespace = "AWS/RDS"
      metrics   = { value = { name = rule.metric, stat = "Average", of = { DBInstanceIdentifier = var.postgres.identifier } } }
      compare   = rule.compare
      threshold = rule.threshold
      minutes   = rule.minutes
      period    = lookup(rule, "period", 60)
      missing   = "breaching" # a database that says nothing is down
    } if lookup(rule, "applies", true)
  }

  cache_rules = {
    for node in ["001", "002"] : "cache-memory-${node}" => {
      title     = "Valkey's memory is nearly full"
      runbook   = "backlog"
      namespace = "AWS/ElastiCache"
      metrics   = { value = { name = "DatabaseMemoryUsagePercentage", stat = "Maximum", of = { CacheClusterId = "${var.cache_id}-${node}" } } }
      compare   = "GreaterThanThreshold"
      threshold = 80 # %; it holds a few kilobytes, so that anything near is a fault
      minutes   = 15
      missing   = "notBreaching" # without it nothing is lost
    }
  }

  schedule_rules = {
    schedules-dropped = {
      title     = "a schedule could not put its command on the queue"
      runbook   = "stale-data"
      namespace = "AWS/Scheduler"
      metrics   = { value = { name = "InvocationDroppedCount", stat = "Sum", of = { ScheduleGroup = var.cluster.name } } }
      compare   = "GreaterThanThreshold"
      threshold = 0
      minutes   = 1
      missing   = "notBreaching"
    }
  }

  rules = merge(local.queue_rules, local.database_rules, local.cache_rules, local.schedule_rules, local.web_rules)
}
