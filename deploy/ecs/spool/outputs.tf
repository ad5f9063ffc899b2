output "file_system_id" {
  description = "The file system"
  # A task that starts before the mount targets are there would fail.
  value      = aws_efs_file_system.spool.id
  depends_on = [aws_efs_mount_target.spool]
}

output "access_points" {
  description = "The access point of each service"
  value       = { for name, point in aws_efs_access_point.service : name => point.id }
}
