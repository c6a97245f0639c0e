variable "cidr" {
  description = "The VPC's addresses, a /16: sixteen /20 subnets, of which three an availability zone are used."
  type        = string

  validation {
    condition     = can(cidrsubnet(var.cidr, 4, 15)) && endswith(var.cidr, "/16")
    error_message = "A /16, such as 10.42.0.0/16."
  }
}

variable "availability_zones" {
  description = "Where subnets lie. RDS and ElastiCache fail over between two at least."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) <= 4
    error_message = "Two to four availability zones."
  }
}

variable "bucket_arn" {
  description = "The only bucket of ours that leaves the VPC through the S3 endpoint."
  type        = string
}

variable "log_retention" {
  description = "Days that flow logs are kept."
  type        = number
}

variable "telemetry_key_arn" {
  description = "The key of the flow logs."
  type        = string
}
