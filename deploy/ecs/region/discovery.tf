# Names under which Prometheus finds the servers: FLEET.REGION.parsec.internal. Schedulers find them in the database.

resource "aws_service_discovery_private_dns_namespace" "servers" {
  region = var.region
  name   = "${var.region}.${var.dns_zone}"
  vpc    = var.vpc_id
}

resource "aws_service_discovery_service" "server" {
  for_each = var.fleets

  region = var.region
  name   = each.key

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.servers.id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 15
    }
  }
}

resource "aws_route53_zone_association" "metrics" {
  count = var.metrics_vpc == null || try(var.metrics_vpc.vpc_id, null) == var.vpc_id ? 0 : 1

  zone_id    = aws_service_discovery_private_dns_namespace.servers.hosted_zone
  vpc_id     = var.metrics_vpc.vpc_id
  vpc_region = var.metrics_vpc.region
}
