# Where rows wait while the database is away. A task's own storage ends with the task, so that each stop during an outage
# would lose what was measured: here it is a file system that outlives tasks.

resource "aws_efs_file_system" "spool" {
  region    = var.region
  encrypted = true

  tags = {
    Name = "${var.name}-spool"
  }
}

resource "aws_security_group" "spool" {
  region      = var.region
  name_prefix = "${var.name}-spool-"
  description = "The spools of parsec"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "nfs" {
  region                       = var.region
  security_group_id            = aws_security_group.spool.id
  description                  = "NFS, for the tasks"
  referenced_security_group_id = var.task_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
}

resource "aws_efs_mount_target" "spool" {
  # Not a set of ids, which may be unknown before the first apply.
  count = length(var.subnet_ids)

  region          = var.region
  file_system_id  = aws_efs_file_system.spool.id
  subnet_id       = var.subnet_ids[count.index]
  security_groups = [aws_security_group.spool.id]
}

# Each service sees a directory of its own, and takes over what its earlier tasks have left there.
resource "aws_efs_access_point" "service" {
  for_each = var.services

  region         = var.region
  file_system_id = aws_efs_file_system.spool.id

  # The user of the image.
  posix_user {
    uid = 65532
    gid = 65532
  }

  root_directory {
    path = "/${each.value}"

    creation_info {
      owner_uid   = 65532
      owner_gid   = 65532
      permissions = "0700"
    }
  }
}
