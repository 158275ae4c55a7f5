import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Writes a record every 5 ms with the client's own defaults, and says how long the longest waited: package gap. */
public final class Gap {
    private Gap() { }

    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("key.serializer", ByteArraySerializer.class.getName());
        config.put("value.serializer", ByteArraySerializer.class.getName());
        AtomicLong worst = new AtomicLong();
        AtomicLong failed = new AtomicLong();
        AtomicLong acked = new AtomicLong();
        KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(config);
        Thread writer = new Thread(() -> {
            for (long due = System.nanoTime(); !Thread.interrupted(); due += 5_000_000) {
                LockSupport.parkNanos(due - System.nanoTime());
                long from = due;
                producer.send(new ProducerRecord<>(args[1], new byte[16]), (metadata, problem) -> {
                    if (problem != null) {
                        failed.incrementAndGet();
                    } else {
                        acked.incrementAndGet();
                        worst.accumulateAndGet(System.nanoTime() - from, Math::max);
                    }
                });
            }
        });
        writer.setDaemon(true);
        writer.start();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            System.out.println(worst.getAndSet(0) / 1e6 + " " + failed.get() + " " + acked.get());
        }
        System.exit(0);
    }
}
