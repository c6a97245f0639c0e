mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  deployment         = { name = "smelt", partition = "aws", region = "us-east-1", account = "111122223333" }
  cidr               = "10.42.0.0/16"
  availability_zones = ["us-east-1a", "us-east-1b"]
  bucket_arn         = "arn:aws:s3:::smelt-test"
  log_retention      = 90
  telemetry_key_arn  = "arn:aws:kms:us-east-1:111122223333:key/66666666-7777-8888-9999-000000000000"
}

run "private_subnets_have_no_way_out" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = !contains([aws_route.nat.route_table_id, aws_route.internet.route_table_id], aws_route_table.private.id) && length(aws_route_table.private.route) == 0
    error_message = "A default route leads out of the private subnets."
  }

  assert {
    condition     = alltrue([for one in aws_route_table_association.private : one.route_table_id == aws_route_table.private.id])
    error_message = "A private subnet uses another route table."
  }

  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.private), values(aws_subnet.egress), values(aws_subnet.public)) : subnet.map_public_ip_on_launch != true])
    error_message = "Nothing gets a public address by itself."
  }

  assert {
    condition     = length(distinct([for subnet in concat(values(aws_subnet.private), values(aws_subnet.egress), values(aws_subnet.public)) : subnet.cidr_block])) == 6
    error_message = "Subnets overlap."
  }
}

run "only_who_must_reaches_the_internet" {
  module {
    source = "./modules/network"
  }

  assert {
    condition = {
      for name, rule in aws_vpc_security_group_egress_rule.internet : name => rule.to_port if rule.security_group_id == aws_security_group.this[name].id
    } == { extractor = 443, console = 443, balancer = 443 }
    error_message = "The source, the keys of load balancers, the identity provider: by HTTPS, and nobody else."
  }

  assert {
    condition     = alltrue([for rule in concat(values(aws_vpc_security_group_egress_rule.to), values(aws_vpc_security_group_egress_rule.s3), values(aws_vpc_security_group_ingress_rule.from)) : rule.cidr_ipv4 == null])
    error_message = "Rules between groups name groups."
  }
}

run "only_those_who_know_the_database_reach_postgres" {
  module {
    source = "./modules/network"
  }

  assert {
    condition     = toset([for name, rule in aws_vpc_security_group_ingress_rule.from : name if endswith(name, "-database")]) == toset([for service in ["loader", "ops", "console", "serving", "proxy"] : "${service}-database"])
    error_message = "The extractor and the transformer have no business with the database."
  }
}

run "only_the_load_balancer_reaches_console_and_serving" {
  module {
    source = "./modules/network"
  }

  assert {
    condition = {
      for name, rule in aws_vpc_security_group_ingress_rule.from : name => "${rule.from_port}-${rule.to_port}" if contains(["console", "serving", "balancer"], split("-", name)[1])
    } == { balancer-console = "8420-8420", balancer-serving = "8430-8430" }
    error_message = "Whoever came round it would be believed about who they are."
  }
}

run "in_govcloud_the_keys_of_load_balancers_are_reached_through_s3" {
  module {
    source = "./modules/network"
  }

  variables {
    deployment = { name = "smelt", partition = "aws-us-gov", region = "us-gov-west-1", account = "111122223333" }
  }

  assert {
    condition     = contains(jsondecode(aws_vpc_endpoint.s3.policy).Statement[1].Resource, "arn:aws-us-gov:s3:::aws-elb-public-keys-prod-us-gov-west-1/*")
    error_message = "Nobody would come into the console."
  }
}

run "aws_is_reached_without_nat" {
  command = plan

  module {
    source = "./modules/network"
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["sqs", "secretsmanager", "ecr.api", "ecr.dkr", "logs", "monitoring", "scheduler"]) && alltrue([for one in aws_vpc_endpoint.interface : one.private_dns_enabled])
    error_message = "What services and Fargate call, under its usual names."
  }
}

run "one_zone_is_refused" {
  command = plan

  module {
    source = "./modules/network"
  }

  variables {
    availability_zones = ["us-east-1a"]
  }

  expect_failures = [var.availability_zones]
}
