output "clusters" {
  description = "The ECS cluster of the servers in each region"
  value       = { for name, region in module.region : name => region.cluster_arn }
}

output "scheduler_security_group" {
  description = "What the database has to let in, beside the servers' own"
  value       = aws_security_group.scheduler.id
}
