variable "network" {
  description = "The VPC, its subnets and security groups, from the module network."
  type = object({
    vpc_id          = string
    egress_subnets  = list(string)
    public_subnets  = list(string)
    cidrs           = object({ egress = list(string), public = list(string) })
    ports           = object({ console = number, serving = number })
    security_groups = map(string)
  })
}

variable "log_retention" {
  description = "Days that access logs are kept."
  type        = number
}

variable "web" {
  description = "Names, certificate and login; each with its reason where the defaults are."
  type = object({
    certificate_arn     = string
    names               = object({ console = string, serving = string })
    from                = set(string)
    public              = bool
    serving_login       = bool
    deletion_protection = bool
    login = object({
      issuer                 = string
      authorization_endpoint = string
      token_endpoint         = string
      user_info_endpoint     = string
      client_id              = string
      client_secret_name     = string
      scope                  = string
      hours                  = number
    })
  })

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:${var.deployment.region}:${var.deployment.account}:certificate/", var.web.certificate_arn))
    error_message = "certificate_arn: an ACM certificate of this account and region, for both names. Without one there is neither console nor page."
  }

  validation {
    condition     = alltrue([for name in values(var.web.names) : can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", name))]) && var.web.names.console != var.web.names.serving
    error_message = "names: two host names in lower case, such as console.smelt.example.gov and smelt.example.gov."
  }

  validation {
    condition     = length(var.web.from) > 0 && alltrue([for one in var.web.from : can(cidrnetmask(one))])
    error_message = "from: the networks that people and programs come from, such as 10.0.0.0/8. 0.0.0.0/0 is everybody who can reach the load balancer."
  }

  validation {
    condition = alltrue([
      for name in ["issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint"] : startswith(var.web.login[name], "https://")
    ])
    error_message = "login: https addresses, as the identity provider has them in /.well-known/openid-configuration."
  }

  validation {
    condition     = var.web.login.client_id != "" && var.web.login.client_secret_name != ""
    error_message = "login: the client's id, and the name of the secret in Secrets Manager that holds its secret. Without a login there is no console."
  }

  validation {
    condition     = var.web.login.hours >= 1 && var.web.login.hours <= 168
    error_message = "login: 1 to 168 hours; who is no operator any more may remain one for as long."
  }
}
