# What the services and Fargate itself call, without leaving AWS's network. KMS is not among them: S3, Secrets Manager
# and Scheduler call it for us.

locals {
  interface_endpoints = toset([
    "sqs",
    "secretsmanager", # Fargate fetches the secrets of a task
    "ecr.api",        # ... and its image,
    "ecr.dkr",        # whose layers come from S3
    "logs",
    "monitoring", # ages of queues, for operators,
    "scheduler",  # ... whose `smelt schedules` and `smelt check` have no other way out to the schedules
  ])
  # Where ECR keeps layers, and in GovCloud load balancers their public keys, which have an address of their own elsewhere:
  # not ours, but nothing starts without the one and nobody comes into the console without the other.
  theirs = concat(
    ["arn:${var.deployment.partition}:s3:::prod-${var.deployment.region}-starport-layer-bucket/*"],
    var.deployment.partition == "aws-us-gov" ? ["arn:aws-us-gov:s3:::aws-elb-public-keys-prod-${var.deployment.region}/*"] : [],
  )
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.deployment.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id, aws_route_table.egress.id]

  # A stolen credential of somebody else's account cannot carry data off to their bucket.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OurBucket"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:*" # who may do what is said in the roles
        Resource  = [var.bucket_arn, "${var.bucket_arn}/*"]
      },
      {
        Sid       = "LayersOfImagesAndPublicKeys"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:GetObject"
        Resource  = local.theirs
      },
    ]
  })

  tags = { Name = "${var.deployment.name}-s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_endpoints

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.deployment.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = [for subnet in aws_subnet.private : subnet.id]
  security_group_ids  = [aws_security_group.this["endpoints"].id]
  private_dns_enabled = true # boto3 needs no settings

  tags = { Name = "${var.deployment.name}-${each.key}" }
}
