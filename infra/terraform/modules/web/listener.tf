# HTTPS only. What asks for neither name gets nothing; what asks for the console is somebody.

data "aws_secretsmanager_secret_version" "client" {
  secret_id = var.web.login.client_secret_name
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.this.arn
  port              = 443
  protocol          = "HTTPS"
  certificate_arn   = var.web.certificate_arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06" # TLS 1.3, and 1.2 with forward secrecy only

  routing_http_response_strict_transport_security_header_value = "max-age=31536000"

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "name" {
  for_each = local.targets

  listener_arn = aws_lb_listener.https.arn
  priority     = each.value.priority

  condition {
    host_header {
      values = [each.value.name]
    }
  }

  dynamic "action" {
    for_each = each.value.login ? [var.web.login] : []

    content {
      type  = "authenticate-oidc"
      order = 1

      authenticate_oidc {
        issuer                     = action.value.issuer
        authorization_endpoint     = action.value.authorization_endpoint
        token_endpoint             = action.value.token_endpoint
        user_info_endpoint         = action.value.user_info_endpoint
        client_id                  = action.value.client_id
        client_secret              = data.aws_secretsmanager_secret_version.client.secret_string # no write-only argument: the state holds it
        scope                      = action.value.scope
        session_timeout            = action.value.hours * 3600
        on_unauthenticated_request = "authenticate"
      }
    }
  }

  action {
    type             = "forward"
    order            = 2
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }
}
