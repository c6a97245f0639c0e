# How many tasks a service has. Steps rather than target tracking, which cannot leave zero.
#
# Out: waiting messages divided by running tasks, or the age of the oldest one. In: only while there is less work, messages
# in flight included, than half of the tasks can do; without any work at once to `least`. A task that is stopped while it works
# finishes its message within local.stop_timeout or gives it back, and another takes it. (ECS task protection would be asked
# for by the task itself; as nothing is lost without, the engine does not.)

locals {
  scaled = var.workers

  # The work in front of a service, and who is there to do it. A point that is late counts as the one before it: SQS's come a
  # minute or two after their time, and filled with 0 the newest would always be 0. A queue that nobody has used for six hours
  # has no metric, and then nothing changes.
  sqs_metrics = {
    visible   = "ApproximateNumberOfMessagesVisible"
    in_flight = "ApproximateNumberOfMessagesNotVisible" # also what waits for another attempt
    age       = "ApproximateAgeOfOldestMessage"
  }
  waiting = "FILL(visible, REPEAT)"
  tasks   = "IF(FILL(running, REPEAT) < 1, 1, FILL(running, REPEAT))"
  nobody  = "FILL(running, REPEAT) < 1"

  signals = {
    # One message that nobody is there to take counts as a full backlog, so that the first task starts.
    backlog = {
      for service, worker in local.scaled : service =>
      "IF(${local.nobody} AND ${local.waiting} > 0 AND ${local.waiting} < ${worker.backlog_per_task}, ${worker.backlog_per_task}, ${local.waiting} / ${local.tasks})"
    }
    # A message that waits for another attempt is old as well, but is not waiting for a task. It does not ask how many tasks
    # there are: should nobody count them while there are none, it starts the first.
    age = { for service, worker in local.scaled : service => "IF(${local.waiting} > 0, FILL(age, REPEAT), 0)" }
    # 1 is every slot taken.
    load = {
      for service, worker in local.scaled : service =>
      "IF(${local.nobody}, 1, (${local.waiting} + FILL(in_flight, REPEAT)) / (${local.tasks} * ${worker.concurrency}))"
    }
  }

  # {alarm: when it fires, by how many of the last minutes, and how many tasks more or fewer; steps are distances from the
  # threshold}
  scaling = merge(
    {
      for service, worker in local.scaled : "${service}-backlog" => {
        service   = service
        signal    = local.signals.backlog[service]
        threshold = worker.backlog_per_task
        compare   = "GreaterThanOrEqualToThreshold"
        minutes   = 1
        of        = 2   # the one before, where the newest is missing altogether
        cooldown  = 120 # s; a task takes about a minute to start, and its count another to be known
        steps = [
          { from = 0, to = 3 * worker.backlog_per_task, change = 1 },
          { from = 3 * worker.backlog_per_task, to = 15 * worker.backlog_per_task, change = ceil(worker.most / 4) },
          { from = 15 * worker.backlog_per_task, to = null, change = worker.most },
        ]
      }
    },
    {
      for service, worker in local.scaled : "${service}-age" => {
        service   = service
        signal    = local.signals.age[service]
        threshold = worker.oldest
        compare   = "GreaterThanOrEqualToThreshold"
        minutes   = 3 # one slow message is none
        of        = 5 # two that were measured between two messages do not hide it
        cooldown  = 180
        steps     = [{ from = 0, to = null, change = 1 }]
      }
    },
    {
      for service, worker in local.scaled : "${service}-load" => {
        service   = service
        signal    = local.signals.load[service]
        threshold = 0.5
        compare   = "LessThanThreshold"
        minutes   = 10 # pages come in bursts: a task that stays is cheaper than one that starts again
        of        = 10 # and one minute of work in all that time is a reason to stay
        cooldown  = 300
        steps = [
          { from = null, to = -0.49, change = -worker.most }, # below 0.01: no work at all
          { from = -0.49, to = 0, change = -1 },
        ]
      }
    },
  )
}

resource "aws_appautoscaling_target" "worker" {
  for_each = local.scaled

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.worker[each.key].name}"
  min_capacity       = var.paused ? 0 : each.value.least
  max_capacity       = var.paused ? 0 : each.value.most
}

resource "aws_appautoscaling_policy" "worker" {
  for_each = local.scaling

  name               = each.key
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.worker[each.value.service].service_namespace
  scalable_dimension = aws_appautoscaling_target.worker[each.value.service].scalable_dimension
  resource_id        = aws_appautoscaling_target.worker[each.value.service].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    cooldown                = each.value.cooldown
    metric_aggregation_type = "Maximum"

    dynamic "step_adjustment" {
      for_each = each.value.steps

      content {
        metric_interval_lower_bound = step_adjustment.value.from
        metric_interval_upper_bound = step_adjustment.value.to
        scaling_adjustment          = step_adjustment.value.change
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "scaling" {
  for_each = local.scaling

  alarm_name          = "${var.deployment.name}-scaling-${each.key}"
  alarm_description   = "Not for people: starts and stops tasks of the ${each.value.service}."
  comparison_operator = each.value.compare
  threshold           = each.value.threshold
  evaluation_periods  = each.value.of
  datapoints_to_alarm = each.value.minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.worker[each.key].arn]

  metric_query {
    id          = "signal"
    expression  = each.value.signal
    label       = each.key
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { for id, name in local.sqs_metrics : id => name if strcontains(each.value.signal, id) }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/SQS"
        metric_name = metric_query.value
        dimensions  = { QueueName = var.queues[each.value.service].name }
        period      = 60
        stat        = "Maximum"
      }
    }
  }

  dynamic "metric_query" {
    for_each = strcontains(each.value.signal, "running") ? ["running"] : []

    content {
      id = metric_query.value

      metric {
        namespace   = "ECS/ContainerInsights"
        metric_name = "RunningTaskCount"
        dimensions  = { ClusterName = aws_ecs_cluster.this.name, ServiceName = each.value.service }
        period      = 60
        stat        = "Minimum"
      }
    }
  }
}
