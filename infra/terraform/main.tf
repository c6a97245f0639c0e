module "network" {
  source = "./modules/network"

  deployment         = local.deployment
  cidr               = var.cidr
  availability_zones = var.availability_zones
  bucket_arn         = module.messaging.bucket.arn
  log_retention      = var.log_retention
  telemetry_key_arn  = aws_kms_key.telemetry.arn
}

module "messaging" {
  source = "./modules/messaging"

  deployment     = local.deployment
  topology       = local.topology
  bucket_name    = local.bucket_name
  data_key_arn   = aws_kms_key.data.arn
  lifecycle_days = var.lifecycle_days
}

module "database" {
  source = "./modules/database"

  deployment        = local.deployment
  subnets           = module.network.private_subnets
  security_groups   = module.network.security_groups
  data_key_arn      = aws_kms_key.data.arn
  telemetry_key_arn = aws_kms_key.telemetry.arn
  log_retention     = var.log_retention
  postgres          = var.postgres
  cache_node        = var.cache_node
}

module "web" {
  source = "./modules/web"
  count  = var.web == null ? 0 : 1

  deployment    = local.deployment
  network       = module.network
  log_retention = var.log_retention
  web           = var.web
}

module "compute" {
  source = "./modules/compute"

  deployment            = local.deployment
  bucket                = module.messaging.bucket
  queues                = module.messaging.queues
  postgres              = module.database.postgres
  max_connections       = var.postgres.max_connections
  postgres_certificates = var.postgres_certificates
  cache_secret_arn      = module.database.cache.secret_arn
  network               = module.network
  data_key_arn          = aws_kms_key.data.arn
  telemetry_key_arn     = aws_kms_key.telemetry.arn
  log_retention         = var.log_retention
  image_tag             = var.image_tag
  cpu_architecture      = var.cpu_architecture
  spot                  = var.spot
  paused                = var.paused
  workers               = var.workers
  source_environment    = merge(var.source_environment, { SMELT_USAJOBS_USER_AGENT = var.usajobs_user_agent })
  source_secrets        = setunion(var.source_secrets, ["SMELT_USAJOBS_API_KEY"])
  after_loading         = var.after_loading
  schedules             = var.schedules
  scheduled_tasks       = var.scheduled_tasks

  web = one([
    for web in module.web : {
      load_balancer_arn = web.load_balancer.arn
      balancer_cidrs    = web.cidrs
      target_groups     = { for service, group in web.target_groups : service => group.arn }
      client_id         = var.web.login.client_id
      console_name      = var.web.names.console
      serving_name      = var.web.names.serving
      operators         = var.web.operators
      groups_claim      = var.web.login.groups_claim
      serving           = var.web.serving
    }
  ])
}

module "observability" {
  source = "./modules/observability"

  deployment        = local.deployment
  queues            = module.messaging.queues
  postgres          = merge(var.postgres, { identifier = module.database.postgres.identifier })
  cache_id          = module.database.cache.id
  cluster           = module.compute.cluster
  web               = one([for web in module.web : { load_balancer = web.load_balancer.metric, services = local.web_services }])
  telemetry_key_arn = aws_kms_key.telemetry.arn
  alert_emails      = var.alert_emails
  monthly_budget    = var.monthly_budget
  runbooks          = var.runbooks
}
