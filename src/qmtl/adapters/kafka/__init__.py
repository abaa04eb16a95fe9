"""The transactional log on Apache Kafka (SEMANTICS C3-C6, C9), through confluent-kafka."""
