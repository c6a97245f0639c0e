locals {
  services = {
    extractor = {
      subnets      = var.network.egress_subnets # the only one that must reach the internet
      database     = false
      secrets      = { for name in var.source_secrets : name => aws_secretsmanager_secret.source[name].arn }
      secret_roots = [for name in var.source_secrets : aws_secretsmanager_secret.source[name].arn]
      environment  = var.source_environment
    }
    transformer = {
      subnets      = var.network.private_subnets
      database     = false
      secrets      = {}
      secret_roots = []
      environment  = {}
    }
    uploads = {
      subnets      = var.network.private_subnets
      database     = false
      secrets      = {}
      secret_roots = []
      environment  = {}
    }
    loader = {
      subnets      = var.network.private_subnets
      database     = true
      secrets      = local.database_secrets
      secret_roots = [var.postgres.secret_arn]
      environment  = local.database_environment
    }
    ops = {
      subnets      = var.network.private_subnets
      database     = true
      secrets      = local.database_secrets
      secret_roots = [var.postgres.secret_arn]
      environment  = local.database_environment
    }
  }
}

resource "aws_ecs_service" "worker" {
  for_each = var.workers

  name            = each.key
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.service[each.key].arn
  launch_type     = "FARGATE"
  desired_count   = var.paused ? 0 : each.value.least

  # Old and new workers run side by side for a while: every message may be handled by either.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  availability_zone_rebalancing      = "DISABLED" # it would stop tasks that work, for the sake of tasks that wait

  deployment_circuit_breaker {
    enable   = true
    rollback = true
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
      condition     = contains(keys(var.queues), each.key)
      error_message = "A worker consumes a queue: ${each.key} has none."
    }

    precondition {
      # Two a child (shared/database/engine.py), twice the tasks during a deployment, and 20 for operators and RDS itself.
      condition     = !local.services[each.key].database || 2 * 2 * each.value.most * each.value.concurrency + 20 <= var.max_connections
      error_message = "At its most tasks ${each.key} would need more connections than the database allows."
    }
  }
}
