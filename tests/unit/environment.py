"""A worker's environment without secrets, for tests of settings."""

WORKER = {
    "SMELT_BUCKET": "lake",
    "SMELT_EXTRACT_QUEUE_URL": "https://sqs.test/1/smelt-extract",
    "SMELT_BRONZE_QUEUE_URL": "https://sqs.test/1/smelt-bronze",
    "SMELT_UPLOADS_QUEUE_URL": "https://sqs.test/1/smelt-uploads",
    "SMELT_SILVER_QUEUE_URL": "https://sqs.test/1/smelt-silver",
}
