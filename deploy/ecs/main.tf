# Fleets of parsec servers in several regions, and their schedulers beside the database.

locals {
  # What servers and schedulers have in common.
  settings = {
    PARSEC_DATABASE_HOST     = var.database.host
    PARSEC_DATABASE_PORT     = tostring(var.database.port)
    PARSEC_DATABASE_NAME     = var.database.name
    PARSEC_DATABASE_USER     = var.database.user
    PARSEC_DATABASE_SSL_MODE = var.database.ssl_mode
    PARSEC_TELEMETRY_HOST    = "0.0.0.0"
    PARSEC_TELEMETRY_PORT    = "6666"
    PARSEC_LOG_FORMAT        = "json"
  }

  secrets = {
    PARSEC_DATABASE_PASSWORD = var.database.password_arn
  }
}

module "region" {
  source   = "./region"
  for_each = var.regions

  region             = each.key
  vpc_id             = each.value.vpc_id
  subnet_ids         = each.value.subnet_ids
  image              = var.image
  fleets             = var.fleets
  settings           = local.settings
  secrets            = merge(local.secrets, { PARSEC_SERVER_API_TOKEN = var.api_token_arn })
  scheduler_cidrs    = var.scheduler_cidrs
  metrics_cidrs      = var.metrics_cidrs
  metrics_vpc        = var.metrics_vpc
  dns_zone           = var.dns_zone
  execution_role_arn = aws_iam_role.execution.arn
  log_retention_days = var.log_retention_days
}
