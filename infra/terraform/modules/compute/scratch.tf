# /tmp, the only place that can be written: a part of the 20 GiB of disk that a Fargate task has, because an upload in Parquet is
# spooled there. (Memory, as in compose.yaml, would not hold it.) It comes as root's alone, so a first container opens it to
# the service's user, leaves the certificates there, which libpq wants in a file, and ends before the service begins.

locals {
  scratch      = { sourceVolume = "scratch", containerPath = "/tmp", readOnly = false }
  certificates = "/tmp/postgres-ca.pem"

  prepare = {
    name                   = "prepare"
    essential              = false
    user                   = "0"
    entryPoint             = ["sh", "-euc"]
    command                = ["chmod 1777 /tmp; printf %s \"$CERTIFICATES\" > ${local.certificates}"]
    environment            = [{ name = "CERTIFICATES", value = var.postgres_certificates }]
    readonlyRootFilesystem = true
    mountPoints            = [local.scratch]
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
  }
}
