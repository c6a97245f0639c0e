output "bucket" {
  description = "The bucket's name and ARN."
  value       = { name = var.bucket_name, arn = local.bucket_arn }
}

output "queues" {
  description = "{service: its queue}. ARNs are made of names and so known before anything exists."
  value = {
    for service, queue in local.queues : service => {
      name             = queue.name
      module           = queue.module
      url              = aws_sqs_queue.work[service].url
      arn              = local.arns[service]
      dead_letter_name = queue.dead_letter_name
      dead_letter_arn  = local.dead[service]
    }
  }
}
