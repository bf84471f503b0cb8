// Reads topics read_committed to their end, decodes every value with Avro's own GenericDatumReader under the writer schema
// that the registry has for its id, and prints one JSON line a record. The outside opinion on what koine has written.
//
//   java ReadAll BROKERS REGISTRY TOPIC...
//
// A line: {topic, partition, offset, timestamp, key, murmur2_partition, schema_id, json}. `murmur2_partition` is where Java's
// default partitioner puts that key. `json` is plain: no union wrappers, decimals as shortest exact strings, timestamps as
// RFC 3339 UTC, dates as YYYY-MM-DD, other bytes as hex.
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.avro.Conversions;
import org.apache.avro.LogicalType;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.IndexedRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.utils.Utils;

public final class ReadAll {
    private static final Duration LIMIT = Duration.ofSeconds(120);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Conversions.DecimalConversion DECIMAL = new Conversions.DecimalConversion();
    private static final DateTimeFormatter RFC3339 = new DateTimeFormatterBuilder()
            .appendPattern("uuuu-MM-dd'T'HH:mm:ss").appendFraction(ChronoField.NANO_OF_SECOND, 0, 9, true)
            .appendLiteral('Z').toFormatter().withZone(ZoneOffset.UTC);

    private final HttpClient http = HttpClient.newHttpClient();
    private final Map<Integer, GenericDatumReader<Object>> readers = new HashMap<>();
    private final String registry;

    private ReadAll(String registry) {
        this.registry = registry;
    }

    public static void main(String[] args) throws Exception {
        ReadAll self = new ReadAll(args[1]);
        PrintStream out = new PrintStream(new BufferedOutputStream(System.out), false, StandardCharsets.UTF_8);
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            Map<String, Integer> partitions = new HashMap<>();
            List<TopicPartition> all = new ArrayList<>();
            for (String topic : Arrays.asList(args).subList(2, args.length)) {
                consumer.partitionsFor(topic).forEach(p -> all.add(new TopicPartition(p.topic(), p.partition())));
                partitions.put(topic, consumer.partitionsFor(topic).size());
            }
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            Instant deadline = Instant.now().plus(LIMIT);
            while (ends.entrySet().stream().anyMatch(e -> consumer.position(e.getKey()) < e.getValue())) {
                if (Instant.now().isAfter(deadline)) {
                    throw new IllegalStateException("not at the end of " + ends + " after " + LIMIT);
                }
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    out.println(JSON.writeValueAsString(self.line(record, partitions.get(record.topic()))));
                }
            }
        }
        out.flush();
    }

    private Map<String, Object> line(ConsumerRecord<byte[], byte[]> record, int partitions) throws Exception {
        ByteBuffer frame = ByteBuffer.wrap(record.value());
        if (frame.get() != 0) {
            throw new IllegalStateException("not Confluent wire format: " + record.topic() + "@" + record.offset());
        }
        int id = frame.getInt();
        GenericDatumReader<Object> reader = reader(id);
        BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(record.value(), 5, record.value().length - 5, null);
        Object datum = reader.read(null, decoder);
        if (!decoder.isEnd()) {
            throw new IllegalStateException("bytes after the Avro datum: " + record.topic() + "@" + record.offset());
        }
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("topic", record.topic());
        line.put("partition", record.partition());
        line.put("offset", record.offset());
        line.put("timestamp", record.timestamp());
        line.put("key", new String(record.key(), StandardCharsets.UTF_8));
        line.put("murmur2_partition", Utils.toPositive(Utils.murmur2(record.key())) % partitions);
        line.put("schema_id", id);
        line.put("json", plain(reader.getSchema(), datum));
        return line;
    }

    private GenericDatumReader<Object> reader(int id) throws Exception {
        GenericDatumReader<Object> reader = readers.get(id);
        if (reader == null) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id)).timeout(LIMIT).build();
            HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
            if (answer.statusCode() != 200) {
                throw new IllegalStateException("schema " + id + ": HTTP " + answer.statusCode());
            }
            reader = new GenericDatumReader<>(new Schema.Parser().parse(JSON.readTree(answer.body()).get("schema").asText()));
            readers.put(id, reader);
        }
        return reader;
    }

    private static Object plain(Schema schema, Object datum) {
        if (datum == null) {
            return null;
        }
        LogicalType logical = schema.getLogicalType();
        switch (schema.getType()) {
            case UNION:
                return plain(schema.getTypes().get(GenericData.get().resolveUnion(schema, datum)), datum);
            case RECORD: {
                Map<String, Object> fields = new LinkedHashMap<>();
                for (Schema.Field field : schema.getFields()) {
                    fields.put(field.name(), plain(field.schema(), ((IndexedRecord) datum).get(field.pos())));
                }
                return fields;
            }
            case ARRAY: {
                List<Object> items = new ArrayList<>();
                for (Object item : (Collection<?>) datum) {
                    items.add(plain(schema.getElementType(), item));
                }
                return items;
            }
            case MAP: {
                Map<String, Object> entries = new TreeMap<>();
                for (Map.Entry<?, ?> entry : ((Map<?, ?>) datum).entrySet()) {
                    entries.put(entry.getKey().toString(), plain(schema.getValueType(), entry.getValue()));
                }
                return entries;
            }
            case BYTES:
                return logical instanceof LogicalTypes.Decimal
                        ? shortest(DECIMAL.fromBytes((ByteBuffer) datum, schema, logical))
                        : hex((ByteBuffer) datum);
            case FIXED:
                return logical instanceof LogicalTypes.Decimal
                        ? shortest(DECIMAL.fromFixed((GenericFixed) datum, schema, logical))
                        : HexFormat.of().formatHex(((GenericFixed) datum).bytes());
            case LONG:
                return logical instanceof LogicalTypes.TimestampMicros ? rfc3339((Long) datum, ChronoUnit.MICROS)
                        : logical instanceof LogicalTypes.TimestampMillis ? rfc3339((Long) datum, ChronoUnit.MILLIS) : datum;
            case INT:
                return logical instanceof LogicalTypes.Date ? LocalDate.ofEpochDay((Integer) datum).toString() : datum;
            case STRING:
            case ENUM:
                return datum.toString();
            default:
                return datum;
        }
    }

    private static String shortest(BigDecimal value) {
        return value.signum() == 0 ? "0" : value.stripTrailingZeros().toPlainString();
    }

    private static String rfc3339(long value, ChronoUnit unit) {
        return RFC3339.format(Instant.EPOCH.plus(value, unit));
    }

    private static String hex(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return HexFormat.of().formatHex(bytes);
    }
}
