variable "name" {
  description = "What its parts are called"
  type        = string
}

variable "region" {
  description = "Where this is"
  type        = string
}

variable "vpc_id" {
  description = "VPC of the tasks"
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the tasks, each in another availability zone"
  type        = list(string)
}

variable "task_security_group_id" {
  description = "Security group of the tasks"
  type        = string
}

variable "services" {
  description = "Each of these gets a directory of its own"
  type        = set(string)
}
