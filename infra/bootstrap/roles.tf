# GitHub says which environment of which repository asks (OpenID Connect), and AWS gives keys that last for an hour or two.

resource "aws_iam_openid_connect_provider" "github" {
  count = var.github_provider_exists ? 0 : 1

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "github" {
  for_each = local.roles

  name                 = "${var.name}-${each.key}"
  description          = "GitHub, environment ${each.value.environment} of ${var.repository}"
  max_session_duration = each.value.seconds

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = "${local.iam}::${var.account}:oidc-provider/${local.issuer}" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = "repo:${var.repository}:environment:${each.value.environment}"
        }
      }
    }]
  })

  depends_on = [aws_iam_openid_connect_provider.github]
}

# Applying makes roles, and who may make roles may do anything. Reviewers of the environment are what stands before it.
resource "aws_iam_role_policy_attachment" "deploy" {
  role       = aws_iam_role.github["deploy"].name
  policy_arn = "${local.iam}::aws:policy/AdministratorAccess"
}

# A plan reads every resource, and what ReadOnlyAccess leaves out.
resource "aws_iam_role_policy_attachment" "plan" {
  role       = aws_iam_role.github["plan"].name
  policy_arn = "${local.iam}::aws:policy/ReadOnlyAccess"
}

locals {
  plan_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadSecretsThatThePlanNeeds" # Valkey's token, its URL, the login's client; also those are in the state
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = [for name in ["smelt/cache-*", var.login_secret] : "arn:${var.partition}:secretsmanager:${var.region}:${var.account}:secret:${name}-??????"]
      },
      {
        Sid       = "DecryptThem"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = ["arn:${var.partition}:kms:${var.region}:${var.account}:key/*"]
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
      },
      {
        Sid      = "WhatKnowsNoResources" # a new token at each plan, and the definition of the state machine is tried
        Effect   = "Allow"
        Action   = ["secretsmanager:GetRandomPassword", "states:ValidateStateMachineDefinition"]
        Resource = ["*"]
      },
      {
        Sid      = "KeepThePlan"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["${local.arn}/plans/*"]
      },
      {
        Sid         = "NoData" # ReadOnlyAccess reads the objects of every bucket
        Effect      = "Deny"
        Action      = ["s3:GetObject", "s3:GetObjectVersion"]
        NotResource = ["${local.arn}/*"]
      },
    ]
  }
}

resource "aws_iam_role_policy" "plan" {
  name   = "plan"
  role   = aws_iam_role.github["plan"].id
  policy = jsonencode(local.plan_policy)
}
