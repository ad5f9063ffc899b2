output "metrics_names" {
  description = "The names under which Prometheus finds this region's servers"
  value       = [for service in aws_service_discovery_service.server : "${service.name}.${aws_service_discovery_private_dns_namespace.servers.name}"]
}

output "cluster_arn" {
  description = "The cluster of this region's servers"
  value       = aws_ecs_cluster.servers.arn
}
