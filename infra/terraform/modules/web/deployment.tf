variable "deployment" {
  description = "Which deployment this is part of. ARNs are made of these, so that policies can be read in a plan."
  type = object({
    name      = string
    partition = string
    region    = string
    account   = string
  })
}
