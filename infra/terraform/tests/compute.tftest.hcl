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
    identifier = "smelt", host = "proxy.example", instance = "db.example", port = 5432, name = "smelt", user = "smelt"
    secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:rds!db-1"
  }
  max_connections       = 200
  postgres_certificates = "-----BEGIN CERTIFICATE-----"
  cache_secret_arn      = "arn:aws:secretsmanager:us-east-1:111122223333:secret:smelt/cache-url"
  network = {
    private_subnets = ["subnet-private"]
    egress_subnets  = ["subnet-egress"]
    ports           = { console = 8420, serving = 8430 }
    security_groups = { extractor = "sg-1", transformer = "sg-2", uploads = "sg-5", loader = "sg-3", ops = "sg-4", console = "sg-6", serving = "sg-7" }
  }
  web = {
    load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/smelt/1"
    balancer_cidrs    = ["10.42.64.0/20", "10.42.80.0/20"]
    target_groups = {
      console = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/smelt-console/1"
      serving = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/smelt-serving/1"
    }
    client_id    = "smelt"
    console_name = "console.smelt.example"
    serving_name = "smelt.example"
    operators    = ["smelt-operators"]
    groups_claim = "groups"
    serving      = { cpu = 512, memory = 2048, least = 2, most = 3, busy = 60 }
  }
  data_key_arn       = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
  telemetry_key_arn  = "arn:aws:kms:us-east-1:111122223333:key/66666666-7777-8888-9999-000000000000"
  log_retention      = 90
  image_tag          = "1.2.3"
  cpu_architecture   = "ARM64"
  spot               = false
  paused             = false
  source_environment = { SMELT_USAJOBS_USER_AGENT = "data@agency.example" }
  source_secrets     = ["SMELT_USAJOBS_API_KEY"]
  after_loading      = []
  schedules = {
    daily = { dataset = "usajobs_search", params = { Keyword = "r&d" }, expression = "rate(1 day)", timezone = "UTC", enabled = true }
  }
  scheduled_tasks = {
    audit = { command = ["smelt", "reconcile"], expression = "rate(1 day)", timezone = "UTC", enabled = true }
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
    condition = alltrue([
      for service in merge(aws_ecs_service.worker, aws_ecs_service.console, aws_ecs_service.serving) : !one(service.network_configuration).assign_public_ip
    ])
    error_message = "No task has a public address."
  }
}

run "only_who_must_knows_the_database" {
  module {
    source = "./modules/compute"
  }

  assert {
    condition = toset([
      for service, task in aws_ecs_task_definition.service : service if strcontains(task.container_definitions, "SMELT_DATABASE_URL")
    ]) == toset(["loader", "ops", "console", "serving"])
    error_message = "The extractor and the transformer have no business with the database."
  }

  assert {
    condition = toset([
      for service, task in aws_ecs_task_definition.service : service if strcontains(task.container_definitions, "@db.example:5432")
    ]) == toset(["serving"])
    error_message = "Only serving connects past RDS Proxy: its role is what its connections begin with."
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

run "there_is_one_console_and_never_two" {
  module {
    source = "./modules/compute"
  }

  assert {
    condition     = aws_ecs_service.console["console"].desired_count == 1 && aws_ecs_service.console["console"].deployment_maximum_percent == 100 && aws_ecs_service.console["console"].deployment_minimum_healthy_percent == 0
    error_message = "A form of the one would reach the other, which knows nothing of it."
  }

  assert {
    condition     = alltrue([for target in concat(values(aws_appautoscaling_target.worker), values(aws_appautoscaling_target.serving)) : !endswith(target.resource_id, "/console")])
    error_message = "Nothing scales it."
  }
}

run "serving_grows_with_the_load_of_its_processor" {
  module {
    source = "./modules/compute"
  }

  assert {
    condition     = aws_appautoscaling_target.serving["serving"].min_capacity == 2 && aws_appautoscaling_target.serving["serving"].max_capacity == 3
    error_message = "Between least and most."
  }

  assert {
    condition     = one(aws_appautoscaling_policy.serving["serving"].target_tracking_scaling_policy_configuration).target_value == 60
    error_message = "By what is called busy."
  }
}

run "console_and_serving_are_reached_at_the_ports_that_the_load_balancer_asks" {
  module {
    source = "./modules/compute"
  }

  assert {
    condition = {
      for name, service in merge(aws_ecs_service.console, aws_ecs_service.serving) : name =>
      [one(service.load_balancer).target_group_arn, one(service.load_balancer).container_port, jsondecode(aws_ecs_task_definition.service[name].container_definitions)[1].portMappings[0].containerPort]
    } == { console = [var.web.target_groups.console, 8420, 8420], serving = [var.web.target_groups.serving, 8430, 8430] }
    error_message = "Each its own target group and port."
  }
}

run "a_new_password_reaches_all_who_know_the_old_one" {
  module {
    source = "./modules/compute"
  }

  assert {
    condition     = [for state in values(jsondecode(aws_sfn_state_machine.roll.definition).States) : state.Parameters.Service if state.Type == "Task"] == ["console", "loader", "serving"]
    error_message = "A service with a database would go on without connections."
  }
}

run "without_a_load_balancer_there_is_neither_console_nor_serving" {
  module {
    source = "./modules/compute"
  }

  variables {
    web = null
  }

  assert {
    condition     = length(aws_ecs_service.console) + length(aws_ecs_service.serving) == 0 && keys(aws_iam_role.task) == ["extractor", "loader", "ops", "transformer", "uploads"]
    error_message = "No task, and no role."
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
    condition     = alltrue([for target in concat(values(aws_appautoscaling_target.worker), values(aws_appautoscaling_target.serving)) : target.max_capacity == 0])
    error_message = "Scaling would start workers."
  }

  assert {
    condition     = aws_ecs_service.console["console"].desired_count == 1
    error_message = "Operators see what waits, and why."
  }
}

run "more_tasks_than_the_database_has_connections_for_are_refused" {
  command = plan

  module {
    source = "./modules/compute"
  }

  variables {
    max_connections = 100
  }

  expect_failures = [aws_ecs_service.worker, aws_ecs_service.serving]
}

run "an_operator_with_a_comma_is_refused" {
  command = plan

  module {
    source = "./modules/compute"
  }

  variables {
    web = merge(var.web, { operators = ["Lovelace, Ada"] })
  }

  expect_failures = [var.web]
}

run "serving_without_a_task_is_refused" {
  command = plan

  module {
    source = "./modules/compute"
  }

  variables {
    web = merge(var.web, { serving = merge(var.web.serving, { least = 0 }) })
  }

  expect_failures = [var.web]
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

run "workers_alone_run_on_spot" {
  module {
    source = "./modules/compute"
  }

  variables {
    spot = true
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.worker : one(service.capacity_provider_strategy).capacity_provider == "FARGATE_SPOT"])
    error_message = "What is interrupted there is a message that is handled again."
  }

  assert {
    condition     = alltrue([for service in merge(aws_ecs_service.console, aws_ecs_service.serving) : service.launch_type == "FARGATE"])
    error_message = "Somebody waits for what these two do."
  }
}

run "memory_that_fargate_does_not_sell_is_refused" {
  command = plan

  module {
    source = "./modules/compute"
  }

  variables {
    workers = {
      for service in ["extractor", "transformer", "uploads", "loader"] : service => {
        cpu = 256, memory = 1536, memory_per_child = 512, concurrency = 1, least = 0, most = 8, backlog_per_task = 60, oldest = 300
      }
    }
  }

  expect_failures = [var.workers]
}

run "more_memory_than_four_processors_come_with_is_refused" {
  command = plan

  module {
    source = "./modules/compute"
  }

  variables {
    workers = {
      for service in ["extractor", "transformer", "uploads", "loader"] : service => {
        cpu = 4096, memory = 32768, memory_per_child = 1024, concurrency = 1, least = 0, most = 8, backlog_per_task = 60, oldest = 300
      }
    }
  }

  expect_failures = [var.workers]
}

run "the_loader_hides_uploads_only_where_contracts_may" {
  command = plan

  module {
    source = "./modules/compute"
  }

  variables {
    after_loading = ["tag", "move"]
  }

  assert {
    condition = toset([
      for statement in local.permissions["loader"] : statement.sid if contains(["TagLoadedUploads", "TakeLoadedUploads", "KeepMovedUploads", "HideLoadedUploads"], statement.sid)
    ]) == toset(["TagLoadedUploads", "TakeLoadedUploads", "KeepMovedUploads"])
    error_message = "Each action has its own rights."
  }
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
