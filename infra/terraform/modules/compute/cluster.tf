resource "aws_ecs_cluster" "this" {
  name = var.deployment.name

  # RunningTaskCount, which the backlog is divided by, is among its metrics and nowhere else.
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

resource "aws_cloudwatch_log_group" "service" {
  #checkov:skip=CKV_AWS_338:how long logs are kept is the deployment's choice, var.log_retention
  for_each = local.services

  name              = "/${var.deployment.name}/${each.key}"
  retention_in_days = var.log_retention
  kms_key_id        = var.telemetry_key_arn
}

# By name, so that they can be made before anything else; serving's also where nobody wants it yet: a version's images are
# pushed before what runs them.
resource "aws_ecr_repository" "service" {
  for_each = toset(["extractor", "transformer", "loader", "ops", "serving"])

  name                 = "${var.deployment.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE" # a version is what it was

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.data_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "service" {
  for_each = aws_ecr_repository.service

  repository = each.value.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "the last thirty versions: further back nobody rolls" # tags: a version is an index and images for each platform
        selection    = { tagStatus = "tagged", tagPatternList = ["*"], countType = "imageCountMoreThan", countNumber = 30 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "what an expired version consisted of; ECR keeps what an index still names"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
        action       = { type = "expire" }
      },
    ]
  })
}

# Values are put in by hand (docs/aws.md), so that they are in no state, plan or shell history of this code.
resource "aws_secretsmanager_secret" "source" {
  #checkov:skip=CKV2_AWS_57:keys of other people's APIs, which only they can change
  for_each = var.source_secrets

  name       = "${var.deployment.name}/${lower(replace(trimprefix(each.key, "SMELT_"), "_", "-"))}"
  kms_key_id = var.data_key_arn
}
