# The search page and the read API. Any task answers anything, and one of them keeps gold up to date (a lock in the database).
# It is scaled by its processor, which target tracking can do: unlike a worker it never has no task, and what waits is a
# request, not a message that could be counted.

locals {
  serving_environment = merge([
    for web in var.web[*] : {
      SMELT_SERVING_HOST  = "0.0.0.0" # its security group admits the load balancer only
      SMELT_SERVING_PORT  = tostring(var.network.ports.serving)
      SMELT_SERVING_NAMES = web.serving_name
    }
  ]...)
}

resource "aws_ecs_service" "serving" {
  for_each = { for web in var.web[*] : "serving" => web }

  name            = each.key
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.service[each.key].arn
  launch_type     = "FARGATE"
  desired_count   = var.paused ? 0 : each.value.serving.least

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 120 # imports of polars on half a processor, and two health checks
  availability_zone_rebalancing      = "ENABLED"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  load_balancer {
    target_group_arn = each.value.target_groups.serving
    container_name   = each.key
    container_port   = var.network.ports.serving
  }

  network_configuration {
    subnets          = local.services[each.key].subnets
    security_groups  = [var.network.security_groups[each.key]]
    assign_public_ip = false
  }

  enable_ecs_managed_tags = true
  propagate_tags          = "SERVICE"

  lifecycle {
    ignore_changes = [desired_count] # the scaling's, from here on

    precondition {
      condition     = sum(values(local.connections)) <= var.max_connections
      error_message = "At their most tasks ${join(", ", keys(local.connections))} would need more connections than the database allows."
    }
  }
}

resource "aws_appautoscaling_target" "serving" {
  for_each = aws_ecs_service.serving

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${each.value.name}"
  min_capacity       = var.paused ? 0 : var.web.serving.least
  max_capacity       = var.paused ? 0 : var.web.serving.most
}

resource "aws_appautoscaling_policy" "serving" {
  for_each = aws_appautoscaling_target.serving

  name               = "serving-busy"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  scalable_dimension = each.value.scalable_dimension
  resource_id        = each.value.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.web.serving.busy
    scale_out_cooldown = 120 # s; a task takes about a minute to start, and half of one until it counts
    scale_in_cooldown  = 300 # s; searches come in bursts, when a page is open

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
