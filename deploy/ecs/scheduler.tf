locals {
  # A family has no room for a plus or a comma.
  scheduler_names = { for fleets in var.schedulers : fleets => "parsec-scheduler-${replace(fleets, "/[^A-Za-z0-9_-]/", "-")}" }
}

resource "aws_ecs_cluster" "schedulers" {
  name = "parsec-schedulers"
}

resource "aws_cloudwatch_log_group" "schedulers" {
  name              = "/parsec/schedulers"
  retention_in_days = var.log_retention_days
}

resource "aws_security_group" "scheduler" {
  name_prefix = "parsec-scheduler-"
  description = "parsec schedulers"
  vpc_id      = var.scheduler_network.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "scheduler_metrics" {
  for_each = toset(var.metrics_cidrs)

  security_group_id = aws_security_group.scheduler.id
  description       = "Metrics"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 6666
  to_port           = 6666
}

resource "aws_vpc_security_group_egress_rule" "scheduler" {
  security_group_id = aws_security_group.scheduler.id
  description       = "Servers and database"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

# Names under which Prometheus finds them.
resource "aws_service_discovery_private_dns_namespace" "schedulers" {
  name = "schedulers.${var.scheduler_region}.${var.dns_zone}"
  vpc  = var.scheduler_network.vpc_id
}

resource "aws_service_discovery_service" "schedulers" {
  name = "all"

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.schedulers.id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 15
    }
  }
}

resource "aws_route53_zone_association" "schedulers" {
  count = var.metrics_vpc == null || try(var.metrics_vpc.vpc_id, null) == var.scheduler_network.vpc_id ? 0 : 1

  zone_id    = aws_service_discovery_private_dns_namespace.schedulers.hosted_zone
  vpc_id     = var.metrics_vpc.vpc_id
  vpc_region = var.metrics_vpc.region
}

module "spool" {
  source = "./spool"

  name                   = "parsec-schedulers"
  region                 = var.scheduler_region
  vpc_id                 = var.scheduler_network.vpc_id
  subnet_ids             = var.scheduler_network.subnet_ids
  task_security_group_id = aws_security_group.scheduler.id
  services               = toset(values(local.scheduler_names))
}

resource "aws_ecs_task_definition" "scheduler" {
  for_each = var.schedulers

  family                   = local.scheduler_names[each.value]
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn

  volume {
    name = "spool"

    efs_volume_configuration {
      file_system_id     = module.spool.file_system_id
      transit_encryption = "ENABLED"

      authorization_config {
        access_point_id = module.spool.access_points[local.scheduler_names[each.value]]
      }
    }
  }

  container_definitions = jsonencode([{
    name      = "scheduler"
    image     = var.image
    command   = ["scheduler"]
    essential = true

    environment = [for name, value in merge(local.settings, {
      PARSEC_SCHEDULER_FLEETS   = each.value
      PARSEC_SCHEDULER_INTERVAL = var.interval
      PARSEC_SCHEDULER_PROBES   = "1"
    }) : { name = name, value = value }]

    secrets = [for name, arn in merge(local.secrets, { PARSEC_SCHEDULER_API_TOKEN = var.api_token_arn }) : { name = name, valueFrom = arn }]

    portMappings = [{ containerPort = 6666, protocol = "tcp" }]

    # A stop ends within --stop-timeout, 30 seconds, by itself.
    stopTimeout            = 35
    readonlyRootFilesystem = true

    mountPoints = [{ sourceVolume = "spool", containerPath = "/var/lib/parsec", readOnly = false }]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.schedulers.name
        awslogs-region        = var.scheduler_region
        awslogs-stream-prefix = "scheduler"
      }
    }
  }])
}

resource "aws_ecs_service" "scheduler" {
  for_each = var.schedulers

  name            = aws_ecs_task_definition.scheduler[each.value].family
  cluster         = aws_ecs_cluster.schedulers.id
  task_definition = aws_ecs_task_definition.scheduler[each.value].arn
  launch_type     = "FARGATE"
  desired_count   = 1

  # Two schedulers of one fleet would measure twice: the old one goes first.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100

  network_configuration {
    subnets          = var.scheduler_network.subnet_ids
    security_groups  = [aws_security_group.scheduler.id]
    assign_public_ip = true
  }

  service_registries {
    registry_arn = aws_service_discovery_service.schedulers.arn
  }
}
