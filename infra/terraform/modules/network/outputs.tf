output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnets" {
  description = "Ids of the subnets without a way out."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "egress_subnets" {
  description = "Ids of the subnets that reach the internet through NAT."
  value       = [for subnet in aws_subnet.egress : subnet.id]
}

output "public_subnets" {
  description = "Ids of the subnets that the internet reaches."
  value       = [for subnet in aws_subnet.public : subnet.id]
}

output "cidrs" {
  description = "Addresses of the egress and of the public subnets."
  value = {
    egress = [for subnet in aws_subnet.egress : subnet.cidr_block]
    public = [for subnet in aws_subnet.public : subnet.cidr_block]
  }
}

output "ports" {
  description = "{service: where the load balancer reaches it}"
  value       = local.ports
}

output "security_groups" {
  description = "{name: id} of the groups in security_groups.tf."
  value       = { for name, group in aws_security_group.this : name => group.id }
}
