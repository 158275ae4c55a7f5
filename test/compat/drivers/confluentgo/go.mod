module github.com/milena-io/milena/test/compat/drivers/confluentgo

go 1.26.0

require github.com/confluentinc/confluent-kafka-go/v2 v2.11.1
