# The whole deployment, applied to a mock of AWS: what the real provider's schema allows, without an account.
# tests/infra/ reads the state of the first run.

mock_provider "aws" {
  source = "./tests/mocks"
}

# What must be told apart.
override_resource {
  target = module.database.aws_secretsmanager_secret_version.cache_url
  values = { arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:smelt/cache-url" }
}

override_resource {
  target = module.compute.aws_secretsmanager_secret.source
  values = { arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:smelt/source" }
}

override_resource {
  target = module.compute.aws_iam_role.scheduler_runs
  values = { arn = "arn:aws:iam::111122223333:role/smelt-scheduler-runs" }
}

variables {
  account               = "111122223333"
  region                = "us-east-1"
  availability_zones    = ["us-east-1a", "us-east-1b"]
  image_tag             = "1.2.3"
  postgres_certificates = "-----BEGIN CERTIFICATE-----"
  usajobs_user_agent    = "data@agency.example"
  alert_emails          = ["oncall@agency.example"]
  monthly_budget        = 500
  web = {
    certificate_arn = "arn:aws:acm:us-east-1:111122223333:certificate/1"
    names           = { console = "console.smelt.example", serving = "smelt.example" }
    from            = ["10.0.0.0/8"]
    operators       = ["smelt-operators", "ada@agency.example"]
    login = {
      issuer                 = "https://login.example"
      authorization_endpoint = "https://login.example/authorize"
      token_endpoint         = "https://login.example/token"
      user_info_endpoint     = "https://login.example/me"
      client_id              = "smelt-at-login"
      client_secret_name     = "smelt-login"
    }
  }
}

run "everything_by_default" {
  assert {
    condition     = output.bucket == "smelt-111122223333-us-east-1"
    error_message = "The bucket's name must be of this account and region: names are global."
  }

  assert {
    condition     = output.load_balancer.dns_name != null
    error_message = "Whoever has a certificate and a login has console and page."
  }
}

run "without_certificate_and_login_there_is_neither_console_nor_page" {
  command = plan

  variables {
    web = null
  }

  assert {
    condition     = output.load_balancer == null
    error_message = "A load balancer that nobody can log in to."
  }

  assert {
    condition     = keys(output.repositories) == ["extractor", "loader", "ops", "serving", "transformer"]
    error_message = "The image of serving is pushed before there is a service that wants it."
  }
}

run "an_account_is_twelve_digits" {
  command = plan

  variables {
    account = "my-account"
  }

  expect_failures = [var.account]
}

run "a_zone_of_another_region_is_refused" {
  command = plan

  variables {
    availability_zones = ["us-east-1a", "us-west-2b"]
  }

  expect_failures = [var.availability_zones]
}

run "datasets_of_the_owner" {
  variables {
    source_secrets     = ["WEATHER_TOKEN"]
    source_environment = { WEATHER_URL = "https://api.example.org" }
  }

  assert {
    condition     = toset(keys(output.source_secrets)) == toset(["SMELT_USAJOBS_API_KEY", "WEATHER_TOKEN"])
    error_message = "A secret that a contract names is one that can be put in."
  }
}
