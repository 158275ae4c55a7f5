import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.SynchronousQueue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Apache Kafka's command-line tools one after the other in one JVM, since starting one costs more than the tool: a line of JSON in,
 * {"class": ..., "args": [...]}, a line out, {"status": ..., "out": ...}, with what it printed on both streams, in order.
 */
public final class Tools {
    private Tools() { }

    public static void main(String[] none) throws Exception {
        ObjectMapper json = new ObjectMapper();
        PrintStream answers = System.out;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        // One stream for good: what is written in Scala keeps the one it sees first.
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream out = new PrintStream((OutputStream) bytes, true, StandardCharsets.UTF_8);
        System.setOut(out);
        System.setErr(out);
        for (String line; (line = in.readLine()) != null; ) {
            JsonNode todo = json.readTree(line);
            String[] args = new String[todo.get("args").size()];
            for (int i = 0; i < args.length; i++) {
                args[i] = todo.get("args").get(i).asText();
            }
            bytes.reset();
            int status = run(todo.get("class").asText(), args, out);
            ObjectNode answer = json.createObjectNode();
            answer.put("status", status);
            answer.put("out", bytes.toString(StandardCharsets.UTF_8));
            answers.println(json.writeValueAsString(answer));
            answers.flush();
        }
        System.exit(0);
    }

    /** A tool that exits does nothing more, so its thread waits for ever, as if the process were gone. */
    private static int run(String name, String[] args, PrintStream out) throws InterruptedException {
        SynchronousQueue<Integer> ended = new SynchronousQueue<>();
        Exit.Procedure exit = (status, message) -> {
            try {
                if (message != null) {
                    out.println(message);
                }
                ended.put(status);
                new CountDownLatch(1).await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        Thread tool = new Thread(() -> {
            try {
                Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) args);
                exit.execute(0, null);
            } catch (InvocationTargetException e) {
                e.getCause().printStackTrace(out);
                exit.execute(1, null);
            } catch (ReflectiveOperationException e) {
                e.printStackTrace(out);
                exit.execute(127, null);
            }
        }, "tool");
        tool.setDaemon(true);
        tool.start();
        return ended.take();
    }
}
