variable "image" {
  description = "Image of parsec with its tag or digest, in a repository that tasks in every region can pull from"
  type        = string
}

variable "regions" {
  description = "Where servers stand: for each region the VPC and the public subnets of its tasks, each subnet in another availability zone. The VPCs are peered with the one of the schedulers and of the database"
  type = map(object({
    vpc_id     = string
    subnet_ids = list(string)
  }))

  validation {
    condition     = length(var.regions) >= 2
    error_message = "A round needs one server that publishes and one that looks up: name at least two regions."
  }
}

variable "fleets" {
  description = "Servers of one configuration, one in each region. The settings are those in docs/configuration.md and may be of either generation of names"
  type = map(object({
    cpu      = number
    memory   = number
    settings = optional(map(string), {})
  }))

  default = {
    default = {
      cpu    = 1024
      memory = 2048
    }
    optprov = {
      cpu    = 1024
      memory = 2048
      settings = {
        PARSEC_SERVER_DHT_OPTPROV = "true"
      }
    }
    # Knows every peer of the network, and meets all of them once an hour.
    fullrt = {
      cpu    = 2048
      memory = 4096
      settings = {
        PARSEC_SERVER_DHT_FULLRT = "true"
      }
    }
  }
}

variable "schedulers" {
  description = "One task each: the fleets it lets measure, as PARSEC_SCHEDULER_FLEETS takes them. A plus joins fleets into one loop of rounds"
  type        = set(string)
  default     = ["default", "optprov", "fullrt"]
}

variable "interval" {
  description = "From the start of a round to the start of the next, as Go writes durations"
  type        = string
  default     = "1m"
}

variable "scheduler_region" {
  description = "Where the schedulers stand; best beside the database"
  type        = string
  default     = "eu-central-1"
}

variable "scheduler_network" {
  description = "VPC and subnets of the schedulers, each subnet in another availability zone"
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
  })
}

variable "scheduler_cidrs" {
  description = "Address ranges of the scheduler subnets: security groups of other regions cannot be named across a peering"
  type        = list(string)
}

variable "metrics_cidrs" {
  description = "Who may read the metrics: the address ranges of Prometheus"
  type        = list(string)
  default     = []
}

variable "metrics_vpc" {
  description = "The VPC of a Prometheus that finds the processes by their names in DNS, as ../prometheus/ecs.yml does: the names of all regions can be resolved there. Without one they can be resolved in the VPC of their region only"
  type = object({
    vpc_id = string
    region = string
  })
  default = null
}

variable "dns_zone" {
  description = "What the names of the processes end with: FLEET.REGION.parsec.internal, and schedulers.REGION.parsec.internal"
  type        = string
  default     = "parsec.internal"
}

variable "api_token_arn" {
  description = "The full ARN of a secret with the token that servers require and schedulers send: at least 22 characters, and nothing else (openssl rand -hex 32). Without a token, anyone who reaches a server could make it publish"
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:(secretsmanager|ssm):", var.api_token_arn))
    error_message = "api_token_arn must be the full ARN of a secret in Secrets Manager or of a parameter in SSM."
  }
}

variable "database" {
  description = "The PostgreSQL server that all of them share. password_arn is the full ARN of a Secrets Manager secret or of an SSM parameter, of this account and of whichever region; it holds the password and nothing else. verify-full wants the authority of the server's certificate in the image; that of RDS is not among Debian's"
  type = object({
    host         = string
    port         = optional(number, 5432)
    name         = optional(string, "parsec")
    user         = optional(string, "parsec")
    ssl_mode     = optional(string, "require")
    password_arn = string
  })

  validation {
    condition     = can(regex("^arn:[^:]+:(secretsmanager|ssm):", var.database.password_arn))
    error_message = "database.password_arn must be the full ARN of a secret in Secrets Manager or of a parameter in SSM."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps log lines"
  type        = number
  default     = 30
}

variable "tags" {
  description = "Tags of everything"
  type        = map(string)
  default     = { project = "parsec" }
}
