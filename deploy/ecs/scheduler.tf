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

resource "aws_ecs_task_definition" "scheduler" {
  for_each = var.schedulers

  # A family has no room for a plus or a comma.
  family                   = "parsec-scheduler-${replace(each.value, "/[^A-Za-z0-9_-]/", "-")}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn

  # Rows that wait while the database is away: on the task's own storage, for as long as the task lasts.
  volume {
    name = "spool"
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

    secrets = [for name, arn in local.secrets : { name = name, valueFrom = arn }]

    portMappings = [{ containerPort = 6666, protocol = "tcp" }]

    # An orderly stop takes up to 20 seconds.
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
}
