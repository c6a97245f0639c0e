mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  deployment = { name = "smelt", partition = "aws", region = "us-east-1", account = "111122223333" }
  bucket     = { name = "smelt-test", arn = "arn:aws:s3:::smelt-test" }
  queues = {
    for service, queue in jsondecode(file("./topology.json")).queues : service => {
      name             = queue.name
      module           = queue.module
      url              = "https://sqs.us-east-1.amazonaws.com/111122223333/${queue.name}"
      arn              = "arn:aws:sqs:us-east-1:111122223333:${queue.name}"
      dead_letter_name = queue.dead_letter_name
      dead_letter_arn  = "arn:aws:sqs:us-east-1:111122223333:${queue.dead_letter_name}"
    }
  }
  postgres = {
    identifier = "smelt", host = "db.example", port = 5432, name = "smelt", user = "smelt"
    secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:rds!db-1"
  }
  max_connections       = 200
  postgres_certificates = "-----BEGIN CERTIFICATE-----"
  cache_secret_arn      = "arn:aws:secretsmanager:us-east-1:111122223333:secret:smelt/cache-url"
  network = {
    private_subnets = ["subnet-private"]
    egress_subnets  = ["subnet-egress"]
    security_groups = { extractor = "sg-1", transformer = "sg-2", uploads = "sg-5", loader = "sg-3", ops = "sg-4" }
  }
  data_key_arn       = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
  telemetry_key_arn  = "arn:aws:kms:us-east-1:111122223333:key/66666666-7777-8888-9999-000000000000"
  log_retention      = 90
  image_tag          = "1.2.3"
  cpu_architecture   = "X86_64"
  paused             = false
  source_environment = { SMELT_USAJOBS_USER_AGENT = "data@agency.example" }
  source_secrets     = ["SMELT_USAJOBS_API_KEY"]
  schedules = {
    daily = { dataset = "usajobs_search", params = { Keyword = "r&d" }, expression = "rate(1 day)", timezone = "UTC", enabled = true }
  }
  scheduled_tasks = {
    audit = { command = ["smelt", "audit"], expression = "rate(1 day)", timezone = "UTC", enabled = true }
  }
  workers = {
    for service in ["extractor", "transformer", "uploads", "loader"] : service => {
      cpu = 512, memory = 2048, memory_per_child = 1024, concurrency = 1, least = 0, most = 8, backlog_per_task = 60, oldest = 300
    }
  }
}

run "tasks_run_without_privileges_and_stop_in_order" {
  module {
    source = "./modules/compute"
  }

  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.service : alltrue([
        for one in jsondecode(task.container_definitions) :
        one.readonlyRootFilesystem && one.linuxParameters.capabilities.drop == ["ALL"] && (one.name == "prepare" || try(one.user == "10001" && one.stopTimeout == 120, false))
      ])
    ])
    error_message = "Read-only, no root, no capabilities, and 120 s to stop."
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.worker : !one(service.network_configuration).assign_public_ip])
    error_message = "No task has a public address."
  }
}

run "only_the_loader_and_operators_know_the_database" {
  module {
    source = "./modules/compute"
  }

  assert {
    condition = toset([
      for service, task in aws_ecs_task_definition.service : service if strcontains(task.container_definitions, "SMELT_DATABASE_URL")
    ]) == toset(["loader", "ops"])
    error_message = "The extractor and the transformer have no business with the database."
  }

  assert {
    condition = alltrue([
      for task in aws_ecs_task_definition.service : alltrue([
        for one in jsondecode(task.container_definitions)[1].environment : !contains(["PGPASSWORD", "SMELT_REDIS_URL", "SMELT_USAJOBS_API_KEY"], one.name)
      ])
    ])
    error_message = "A secret is among the plain variables."
  }
}

run "scale_in_waits_for_what_is_in_flight" {
  module {
    source = "./modules/compute"
  }

  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.scaling :
      contains([for query in alarm.metric_query : try(one(query.metric).metric_name, "")], "ApproximateNumberOfMessagesNotVisible") if endswith(name, "-load")
    ])
    error_message = "A message that is being worked on must keep its task."
  }

  assert {
    condition = alltrue([
      for name, policy in aws_appautoscaling_policy.worker :
      alltrue([for step in one(policy.step_scaling_policy_configuration).step_adjustment : (step.scaling_adjustment < 0) == endswith(name, "-load")])
    ])
    error_message = "Backlog and age only add tasks, load only removes them."
  }
}

run "a_paused_deployment_has_no_workers" {
  module {
    source = "./modules/compute"
  }

  variables {
    paused = true
  }

  assert {
    condition     = alltrue([for target in aws_appautoscaling_target.worker : target.max_capacity == 0])
    error_message = "Scaling would start workers."
  }
}

run "more_loaders_than_the_database_has_connections_for_are_refused" {
  command = plan

  module {
    source = "./modules/compute"
  }

  variables {
    max_connections = 40
  }

  expect_failures = [aws_ecs_service.worker]
}

run "children_that_do_not_fit_into_their_task_are_refused" {
  command = plan

  module {
    source = "./modules/compute"
  }

  variables {
    workers = {
      for service in ["extractor", "transformer", "uploads", "loader"] : service => {
        cpu = 512, memory = 2048, memory_per_child = 1024, concurrency = 2, least = 0, most = 8, backlog_per_task = 60, oldest = 300
      }
    }
  }

  expect_failures = [var.workers]
}

run "a_tag_that_moves_is_refused" {
  command = plan

  module {
    source = "./modules/compute"
  }

  variables {
    image_tag = "latest"
  }

  expect_failures = [var.image_tag]
}
