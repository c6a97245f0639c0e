# A task definition a service. Versions are kept, so that a rollback finds them.

locals {
  # {service: whose image it runs}
  images = { for service in keys(local.services) : service => lookup({ uploads = "transformer", console = "ops" }, service, service) }

  commands = merge(
    { for service, queue in var.queues : service => ["python", "-m", queue.module] },
    { ops = ["smelt", "--help"] }, # each task of it names its own command
    { console = ["python", "-m", "services.ops.console"], serving = ["python", "-m", "services.serving"] },
  )

  sizes = merge(
    { for service, worker in var.workers : service => { cpu = worker.cpu, memory = worker.memory } },
    { ops = { cpu = 512, memory = 1024 } },     # lists a bucket and compares: more memory than processor
    { console = { cpu = 512, memory = 1024 } }, # the same code, and one look at everything every 2 s
    { for web in var.web[*] : "serving" => { cpu = web.serving.cpu, memory = web.serving.memory } },
  )

  worker_environment = {
    for service, worker in var.workers : service => {
      SMELT_CONCURRENCY              = tostring(worker.concurrency)
      SMELT_MAX_MEMORY_PER_CHILD_MIB = tostring(worker.memory_per_child)
    }
  }

  # The image's own health check, which ECS does not read: a worker touches the file at every poll.
  healthy = {
    command     = ["CMD-SHELL", "test -n \"$(find \"$SMELT_LIVENESS_FILE\" -mmin -2)\""]
    interval    = 30
    timeout     = 5
    retries     = 3
    startPeriod = 60 # s; imports of polars and pandera on a quarter of a processor
  }

  logs = {
    for service in keys(local.services) : service => {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.service[service].name
        "awslogs-region"        = var.deployment.region
        "awslogs-stream-prefix" = service
        "mode"                  = "non-blocking" # logs that cannot be sent must not hold up the work
        "max-buffer-size"       = "4m"
      }
    }
  }

  containers = {
    for service, one in local.services : service => {
      name      = service
      image     = "${aws_ecr_repository.service[local.images[service]].repository_url}:${var.image_tag}"
      essential = true
      command   = local.commands[service]
      dependsOn = [{ containerName = "prepare", condition = "SUCCESS" }]
      environment = [
        for name, value in merge(local.environment, lookup(local.worker_environment, service, {}), one.environment) :
        { name = name, value = value }
      ]
      secrets = [
        for name, arn in merge({ SMELT_REDIS_URL = var.cache_secret_arn }, one.secrets) : { name = name, valueFrom = arn }
      ]
      healthCheck            = contains(keys(var.workers), service) ? local.healthy : null # the load balancer asks the others
      portMappings           = contains(keys(local.web_services), service) ? [{ containerPort = var.network.ports[service], protocol = "tcp" }] : null
      stopTimeout            = local.kill_after
      readonlyRootFilesystem = true
      user                   = "10001"
      mountPoints            = [local.scratch]
      linuxParameters = {
        initProcessEnabled = true # a process with number 1 would ignore SIGTERM until it has a handler
        capabilities       = { drop = ["ALL"] }
      }
      logConfiguration = local.logs[service]
    }
  }
}

resource "aws_ecs_task_definition" "service" {
  for_each = local.services

  family                   = "${var.deployment.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = local.sizes[each.key].cpu
  memory                   = local.sizes[each.key].memory
  task_role_arn            = aws_iam_role.task[each.key].arn
  execution_role_arn       = aws_iam_role.execution[each.key].arn
  skip_destroy             = true

  volume {
    name = local.scratch.sourceVolume
  }

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  container_definitions = jsonencode([
    merge(local.prepare, { image = local.containers[each.key].image, logConfiguration = local.logs[each.key] }),
    { for name, value in local.containers[each.key] : name => value if value != null },
  ])
  # Who starts a task must find that it may fetch and do what it needs: a first one without rights ends, and counts as a failure.
  depends_on = [aws_iam_role_policy.task, aws_iam_role_policy.execution]
}
