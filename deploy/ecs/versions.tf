terraform {
  required_version = ">= 1.5"

  required_providers {
    # From 6.0 on, each resource can name its region: one provider reaches all of them.
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = var.scheduler_region

  default_tags {
    tags = var.tags
  }
}
