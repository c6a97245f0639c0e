mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  deployment = { name = "smelt", partition = "aws", region = "us-east-1", account = "111122223333" }
  network = {
    vpc_id          = "vpc-1"
    egress_subnets  = ["subnet-egress-1", "subnet-egress-2"]
    public_subnets  = ["subnet-public-1", "subnet-public-2"]
    cidrs           = { egress = ["10.42.64.0/20", "10.42.80.0/20"], public = ["10.42.128.0/20", "10.42.144.0/20"] }
    ports           = { console = 8420, serving = 8430 }
    security_groups = { balancer = "sg-balancer" }
  }
  log_retention = 90
  web = {
    certificate_arn     = "arn:aws:acm:us-east-1:111122223333:certificate/1"
    names               = { console = "console.smelt.example", serving = "smelt.example" }
    from                = ["10.0.0.0/8"]
    public              = false
    serving_login       = true
    deletion_protection = true
    login = {
      issuer                 = "https://login.example"
      authorization_endpoint = "https://login.example/authorize"
      token_endpoint         = "https://login.example/token"
      user_info_endpoint     = "https://login.example/me"
      client_id              = "smelt"
      client_secret_name     = "smelt-login"
      scope                  = "openid email"
      hours                  = 12
    }
  }
}

run "only_https_and_only_by_name" {
  module {
    source = "./modules/web"
  }

  assert {
    condition     = aws_lb_listener.https.protocol == "HTTPS" && startswith(aws_lb_listener.https.ssl_policy, "ELBSecurityPolicy-TLS13-1-2") && aws_lb_listener.https.certificate_arn == var.web.certificate_arn
    error_message = "TLS 1.2 at least, with the certificate given."
  }

  assert {
    condition     = aws_lb_listener.https.default_action[0].type == "fixed-response" && one(aws_lb_listener.https.default_action[0].fixed_response).status_code == "404"
    error_message = "Whoever asks for neither name must reach nothing."
  }

  assert {
    condition = {
      for service, rule in aws_lb_listener_rule.name : service => one(one([for one in rule.condition : one.host_header if length(one.host_header) > 0])).values
    } == { console = toset(["console.smelt.example"]), serving = toset(["smelt.example"]) }
    error_message = "Each service has its own name."
  }
}

run "nobody_comes_in_who_has_not_logged_in" {
  module {
    source = "./modules/web"
  }

  assert {
    condition = alltrue([
      for rule in aws_lb_listener_rule.name : [for action in rule.action : action.type] == ["authenticate-oidc", "forward"] && [for action in rule.action : action.order] == [1, 2]
    ])
    error_message = "The login comes before the target."
  }

  assert {
    condition = alltrue([
      for rule in aws_lb_listener_rule.name : one(rule.action[0].authenticate_oidc).on_unauthenticated_request == "authenticate" && one(rule.action[0].authenticate_oidc).session_timeout == 43200
    ])
    error_message = "Strangers are sent to the identity provider, and a login lasts for twelve hours."
  }

  assert {
    condition     = alltrue([for rule in aws_lb_listener_rule.name : one(rule.action[0].authenticate_oidc).client_secret == data.aws_secretsmanager_secret_version.client.secret_string])
    error_message = "The client's secret is the one in Secrets Manager, and in no variable."
  }
}

run "programs_may_read_without_a_login_but_the_console_never_goes_without" {
  module {
    source = "./modules/web"
  }

  variables {
    web = merge(var.web, { serving_login = false })
  }

  assert {
    condition     = [for action in aws_lb_listener_rule.name["serving"].action : action.type] == ["forward"]
    error_message = "A program cannot log in."
  }

  assert {
    condition     = aws_lb_listener_rule.name["console"].action[0].type == "authenticate-oidc"
    error_message = "The option is about serving only."
  }
}

run "it_is_internal_and_lets_in_the_networks_that_were_named" {
  module {
    source = "./modules/web"
  }

  assert {
    condition     = aws_lb.this.internal && aws_lb.this.subnets == toset(var.network.egress_subnets) && output.cidrs == var.network.cidrs.egress
    error_message = "Inside, and where it reaches the identity provider."
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.from : "${rule.cidr_ipv4} ${rule.from_port}-${rule.to_port}"] == ["10.0.0.0/8 443-443"]
    error_message = "HTTPS from the networks named."
  }

  assert {
    condition     = aws_lb.this.drop_invalid_header_fields && aws_lb.this.enable_deletion_protection && one(aws_lb.this.access_logs).enabled
    error_message = "No forged headers, no accident, and a record of who came."
  }
}

run "a_public_one_lies_in_the_public_subnets" {
  module {
    source = "./modules/web"
  }

  variables {
    web = merge(var.web, { public = true, from = ["0.0.0.0/0"] })
  }

  assert {
    condition     = !aws_lb.this.internal && aws_lb.this.subnets == toset(var.network.public_subnets) && output.cidrs == var.network.cidrs.public
    error_message = "The internet reaches no other."
  }
}

run "targets_are_asked_how_they_are_at_their_ports" {
  module {
    source = "./modules/web"
  }

  assert {
    condition = {
      for service, group in aws_lb_target_group.this : service => "${group.target_type} ${group.port} ${one(group.health_check).path}"
    } == { console = "ip 8420 /healthz", serving = "ip 8430 /healthz" }
    error_message = "Fargate's tasks are addresses, and say how they are at /healthz."
  }
}

run "load_balancers_of_this_account_write_the_logs_and_nobody_else" {
  command = plan

  module {
    source = "./modules/web"
  }

  assert {
    condition = [
      for one in jsondecode(aws_s3_bucket_policy.access_logs.policy).Statement : "${one.Principal.Service} ${one.Action} ${one.Resource}" if one.Effect == "Allow"
    ] == ["logdelivery.elasticloadbalancing.amazonaws.com s3:PutObject arn:aws:s3:::smelt-access-111122223333-us-east-1/AWSLogs/111122223333/*"]
    error_message = "Written below the folder of this account, read by nobody."
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.access_logs.rule[0].expiration).days == 90
    error_message = "Kept as long as other logs."
  }
}

run "without_a_certificate_there_is_nothing" {
  command = plan

  module {
    source = "./modules/web"
  }

  variables {
    web = merge(var.web, { certificate_arn = "" })
  }

  expect_failures = [var.web]
}

run "a_certificate_of_another_region_is_refused" {
  command = plan

  module {
    source = "./modules/web"
  }

  variables {
    web = merge(var.web, { certificate_arn = "arn:aws:acm:us-west-2:111122223333:certificate/1" })
  }

  expect_failures = [var.web]
}

run "a_login_without_a_secret_is_refused" {
  command = plan

  module {
    source = "./modules/web"
  }

  variables {
    web = merge(var.web, { login = merge(var.web.login, { client_secret_name = "" }) })
  }

  expect_failures = [var.web]
}

run "a_login_in_plain_text_is_refused" {
  command = plan

  module {
    source = "./modules/web"
  }

  variables {
    web = merge(var.web, { login = merge(var.web.login, { token_endpoint = "http://login.example/token" }) })
  }

  expect_failures = [var.web]
}

run "one_name_for_both_is_refused" {
  command = plan

  module {
    source = "./modules/web"
  }

  variables {
    web = merge(var.web, { names = { console = "smelt.example", serving = "smelt.example" } })
  }

  expect_failures = [var.web]
}

run "who_is_let_in_must_be_said" {
  command = plan

  module {
    source = "./modules/web"
  }

  variables {
    web = merge(var.web, { from = [] })
  }

  expect_failures = [var.web]
}
