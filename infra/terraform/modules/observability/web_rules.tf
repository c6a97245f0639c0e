# The same for console and page, where there is a load balancer: who answers, errors of theirs and of the load balancer, logins
# that fail.

locals {
  web_rules = {
    for name, rule in merge(local.watched...) : name => merge(rule, { runbook = "web-away", namespace = "AWS/ApplicationELB" })
  }

  watched = [
    for web in var.web[*] : merge(
      {
        for service, one in web.services : "${service}-away" => {
          title     = "no task of ${service} answers"
          metrics   = { healthy = { name = "HealthyHostCount", stat = "Maximum", of = { TargetGroup = one.target_group, LoadBalancer = web.load_balancer } } }
          compare   = "LessThanThreshold"
          threshold = min(one.least, 1)                            # 0, and so never broken, in a paused deployment
          minutes   = 5                                            # a console that is replaced is back by then
          missing   = one.least > 0 ? "breaching" : "notBreaching" # a service without any task has no metric
        }
      },
      {
        for service, one in web.services : "${service}-unhealthy" => {
          title     = "a task of ${service} does not answer, or the one in its place"
          metrics   = { unhealthy = { name = "UnHealthyHostCount", stat = "Maximum", of = { TargetGroup = one.target_group, LoadBalancer = web.load_balancer } } }
          compare   = "GreaterThanThreshold"
          threshold = 0
          minutes   = 10 # ECS replaces it within a few
          missing   = "notBreaching"
        }
      },
      {
        for service, one in web.services : "${service}-errors" => {
          title     = "${service} answers with errors of its own"
          metrics   = { errors = { name = "HTTPCode_Target_5XX_Count", stat = "Sum", of = { TargetGroup = one.target_group, LoadBalancer = web.load_balancer } } }
          compare   = "GreaterThanThreshold"
          threshold = 10 # a minute; an overview that somebody looks at asks thirty times, and a search too wide is one
          minutes   = 5
          missing   = "notBreaching" # no answer was an error
        }
      },
      {
        for name, rule in {
          errors = { title = "the load balancer itself answers with errors", metric = "HTTPCode_ELB_5XX_Count", threshold = 10 }
          logins = { title = "the load balancer cannot log people in", metric = "ELBAuthError", threshold = 0 }
        } :
        "balancer-${name}" => {
          title     = rule.title
          metrics   = { errors = { name = rule.metric, stat = "Sum", of = { LoadBalancer = web.load_balancer } } }
          compare   = "GreaterThanThreshold"
          threshold = rule.threshold # a minute
          minutes   = 5
          missing   = "notBreaching"
        }
      },
    )
  ]
}
