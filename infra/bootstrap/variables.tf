variable "account" {
  description = "The AWS account. A plan against another one is refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "Twelve digits."
  }
}

variable "region" {
  description = "The region of the state's bucket and of the deployment."
  type        = string
}

variable "repository" {
  description = "Who may plan and deploy: OWNER/REPOSITORY on GitHub."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository)) # no wildcard: it would let others in
    error_message = "OWNER/REPOSITORY."
  }
}

variable "environment" {
  description = "The environment on GitHub that deploys; the one that plans is called ENVIRONMENT-plan."
  type        = string
  default     = "production"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]+$", var.environment))
    error_message = "Letters, digits, _ and -."
  }
}

variable "name" {
  description = "What the names of the bucket and the roles begin with."
  type        = string
  default     = "smelt"
}

variable "login_secret" {
  description = "The name of the secret of the login before console and page, which a plan reads."
  type        = string
  default     = "smelt-login"
}

variable "github_provider_exists" {
  description = "Whether the account knows GitHub's OpenID Connect provider already: there can be only one."
  type        = bool
  default     = false
}

variable "partition" {
  description = "aws, or aws-us-gov in GovCloud."
  type        = string
  default     = "aws"
}
