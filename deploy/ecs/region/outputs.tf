output "cluster_arn" {
  description = "The cluster of this region's servers"
  value       = aws_ecs_cluster.servers.arn
}
