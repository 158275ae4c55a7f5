import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Drives Apache Kafka's own Java client for package driver, which describes the protocol. */
public final class Driver {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final PrintStream OUT = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    private Driver() { }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("produce")) {
            produce(args);
        } else {
            consume(args);
        }
    }

    /** What the driver sets, and over it what the command line sets. */
    private static Properties settings(String[] args, String... pairs) {
        Properties p = new Properties();
        for (int i = 0; i < pairs.length; i += 2) {
            p.put(pairs[i], pairs[i + 1]);
        }
        for (int i = 4; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);
            p.put(pair[0], pair[1]);
        }
        return p;
    }

    private static synchronized void say(ObjectNode event) {
        OUT.println(event);
        OUT.flush();
    }

    private static byte[] bytes(JsonNode node) {
        return node == null || node.isNull() ? null : Base64.getDecoder().decode(node.asText());
    }

    private static String text(byte[] data) {
        return data == null ? null : Base64.getEncoder().encodeToString(data);
    }

    private static void produce(String[] args) throws Exception {
        String topic = args[2];
        Properties p = settings(args, "bootstrap.servers", args[1], "compression.type", args[3], "acks", "all", "linger.ms", "5");
        LinkedBlockingQueue<List<Future<RecordMetadata>>> answers = new LinkedBlockingQueue<>();
        Thread acknowledging = new Thread(() -> acknowledge(answers));
        acknowledging.start();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (String line = IN.readLine(); line != null; line = IN.readLine()) {
                JsonNode r = JSON.readTree(line);
                List<Header> headers = new ArrayList<>();
                for (JsonNode h : r.path("headers")) {
                    headers.add(new RecordHeader(h.get("key").asText(), bytes(h.get("value"))));
                }
                answers.add(List.of(producer.send(new ProducerRecord<>(topic, r.get("partition").asInt(),
                    r.get("timestamp").asLong(), bytes(r.get("key")), bytes(r.get("value")), headers))));
            }
        }
        answers.add(List.of());
        acknowledging.join();
    }

    /** Says the answers in the order of the input; an empty list is the end. */
    private static void acknowledge(LinkedBlockingQueue<List<Future<RecordMetadata>>> answers) {
        try {
            for (List<Future<RecordMetadata>> next = answers.take(); !next.isEmpty(); next = answers.take()) {
                ObjectNode ack = JSON.createObjectNode();
                try {
                    RecordMetadata meta = next.get(0).get();
                    ack.put("partition", meta.partition()).put("offset", meta.offset());
                } catch (ExecutionException e) {
                    ack.put("error", String.valueOf(e.getCause()));
                }
                say(ack);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void consume(String[] args) {
        String topic = args[2];
        Properties p = settings(args, "bootstrap.servers", args[1], "group.id", args[3], "auto.offset.reset", "earliest",
            "enable.auto.commit", "false", "session.timeout.ms", "6000", "heartbeat.interval.ms", "500");
        ConcurrentLinkedQueue<String> commands = new ConcurrentLinkedQueue<>();
        Thread listening = new Thread(() -> listen(commands));
        listening.setDaemon(true);
        listening.start();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            TreeMap<Integer, Long> said = new TreeMap<>(); // one past it, of the partitions that are owned
            consumer.subscribe(List.of(topic), new Assignments(said));
            while (true) {
                String command = commands.poll();
                if ("stop".equals(command)) {
                    return;
                }
                if ("commit".equals(command)) {
                    consumer.commitSync();
                    say(JSON.createObjectNode().put("event", "committed"));
                } else if (command != null) {
                    commit(consumer, topic, said, command.substring("commit ".length()));
                }
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(100))) {
                    say(event(r));
                    said.put(r.partition(), r.offset() + 1);
                }
            }
        }
    }

    private static void commit(KafkaConsumer<byte[], byte[]> consumer, String topic, TreeMap<Integer, Long> said, String metadata) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        ObjectNode event = JSON.createObjectNode().put("event", "committing");
        ObjectNode told = event.putObject("offsets");
        said.forEach((partition, offset) -> {
            offsets.put(new TopicPartition(topic, partition), new OffsetAndMetadata(offset, metadata));
            told.put(String.valueOf(partition), offset);
        });
        say(event);
        try {
            consumer.commitSync(offsets);
            say(JSON.createObjectNode().put("event", "committed"));
        } catch (KafkaException e) {
            say(JSON.createObjectNode().put("event", "error").put("error", "commit: " + e));
        }
    }

    private static void listen(ConcurrentLinkedQueue<String> commands) {
        try {
            for (String line = IN.readLine(); line != null; line = IN.readLine()) {
                commands.add(line);
            }
        } catch (java.io.IOException e) {
            System.err.println(e);
        }
        commands.add("stop");
    }

    private static ObjectNode event(ConsumerRecord<byte[], byte[]> r) {
        ObjectNode e = JSON.createObjectNode().put("event", "record").put("partition", r.partition())
            .put("offset", r.offset()).put("timestamp", r.timestamp()).put("key", text(r.key())).put("value", text(r.value()));
        ArrayNode headers = e.putArray("headers");
        for (Header h : r.headers()) {
            headers.addObject().put("key", h.key()).put("value", text(h.value()));
        }
        return e;
    }

    private static final class Assignments implements ConsumerRebalanceListener {
        private final TreeSet<Integer> owned = new TreeSet<>();
        private final TreeMap<Integer, Long> said;

        Assignments(TreeMap<Integer, Long> said) {
            this.said = said;
        }

        private void sayOwned() {
            ObjectNode e = JSON.createObjectNode().put("event", "assigned");
            ArrayNode all = e.putArray("partitions");
            owned.forEach(all::add);
            say(e);
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            partitions.forEach(p -> owned.add(p.partition()));
            sayOwned();
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            partitions.forEach(p -> owned.remove(p.partition()));
            partitions.forEach(p -> said.remove(p.partition())); // who owns it next goes on from what is committed
            sayOwned();
        }
    }
}
