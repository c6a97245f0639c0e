# For people and programs: the operators' console, and the search page with the read API, behind one load balancer. Where this
# is null there is neither. There is no half of it: who gives it must give a certificate and a login.

variable "web" {
  description = "The console and the search page behind a load balancer; null for neither."
  type = object({
    certificate_arn     = string                                         # of ACM, in this region, for both names
    names               = object({ console = string, serving = string }) # your DNS leads both to the output load_balancer
    from                = set(string)                                    # networks that are let in, such as 10.0.0.0/8
    operators           = set(string)                                    # e-mail addresses and groups of who may act on the console; others look
    public              = optional(bool, false)                          # reached through VPN or peering only, unless somebody decides otherwise
    serving_login       = optional(bool, true)                           # false for programs, which cannot log in: then `from` decides
    deletion_protection = optional(bool, true)

    # The client that your OIDC provider made for https://NAME/oauth2/idpresponse of both names.
    login = object({
      issuer                 = string
      authorization_endpoint = string
      token_endpoint         = string
      user_info_endpoint     = string
      client_id              = string
      client_secret_name     = string                           # a secret in Secrets Manager that holds the client's
      scope                  = optional(string, "openid email") # and what brings groups, where operators are groups
      groups_claim           = optional(string, "groups")
      hours                  = optional(number, 12) # as sessions by token; who is no operator any more may remain one for as long
    })

    serving = optional(object({
      cpu    = optional(number, 512)  # a search takes 12 ms with all that Postgres does (docs/performance.md); `busy` says when it is too little
      memory = optional(number, 2048) # two exports of 90 MB (docs/serving.md), gold's own, Python and polars, and room: not measured together
      least  = optional(number, 1)    # a zone that fails takes the page away for the minutes that a new task takes
      most   = optional(number, 3)    # 24 searches at once are more than two processors of Postgres do
      busy   = optional(number, 60)   # %; room for a burst while the next task starts
    }), {})
  })
  default = null
}
