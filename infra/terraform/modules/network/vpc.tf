# Three kinds of subnets, one of each an availability zone:
#   public   holds the NAT gateway, and the load balancer where it is a public one;
#   egress   has a default route to the NAT gateway: the extractor, which must reach the source's API, the console, which must
#            reach the keys of load balancers, and an internal load balancer, which must reach the identity provider;
#   private  has no way out: the other services, Postgres and Valkey. AWS is reached through endpoints.

locals {
  zones = { for index, zone in var.availability_zones : zone => index }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true # private names of the interface endpoints
  enable_dns_support   = true

  tags = { Name = var.deployment.name }
}

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 4, each.value)

  tags = { Name = "${var.deployment.name}-private-${each.key}" }
}

resource "aws_subnet" "egress" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 4, 4 + each.value)

  tags = { Name = "${var.deployment.name}-egress-${each.key}" }
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 4, 8 + each.value)

  tags = { Name = "${var.deployment.name}-public-${each.key}" }
}

# Whatever is put into the VPC without a group of its own reaches nothing.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}
