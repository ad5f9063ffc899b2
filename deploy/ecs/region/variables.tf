variable "region" {
  description = "Where this is"
  type        = string
}

variable "vpc_id" {
  description = "VPC of the servers"
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets of the servers, because other peers of the DHT dial them; each in another availability zone"
  type        = list(string)
}

variable "image" {
  description = "Image of parsec"
  type        = string
}

variable "fleets" {
  description = "Fleets with one server each in this region"
  type = map(object({
    cpu      = number
    memory   = number
    settings = optional(map(string), {})
  }))
}

variable "settings" {
  description = "Environment of every parsec process"
  type        = map(string)
}

variable "secrets" {
  description = "Environment variables by the ARN of what is in them"
  type        = map(string)
}

variable "scheduler_cidrs" {
  description = "Who may ask for measurements"
  type        = list(string)
}

variable "metrics_cidrs" {
  description = "Who may read the metrics"
  type        = list(string)
}

variable "metrics_vpc" {
  description = "The VPC of Prometheus, if it finds the servers by their names"
  type = object({
    vpc_id = string
    region = string
  })
}

variable "dns_zone" {
  description = "What the names of the servers end with"
  type        = string
}

variable "execution_role_arn" {
  description = "What ECS uses to start a task"
  type        = string
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps log lines"
  type        = number
}
