resource "aws_security_group" "server" {
  region      = var.region
  name_prefix = "parsec-server-"
  description = "parsec servers"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

# Whoever reaches the API can make the server publish: schedulers alone.
resource "aws_vpc_security_group_ingress_rule" "api" {
  for_each = toset(var.scheduler_cidrs)

  region            = var.region
  security_group_id = aws_security_group.server.id
  description       = "HTTP API, for schedulers"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 7070
  to_port           = 7070
}

# A peer of a public DHT: over TCP, and over UDP for QUIC.
resource "aws_vpc_security_group_ingress_rule" "peers" {
  for_each = toset(["tcp", "udp"])

  region            = var.region
  security_group_id = aws_security_group.server.id
  description       = "libp2p"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = each.value
  from_port         = 4001
  to_port           = 4001
}

resource "aws_vpc_security_group_ingress_rule" "metrics" {
  for_each = toset(var.metrics_cidrs)

  region            = var.region
  security_group_id = aws_security_group.server.id
  description       = "Metrics"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 6666
  to_port           = 6666
}

resource "aws_vpc_security_group_egress_rule" "all" {
  region            = var.region
  security_group_id = aws_security_group.server.id
  description       = "Peers on whatever port, and the database"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
