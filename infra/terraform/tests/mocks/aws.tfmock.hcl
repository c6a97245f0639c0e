# What the mock answers where the provider checks the form of a value. All instances of a resource get the same.

mock_resource "aws_kms_key" {
  defaults = { arn = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555" }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::111122223333:role/mocked" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:us-east-1:111122223333:log-group:/smelt/mocked" }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:us-east-1:111122223333:smelt-alerts" }
}

mock_resource "aws_ecs_cluster" {
  defaults = { arn = "arn:aws:ecs:us-east-1:111122223333:cluster/smelt" }
}

mock_resource "aws_ecs_service" {
  defaults = { id = "arn:aws:ecs:us-east-1:111122223333:service/smelt/mocked" }
}

mock_resource "aws_ecs_task_definition" {
  defaults = { arn = "arn:aws:ecs:us-east-1:111122223333:task-definition/smelt-mocked:1" }
}

mock_resource "aws_ecr_repository" {
  defaults = {
    arn            = "arn:aws:ecr:us-east-1:111122223333:repository/smelt/mocked"
    repository_url = "111122223333.dkr.ecr.us-east-1.amazonaws.com/smelt/mocked"
  }
}

mock_resource "aws_sfn_state_machine" {
  defaults = { arn = "arn:aws:states:us-east-1:111122223333:stateMachine:smelt-roll" }
}

mock_resource "aws_appautoscaling_policy" {
  defaults = { arn = "arn:aws:autoscaling:us-east-1:111122223333:scalingPolicy:mocked" }
}

mock_resource "aws_scheduler_schedule_group" {
  defaults = { arn = "arn:aws:scheduler:us-east-1:111122223333:schedule-group/smelt" }
}

mock_resource "aws_secretsmanager_secret" {
  defaults = { arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:smelt/mocked" }
}

mock_resource "aws_db_instance" {
  defaults = {
    address            = "smelt.mocked.us-east-1.rds.amazonaws.com"
    master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:us-east-1:111122223333:secret:rds!db-mocked" }]
  }
}

mock_resource "aws_sqs_queue" {
  defaults = { url = "https://sqs.us-east-1.amazonaws.com/111122223333/mocked" }
}

mock_data "aws_secretsmanager_secret_version" {
  defaults = { secret_string = "MockedTokenOfSixtyFourCharacters" }
}

mock_resource "aws_db_proxy_default_target_group" {
  defaults = { name = "default" }
}

mock_resource "aws_lb" {
  defaults = {
    arn        = "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/app/smelt/1111111111111111"
    arn_suffix = "app/smelt/1111111111111111"
    dns_name   = "internal-smelt-1111111111.us-east-1.elb.amazonaws.com"
  }
}

mock_resource "aws_lb_listener" {
  defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:111122223333:listener/app/smelt/1111111111111111/2222222222222222" }
}

mock_resource "aws_lb_target_group" {
  defaults = {
    arn        = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/smelt-mocked/3333333333333333"
    arn_suffix = "targetgroup/smelt-mocked/3333333333333333"
  }
}
