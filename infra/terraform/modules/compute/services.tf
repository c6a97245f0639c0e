locals {
  services = merge(local.workers_and_ops, local.web_services)

  workers_and_ops = {
    extractor = {
      subnets      = var.network.egress_subnets # the only one that must reach the internet
      database     = false
      secrets      = { for name in var.source_secrets : name => aws_secretsmanager_secret.source[name].arn }
      secret_roots = [for name in var.source_secrets : aws_secretsmanager_secret.source[name].arn]
      environment  = merge(local.queue_environment, var.source_environment)
    }
    transformer = {
      subnets      = var.network.private_subnets
      database     = false
      secrets      = {}
      secret_roots = []
      environment  = local.queue_environment
    }
    uploads = {
      subnets      = var.network.private_subnets
      database     = false
      secrets      = {}
      secret_roots = []
      environment  = local.queue_environment
    }
    loader = {
      subnets      = var.network.private_subnets
      database     = true
      secrets      = local.database_secrets
      secret_roots = [var.postgres.secret_arn]
      environment  = merge(local.queue_environment, local.database_environment.all)
    }
    ops = {
      subnets      = var.network.private_subnets
      database     = true
      secrets      = local.database_secrets
      secret_roots = [var.postgres.secret_arn]
      environment  = merge(local.queue_environment, local.database_environment.all)
    }
  }

  # Only where there is a load balancer before them.
  web_services = merge([
    for web in var.web[*] : {
      console = {
        subnets      = var.network.egress_subnets # for the public keys of load balancers
        database     = true
        secrets      = local.database_secrets
        secret_roots = [var.postgres.secret_arn]
        environment  = merge(local.queue_environment, local.database_environment.all, local.proxy_environment, local.console_environment)
      }
      serving = {
        subnets      = var.network.private_subnets
        database     = true
        secrets      = local.database_secrets
        secret_roots = [var.postgres.secret_arn]
        environment  = merge(local.database_environment.serving, local.proxy_environment, local.serving_environment)
      }
    }
  ]...)

  # {service: connections to the database at its most tasks}, twice that where old and new ones meet during a deployment: of a
  # worker two a child (shared/database/engine.py); of the console eight to look and two to act (services/ops/overview/collector.py);
  # of serving eight for answers, two for exports and three to keep gold (services/serving/gold/db_role.py); and some for RDS itself.
  connections = merge(
    { for service, worker in var.workers : service => 2 * 2 * worker.most * worker.concurrency if local.services[service].database },
    { ops = 20 },
    merge([for web in var.web[*] : { console = 10, serving = 2 * 13 * web.serving.most }]...),
  )
}

resource "aws_ecs_service" "worker" {
  for_each = var.workers

  name            = each.key
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.service[each.key].arn
  desired_count   = var.paused ? 0 : each.value.least

  capacity_provider_strategy {
    capacity_provider = var.spot ? "FARGATE_SPOT" : "FARGATE"
    weight            = 1
  }
  force_new_deployment = true # without it another strategy is a replacement of the service

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

  depends_on = [aws_ecs_cluster_capacity_providers.this]

  lifecycle {
    ignore_changes = [desired_count] # the scaling's, from here on

    precondition {
      condition     = contains(keys(var.queues), each.key)
      error_message = "A worker consumes a queue: ${each.key} has none."
    }

    precondition {
      condition     = !local.services[each.key].database || sum(values(local.connections)) <= var.max_connections
      error_message = "At their most tasks ${join(", ", keys(local.connections))} would need more connections than the database allows."
    }
  }
}
