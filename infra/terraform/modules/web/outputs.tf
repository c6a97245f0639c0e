output "load_balancer" {
  description = "The load balancer: its ARN, its name in metrics, and where names must lead to."
  value       = { arn = aws_lb.this.arn, metric = aws_lb.this.arn_suffix, dns_name = aws_lb.this.dns_name, zone_id = aws_lb.this.zone_id }
}

output "cidrs" {
  description = "Where the load balancer's addresses are."
  value       = local.cidrs
}

output "target_groups" {
  description = "{service: its target group's ARN and name in metrics}; a service can be made only once a rule leads to its group."
  value       = { for service, group in aws_lb_target_group.this : service => { arn = group.arn, metric = group.arn_suffix } }
  depends_on  = [aws_lb_listener_rule.name]
}
