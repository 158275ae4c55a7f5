package main

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func produce(bootstrap, topic, codec string) error {
	producer, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": bootstrap, "compression.type": codec,
		"enable.idempotence": true, "linger.ms": 5, "go.logs.channel.enable": false})
	if err != nil {
		return err
	}
	defer producer.Close()
	go func() { // errors of the connection are told here too and are no answers to a record
		for range producer.Events() {
		}
	}()
	answers := make(chan chan kafka.Event, 1<<16) // one per record, so that acks leave in the order of the input
	var writer sync.WaitGroup
	writer.Go(func() {
		for answer := range answers {
			m := (<-answer).(*kafka.Message)
			a := ack{Partition: m.TopicPartition.Partition, Offset: int64(m.TopicPartition.Offset)}
			if m.TopicPartition.Error != nil {
				a.Error = m.TopicPartition.Error.Error()
			}
			say(a)
		}
	})
	for scan := input(); scan.Scan(); {
		var r record
		if err := json.Unmarshal(scan.Bytes(), &r); err != nil {
			return err
		}
		m := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: r.Partition},
			Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp)}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
		answer := make(chan kafka.Event, 1)
		if err := producer.Produce(m, answer); err != nil {
			return fmt.Errorf("produce: %w", err)
		}
		answers <- answer
	}
	close(answers)
	writer.Wait()
	return nil
}
