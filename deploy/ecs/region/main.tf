# One region: a server of each fleet.

resource "aws_ecs_cluster" "servers" {
  region = var.region
  name   = "parsec-servers"
}

resource "aws_cloudwatch_log_group" "servers" {
  region            = var.region
  name              = "/parsec/servers"
  retention_in_days = var.log_retention_days
}

module "spool" {
  source = "../spool"

  name                   = "parsec-servers"
  region                 = var.region
  vpc_id                 = var.vpc_id
  subnet_ids             = var.subnet_ids
  task_security_group_id = aws_security_group.server.id
  services               = toset(keys(var.fleets))
}

resource "aws_ecs_task_definition" "server" {
  for_each = var.fleets

  region                   = var.region
  family                   = "parsec-server-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = var.execution_role_arn

  volume {
    name = "spool"

    efs_volume_configuration {
      file_system_id     = module.spool.file_system_id
      transit_encryption = "ENABLED"

      authorization_config {
        access_point_id = module.spool.access_points[each.key]
      }
    }
  }

  container_definitions = jsonencode([{
    name      = "server"
    image     = var.image
    command   = ["server", "dht"]
    essential = true

    # ECS itself adds ECS_CONTAINER_METADATA_URI_V4: processors, memory and the address for schedulers come from there.
    environment = [for name, value in merge(var.settings, {
      AWS_REGION                = var.region
      PARSEC_SERVER_FLEET       = each.key
      PARSEC_SERVER_SERVER_HOST = "0.0.0.0"
      PARSEC_SERVER_SERVER_PORT = "7070"
      PARSEC_SERVER_PEER_HOST   = "0.0.0.0"
      PARSEC_SERVER_PEER_PORT   = "4001"
    }, each.value.settings) : { name = name, value = value }]

    secrets = [for name, arn in var.secrets : { name = name, valueFrom = arn }]

    portMappings = [
      { containerPort = 7070, protocol = "tcp" },
      { containerPort = 4001, protocol = "tcp" },
      { containerPort = 4001, protocol = "udp" },
      { containerPort = 6666, protocol = "tcp" },
    ]

    # Five minutes at most, says ECS; after that ten failures in a row, for the first crawl of a fullrt node.
    healthCheck = {
      command     = ["CMD", "parsec", "health", "localhost:7070"]
      interval    = 60
      timeout     = 10
      retries     = 10
      startPeriod = 300
    }

    # A stop ends within --stop-timeout, 30 seconds, by itself.
    stopTimeout            = 35
    readonlyRootFilesystem = true

    mountPoints = [{ sourceVolume = "spool", containerPath = "/var/lib/parsec", readOnly = false }]

    ulimits = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.servers.name
        awslogs-region        = var.region
        awslogs-stream-prefix = each.key
      }
    }
  }])
}

resource "aws_ecs_service" "server" {
  for_each = var.fleets

  region          = var.region
  name            = "parsec-server-${each.key}"
  cluster         = aws_ecs_cluster.servers.id
  task_definition = aws_ecs_task_definition.server[each.key].arn
  launch_type     = "FARGATE"
  desired_count   = 1

  # A round counts each region once: the old server goes before the new one comes.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.server.id]
    assign_public_ip = true
  }

  service_registries {
    registry_arn = aws_service_discovery_service.server[each.key].arn
  }
}
