# One console, never two: actions, their progress and the sessions that forms belong to are in its memory, so that a form
# answered by another one would be refused. A deployment ends the old one first: for some minutes there is none, and an action
# that was under way is on record as interrupted.

locals {
  console_environment = merge([
    for web in var.web[*] : {
      SMELT_CONSOLE_HOST         = "0.0.0.0" # its security group admits the load balancer only
      SMELT_CONSOLE_PORT         = tostring(var.network.ports.console)
      SMELT_CONSOLE_NAMES        = web.console_name
      SMELT_CONSOLE_ALB_ARN      = web.load_balancer_arn
      SMELT_CONSOLE_ALB_CLIENT   = web.client_id
      SMELT_CONSOLE_GROUPS_CLAIM = web.groups_claim
      SMELT_CONSOLE_OPERATORS    = join(",", web.operators)
    }
  ]...)
}

# Also in a paused deployment: there is something to see, and to do, while messages wait.
resource "aws_ecs_service" "console" {
  for_each = { for web in var.web[*] : "console" => web }

  name            = each.key
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.service[each.key].arn
  launch_type     = "FARGATE"
  desired_count   = 1

  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100
  health_check_grace_period_seconds  = 120 # imports on half a processor, and two health checks
  availability_zone_rebalancing      = "DISABLED"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  load_balancer {
    target_group_arn = each.value.target_groups.console
    container_name   = each.key
    container_port   = var.network.ports.console
  }

  network_configuration {
    subnets          = local.services[each.key].subnets
    security_groups  = [var.network.security_groups[each.key]]
    assign_public_ip = false
  }

  enable_ecs_managed_tags = true
  propagate_tags          = "SERVICE"
}
