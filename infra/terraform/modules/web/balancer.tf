# One load balancer before console and page, told apart by their names. It alone speaks TLS and knows who is there.

locals {
  subnets = var.web.public ? var.network.public_subnets : var.network.egress_subnets # both reach the identity provider
  cidrs   = var.web.public ? var.network.cidrs.public : var.network.cidrs.egress

  targets = {
    # Actions go on in the background: a page under way is done within seconds.
    console = { port = var.network.ports.console, name = var.web.names.console, login = true, drain = 10, priority = 1 }
    # A minute for an export that somebody is still reading.
    serving = { port = var.network.ports.serving, name = var.web.names.serving, login = var.web.serving_login, drain = 60, priority = 2 }
  }
}

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_28:internal unless `public` is chosen, with a login before the console always and before the page by default; requests are counted and bounded by the API itself
  #checkov:skip=CKV2_AWS_20:nothing listens on port 80: there is nothing to redirect, and no first request in plain text
  #checkov:skip=CKV_AWS_150:on by default, in web.tf; the check does not see defaults of optional attributes, tests/infra does
  name               = var.deployment.name
  load_balancer_type = "application"
  internal           = !var.web.public
  subnets            = local.subnets
  security_groups    = [var.network.security_groups["balancer"]]

  drop_invalid_header_fields = true
  desync_mitigation_mode     = "strictest" # browsers and programs, nothing old
  idle_timeout               = 60          # s; longer than the slowest answer takes to begin
  enable_deletion_protection = var.web.deletion_protection

  access_logs {
    bucket  = aws_s3_bucket.access_logs.id
    enabled = true
  }

  depends_on = [aws_s3_bucket_policy.access_logs] # the load balancer tries it at once
}

resource "aws_vpc_security_group_ingress_rule" "from" {
  for_each = var.web.from

  security_group_id = var.network.security_groups["balancer"]
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "people and programs"
}

resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer: behind it is one hop inside the VPC, to a port that its security group alone may reach
  for_each = local.targets

  name                 = "${var.deployment.name}-${each.key}"
  vpc_id               = var.network.vpc_id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = each.value.port
  deregistration_delay = each.value.drain

  health_check {
    path                = "/healthz"
    matcher             = "200"
    interval            = 15
    timeout             = 5
    healthy_threshold   = 2 # half a minute until a new task counts
    unhealthy_threshold = 4 # a minute: one slow answer of a busy task is none
  }
}
