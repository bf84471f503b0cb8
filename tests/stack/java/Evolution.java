// Asks Avro's reference implementation whether every released version of a canonical schema and today's can read one another.
//
//   java Evolution HISTORY EXPORTED
//
// HISTORY holds <topic>/N.avsc, every version ever released; EXPORTED holds <topic>.avsc, what `koine schemas export`
// wrote. Every pair must be compatible in both directions (FULL_TRANSITIVE). A schema without
// history, and history without a schema, are errors: then nothing would have been compared.
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaCompatibility.SchemaCompatibilityType;

public final class Evolution {
    public static void main(String[] args) throws IOException {
        Path history = Path.of(args[0]);
        Path exported = Path.of(args[1]);
        Set<String> topics = new TreeSet<>();
        try (Stream<Path> files = Files.list(exported)) {
            files.map(f -> f.getFileName().toString()).filter(f -> f.endsWith(".avsc"))
                    .forEach(f -> topics.add(f.substring(0, f.length() - ".avsc".length())));
        }
        try (Stream<Path> directories = Files.list(history)) {
            directories.filter(Files::isDirectory).forEach(d -> topics.add(d.getFileName().toString()));
        }
        int pairs = 0;
        int wrong = 0;
        for (String topic : topics) {
            Map<String, Schema> versions = new TreeMap<>();
            if (Files.isDirectory(history.resolve(topic))) {
                try (Stream<Path> files = Files.list(history.resolve(topic))) {
                    for (Path file : files.filter(f -> f.toString().endsWith(".avsc")).toList()) {
                        versions.put(file.getFileName().toString(), parse(file));
                    }
                }
            }
            Path today = exported.resolve(topic + ".avsc");
            if (versions.isEmpty() || !Files.exists(today)) {
                System.out.printf("%s: %s%n", topic, versions.isEmpty() ? "no history" : "in the history, but not exported");
                wrong++;
                continue;
            }
            versions.put("today", parse(today));
            for (Map.Entry<String, Schema> reader : versions.entrySet()) {
                for (Map.Entry<String, Schema> writer : versions.entrySet()) {
                    if (reader.getKey().equals(writer.getKey())) {
                        continue;
                    }
                    var verdict = SchemaCompatibility.checkReaderWriterCompatibility(reader.getValue(), writer.getValue());
                    boolean good = verdict.getType() == SchemaCompatibilityType.COMPATIBLE;
                    pairs++;
                    wrong += good ? 0 : 1;
                    System.out.printf("%s: %s reads %s: %s%n", topic, reader.getKey(), writer.getKey(),
                            good ? "compatible" : "INCOMPATIBLE " + verdict.getResult().getIncompatibilities());
                }
            }
        }
        System.out.printf("%d topics, %d directed pairs, %d wrong%n", topics.size(), pairs, wrong);
        System.exit(wrong == 0 && pairs > 0 ? 0 : 1);
    }

    private static Schema parse(Path file) throws IOException {
        return new Schema.Parser().parse(file.toFile());
    }
}
