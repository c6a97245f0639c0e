# What every deployment must say.

variable "account" {
  description = "The AWS account, with one deployment: queues, roles and the budget have fixed names. A plan against another one is refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account))
    error_message = "Twelve digits."
  }
}

variable "region" {
  description = "The AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region's name, such as us-east-1."
  }
}

variable "availability_zones" {
  description = "Two to four zones of the region."
  type        = list(string)

  validation {
    condition     = alltrue([for zone in var.availability_zones : startswith(zone, var.region)])
    error_message = "Zones of var.region."
  }
}

variable "image_tag" {
  description = "The version to run, as pushed to the repositories."
  type        = string
}

variable "postgres_certificates" {
  description = <<-TEXT
    PEM of the authorities that the database's certificate is checked against: the contents of
    https://truststore.pki.rds.amazonaws.com/REGION/REGION-bundle.pem; with RDS Proxy, that of Amazon Root CA 1 as well.
  TEXT
  type        = string
}

variable "usajobs_user_agent" {
  description = "The e-mail address that the USAJOBS key was given to; the API wants it with every request."
  type        = string

  validation {
    condition     = strcontains(var.usajobs_user_agent, "@")
    error_message = "An e-mail address."
  }
}

variable "alert_emails" {
  description = "Who is told of alarms."
  type        = set(string)
}

variable "monthly_budget" {
  description = "US dollars a month; at 80 % spent or 100 % foreseen a mail is sent."
  type        = number
}
