mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  deployment = { name = "smelt", partition = "aws", region = "us-east-1", account = "111122223333" }
  queues = {
    for service, queue in jsondecode(file("./topology.json")).queues : service => {
      name = queue.name, dead_letter_name = queue.dead_letter_name
    }
  }
  postgres = { identifier = "smelt", instance_class = "db.t4g.medium", storage = 50, max_connections = 200 }
  cache_id = "smelt"
  web = {
    load_balancer = "app/smelt/1"
    services      = { console = { target_group = "targetgroup/console/1", least = 1 }, serving = { target_group = "targetgroup/serving/1", least = 2 } }
  }
  cluster           = { name = "smelt", arn = "arn:aws:ecs:us-east-1:111122223333:cluster/smelt" }
  telemetry_key_arn = "arn:aws:kms:us-east-1:111122223333:key/66666666-7777-8888-9999-000000000000"
  alert_emails      = ["oncall@agency.example"]
  monthly_budget    = 500
  runbooks          = "docs/runbooks"
}

run "every_queue_is_watched" {
  module {
    source = "./modules/observability"
  }

  assert {
    condition = alltrue(flatten([
      for queue in var.queues : [
        for what in ["dead-letters", "oldest", "no-progress"] : contains(keys(aws_cloudwatch_metric_alarm.rule), "${queue.name}-${what}")
      ]
    ]))
    error_message = "Dead letters, age and progress of every queue."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.rule :
      alarm.alarm_actions == toset([aws_sns_topic.alerts.arn]) && strcontains(alarm.alarm_description, "docs/runbooks/")
    ])
    error_message = "Every alarm tells somebody, and what to do."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.rule : startswith(alarm.alarm_name, "smelt-") && !startswith(alarm.alarm_name, "smelt-smelt")])
    error_message = "Alarms are named after the deployment, once."
  }

  assert {
    condition = alltrue([
      for name, alarm in aws_cloudwatch_metric_alarm.rule : alarm.treat_missing_data == "breaching" if startswith(name, "database-")
    ])
    error_message = "A database that says nothing is down."
  }

  assert {
    condition     = aws_db_event_subscription.database.sns_topic == aws_sns_topic.alerts.arn && contains(aws_db_event_subscription.database.event_categories, "low storage")
    error_message = "RDS itself says when its disk is nearly full, whatever its size is by now."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.rule["database-credits"].period == 300 && aws_cloudwatch_metric_alarm.rule["database-credits"].evaluation_periods == 12
    error_message = "A class that saves credits up says when it has none left, by the points that RDS reports every five minutes."
  }
}

run "a_database_without_credits_has_no_alarm_of_them" {
  module {
    source = "./modules/observability"
  }

  variables {
    postgres = { identifier = "smelt", instance_class = "db.m7g.large", storage = 50, max_connections = 200 }
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.rule), "database-credits")
    error_message = "Metrics of credits are of t classes only."
  }
}

run "console_and_page_are_watched" {
  module {
    source = "./modules/observability"
  }

  assert {
    condition = alltrue([
      for name in concat([for what in ["away", "unhealthy", "errors"] : "console-${what}"], [for what in ["away", "unhealthy", "errors"] : "serving-${what}"], ["balancer-errors", "balancer-logins"]) :
      aws_cloudwatch_metric_alarm.rule[name].alarm_name == "smelt-${name}" && strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "\"${name}\"")
    ])
    error_message = "Whether they answer, errors of theirs and of the load balancer, logins: alarms, and on the dashboard."
  }

  assert {
    condition     = alltrue([for name in ["console-away", "serving-away"] : aws_cloudwatch_metric_alarm.rule[name].threshold == 1 && aws_cloudwatch_metric_alarm.rule[name].treat_missing_data == "breaching"])
    error_message = "A service without any task has no metric, and is away."
  }
}

run "a_paused_page_is_not_away" {
  module {
    source = "./modules/observability"
  }

  variables {
    web = { load_balancer = "app/smelt/1", services = { serving = { target_group = "targetgroup/serving/1", least = 0 } } }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.rule["serving-away"].threshold == 0 && aws_cloudwatch_metric_alarm.rule["serving-away"].treat_missing_data == "notBreaching"
    error_message = "Fewer than none there cannot be."
  }
}

run "without_a_load_balancer_nobody_watches_it" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    web = null
  }

  assert {
    condition     = [for name in keys(aws_cloudwatch_metric_alarm.rule) : name if length(regexall("balancer|console|serving", name)) > 0] == []
    error_message = "An alarm about what is not there."
  }
}

run "the_dashboard_shows_every_queue_in_a_row_of_its_own" {
  module {
    source = "./modules/observability"
  }

  assert {
    condition     = alltrue([for queue in var.queues : strcontains(aws_cloudwatch_dashboard.this.dashboard_body, queue.dead_letter_name)])
    error_message = "A queue is missing."
  }

  assert {
    condition     = length(distinct([for one in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : "${one.x}/${one.y}"])) == length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets)
    error_message = "Two widgets lie on each other."
  }
}

run "alarms_that_nobody_hears_are_refused" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    alert_emails = []
  }

  expect_failures = [var.alert_emails]
}
