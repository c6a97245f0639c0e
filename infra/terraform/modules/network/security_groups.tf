# Who may open a connection to whom. Both ends name each other: a rule out of the one and a rule into the other.

locals {
  groups = {
    extractor   = "plans runs and fetches pages"
    transformer = "refines bronze objects"
    uploads     = "refines what was uploaded"
    loader      = "loads silver objects"
    ops         = "operators' commands"
    console     = "the operators' console, where there is one"
    serving     = "the search page and the read API, likewise"
    balancer    = "the load balancer before these two, likewise"
    endpoints   = "AWS's APIs inside the VPC"
    database    = "Postgres"
    proxy       = "RDS Proxy, where there is one"
    cache       = "Valkey"
  }
  services = ["extractor", "transformer", "uploads", "loader", "ops", "console", "serving"]
  ask      = ["loader", "ops", "console", "serving"] # the database
  ports    = { console = 8420, serving = 8430 }
  https    = 443
  postgres = 5432
  valkey   = 6379

  connections = concat(
    [for service in local.services : { from = service, to = "endpoints", port = local.https }],
    [for service in local.services : { from = service, to = "cache", port = local.valkey }],
    [for service in local.ask : { from = service, to = "database", port = local.postgres }],
    [for service in local.ask : { from = service, to = "proxy", port = local.postgres } if service != "serving"],
    [{ from = "proxy", to = "database", port = local.postgres }],
    [for service, port in local.ports : { from = "balancer", to = service, port = port }],
  )
  by_name = { for one in local.connections : "${one.from}-${one.to}" => one }

  # Who reaches the internet, HTTPS only: none of these has fixed addresses.
  abroad = {
    extractor = "to the API of a source"
    console   = "to the public keys of load balancers, which have no endpoint in a VPC"
    balancer  = "to the identity provider, for tokens and claims"
  }
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:the groups are attached by the modules compute, database and web, which the check does not follow
  for_each = local.groups

  name        = "${var.deployment.name}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.deployment.name}-${each.key}" }
}

resource "aws_vpc_security_group_egress_rule" "to" {
  for_each = local.by_name

  security_group_id            = aws_security_group.this[each.value.from].id
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = "to ${each.value.to}"
}

resource "aws_vpc_security_group_ingress_rule" "from" {
  for_each = local.by_name

  security_group_id            = aws_security_group.this[each.value.to].id
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
  description                  = "from ${each.value.from}"
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each = toset(local.services)

  security_group_id = aws_security_group.this[each.key].id
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = local.https
  to_port           = local.https
  description       = "to S3 through its gateway endpoint"
}

resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = local.abroad

  security_group_id = aws_security_group.this[each.key].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = local.https
  to_port           = local.https
  description       = each.value
}
