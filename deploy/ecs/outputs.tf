output "clusters" {
  description = "The ECS cluster of the servers in each region"
  value       = { for name, region in module.region : name => region.cluster_arn }
}

output "metrics_names" {
  description = "The names under which Prometheus finds the processes, for ../prometheus/ecs.yml"
  value = {
    parsec-server    = flatten([for region in module.region : region.metrics_names])
    parsec-scheduler = ["${aws_service_discovery_service.schedulers.name}.${aws_service_discovery_private_dns_namespace.schedulers.name}"]
  }
}

output "scheduler_security_group" {
  description = "What the database has to let in, beside the servers' own"
  value       = aws_security_group.scheduler.id
}
