package main

import (
	"fmt"
	"os"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func consume(bootstrap, topic, group string) error {
	consumer, err := kafka.NewConsumer(&kafka.ConfigMap{"bootstrap.servers": bootstrap, "group.id": group,
		"auto.offset.reset": "earliest", "enable.auto.commit": false, "session.timeout.ms": 6000,
		"heartbeat.interval.ms": 500})
	if err != nil {
		return err
	}
	if err := consumer.SubscribeTopics([]string{topic}, assigned); err != nil {
		return err
	}
	commands := make(chan string)
	go func() {
		for scan := input(); scan.Scan(); {
			commands <- scan.Text()
		}
		commands <- "stop"
	}()
	consumed := map[int32]kafka.Offset{}
	for {
		select {
		case command := <-commands:
			if command == "stop" {
				return consumer.Close()
			}
			commit(consumer, topic, consumed)
		default:
		}
		switch e := consumer.Poll(100).(type) {
		case *kafka.Message:
			consumed[e.TopicPartition.Partition] = e.TopicPartition.Offset + 1
			say(consumedEvent(e))
		case kafka.Error:
			fmt.Fprintln(os.Stderr, "confluentgo:", e)
		}
	}
}

func assigned(_ *kafka.Consumer, e kafka.Event) error {
	now := event{Event: "assigned", Partitions: []int32{}}
	if a, ok := e.(kafka.AssignedPartitions); ok {
		for _, p := range a.Partitions {
			now.Partitions = append(now.Partitions, p.Partition)
		}
	}
	say(now)
	return nil
}

func commit(consumer *kafka.Consumer, topic string, consumed map[int32]kafka.Offset) {
	var offsets []kafka.TopicPartition
	for p, o := range consumed {
		offsets = append(offsets, kafka.TopicPartition{Topic: &topic, Partition: p, Offset: o})
	}
	if _, err := consumer.CommitOffsets(offsets); err != nil {
		say(event{Event: "error", Error: "commit: " + err.Error()})
		return
	}
	say(event{Event: "committed"})
}

func consumedEvent(m *kafka.Message) event {
	e := event{Event: "record", record: record{Partition: m.TopicPartition.Partition,
		Offset: int64(m.TopicPartition.Offset), Timestamp: m.Timestamp.UnixMilli(), Key: m.Key, Value: m.Value}}
	for _, h := range m.Headers {
		e.Headers = append(e.Headers, header{Key: h.Key, Value: h.Value})
	}
	return e
}
