output "private_subnets" {
  description = "Ids of the subnets without a way out."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "egress_subnets" {
  description = "Ids of the subnets that reach the internet through NAT."
  value       = [for subnet in aws_subnet.egress : subnet.id]
}

output "security_groups" {
  description = "{name: id} of the groups in security_groups.tf."
  value       = { for name, group in aws_security_group.this : name => group.id }
}
