package bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;

/** Kafka Streams as a peer of bench/run: Peer at_least_once|exactly_once_v2 THREADS. Jackson trees to GenericRecords, as commonly written. */
public final class Peer {
  static final Map<String, String> STATES = Map.of("cart", "CART", "address", "ADDRESS", "delivery", "DELIVERY", "payment",
      "PAYMENT", "confirm", "CONFIRM", "complete", "COMPLETE", "canceled", "CANCELED", "returned", "RETURNED");

  static String env(String k) {
    String v = System.getenv(k);
    if (v == null) throw new IllegalStateException(k + " not set");
    return v;
  }

  /** One per stream thread. */
  static final class Xlate {
    final Schema order, customer, address, item, option, shipment, payment, state;
    final GenericDatumWriter<GenericRecord> writer;
    final ByteArrayOutputStream out = new ByteArrayOutputStream(8192);
    final byte[] header;
    final ObjectMapper json = new ObjectMapper();
    BinaryEncoder enc;

    Xlate(Schema s, int id) {
      order = s;
      state = f(s, "state");
      customer = f(s, "customer");
      address = f(s, "billing_address").getTypes().get(1);
      item = f(s, "line_items").getElementType();
      option = f(item, "options").getElementType();
      shipment = f(s, "shipments").getElementType();
      payment = f(s, "payments").getElementType();
      writer = new GenericDatumWriter<>(s);
      header = ByteBuffer.allocate(5).put((byte) 0).putInt(id).array();
    }

    static Schema f(Schema s, String n) {
      return s.getField(n).schema();
    }

    static String s(JsonNode n, String k) {
      JsonNode v = n.get(k);
      if (v == null || !v.isTextual()) throw new IllegalArgumentException(k);
      return v.textValue();
    }

    static String o(JsonNode n, String k) {
      if (n == null) return null;
      JsonNode v = n.get(k);
      return v == null || v.isNull() ? null : v.textValue();
    }

    static ByteBuffer dec(String s) {
      return ByteBuffer.wrap(new BigDecimal(s).setScale(4, RoundingMode.UNNECESSARY).unscaledValue().toByteArray());
    }

    static ByteBuffer d(JsonNode n, String k) {
      return dec(s(n, k));
    }

    static ByteBuffer od(JsonNode n, String k) {
      String v = o(n, k);
      return v == null ? null : dec(v);
    }

    static long t(JsonNode n, String k) {
      return Instant.parse(s(n, k)).toEpochMilli();
    }

    static Long ot(JsonNode n, String k) {
      String v = o(n, k);
      return v == null ? null : (Long) Instant.parse(v).toEpochMilli();
    }

    GenericRecord addr(JsonNode a) {
      if (a == null || a.isNull()) return null;
      GenericRecord r = new GenericData.Record(address);
      r.put(0, s(a, "id"));
      r.put(1, o(a, "first_name"));
      r.put(2, o(a, "last_name"));
      r.put(3, o(a, "company"));
      r.put(4, o(a, "address1"));
      r.put(5, o(a, "address2"));
      r.put(6, o(a, "city"));
      r.put(7, o(a, "state_abbr"));
      r.put(8, o(a, "postal_code"));
      r.put(9, s(a, "country_iso"));
      r.put(10, o(a, "phone"));
      return r;
    }

    byte[] run(byte[] in) {
      try {
        JsonNode e = json.readTree(in);
        JsonNode r = e.get("data"), b = r.get("bill_address");
        GenericRecord g = new GenericData.Record(order);
        int i = 0;
        g.put(i++, s(e, "id"));
        g.put(i++, s(e, "name"));
        g.put(i++, "spree");
        g.put(i++, o(e.get("metadata"), "spree_version"));
        g.put(i++, t(e, "created_at"));
        g.put(i++, s(r, "id"));
        g.put(i++, s(r, "number"));
        g.put(i++, new GenericData.EnumSymbol(state, STATES.getOrDefault(s(r, "state"), "UNKNOWN")));
        g.put(i++, o(r, "shipment_state"));
        g.put(i++, o(r, "payment_state"));
        g.put(i++, s(r, "currency"));
        g.put(i++, r.get("item_count").intValue());
        g.put(i++, d(r, "item_total"));
        g.put(i++, d(r, "ship_total"));
        g.put(i++, d(r, "adjustment_total"));
        g.put(i++, d(r, "promo_total"));
        g.put(i++, d(r, "tax_total"));
        g.put(i++, d(r, "total"));
        g.put(i++, t(r, "created_at"));
        g.put(i++, t(r, "updated_at"));
        g.put(i++, ot(r, "completed_at"));
        g.put(i++, o(r, "special_instructions"));
        List<String> promos = new ArrayList<>();
        for (JsonNode p : r.get("promotions")) {
          String c = o(p, "code");
          if (c != null) promos.add(c);
        }
        g.put(i++, promos);
        GenericRecord c = new GenericData.Record(customer);
        c.put(0, o(r, "email"));
        c.put(1, o(b, "first_name"));
        c.put(2, o(b, "last_name"));
        c.put(3, o(b, "phone"));
        g.put(i++, c);
        g.put(i++, addr(b));
        g.put(i++, addr(r.get("ship_address")));
        List<GenericRecord> items = new ArrayList<>();
        for (JsonNode x : r.get("items")) {
          GenericRecord y = new GenericData.Record(item);
          y.put(0, s(x, "id"));
          y.put(1, s(x, "variant_id"));
          y.put(2, s(x, "name"));
          y.put(3, o(x, "slug"));
          y.put(4, o(x, "options_text"));
          y.put(5, x.get("quantity").intValue());
          y.put(6, d(x, "price"));
          y.put(7, d(x, "total"));
          y.put(8, d(x, "promo_total"));
          y.put(9, d(x, "additional_tax_total"));
          y.put(10, od(x, "compare_at_amount"));
          y.put(11, o(x, "thumbnail_url"));
          List<GenericRecord> opts = new ArrayList<>();
          for (JsonNode v : x.get("option_values")) {
            GenericRecord w = new GenericData.Record(option);
            w.put(0, s(v, "name"));
            w.put(1, s(v, "presentation"));
            opts.add(w);
          }
          y.put(12, opts);
          items.add(y);
        }
        g.put(i++, items);
        List<GenericRecord> ships = new ArrayList<>();
        for (JsonNode x : r.get("shipments")) {
          GenericRecord y = new GenericData.Record(shipment);
          y.put(0, s(x, "id"));
          y.put(1, s(x, "number"));
          y.put(2, s(x, "state"));
          y.put(3, o(x, "tracking"));
          y.put(4, o(x, "tracking_url"));
          y.put(5, d(x, "cost"));
          y.put(6, ot(x, "shipped_at"));
          y.put(7, o(x.get("shipping_method"), "name"));
          y.put(8, o(x.get("stock_location"), "id"));
          ships.add(y);
        }
        g.put(i++, ships);
        List<GenericRecord> pays = new ArrayList<>();
        for (JsonNode x : r.get("payments")) {
          GenericRecord y = new GenericData.Record(payment);
          y.put(0, s(x, "id"));
          y.put(1, s(x, "number"));
          y.put(2, s(x, "state"));
          y.put(3, d(x, "amount"));
          y.put(4, o(x, "response_code"));
          y.put(5, s(x, "payment_method_id"));
          y.put(6, o(x.get("payment_method"), "name"));
          y.put(7, o(x, "source_type"));
          y.put(8, o(x.get("source"), "brand"));
          y.put(9, o(x.get("source"), "last4"));
          y.put(10, t(x, "created_at"));
          pays.add(y);
        }
        g.put(i, pays);
        out.reset();
        out.write(header, 0, 5);
        enc = EncoderFactory.get().binaryEncoder(out, enc);
        writer.write(g, enc);
        enc.flush();
        return out.toByteArray();
      } catch (java.io.IOException x) {
        throw new RuntimeException(x);
      }
    }
  }

  public static void main(String[] a) throws Exception {
    Schema schema = new Schema.Parser().parse(Files.readString(Path.of(env("BENCH_SCHEMA"))));
    int id = Integer.parseInt(env("BENCH_SCHEMA_ID"));
    long want = Long.parseLong(env("BENCH_COUNT"));
    boolean eos = a[0].equals("exactly_once_v2");
    Properties p = new Properties();
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, env("BENCH_GROUP"));
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, env("BENCH_BROKERS"));
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, a[0]);
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, a[1]);
    p.put(StreamsConfig.STATE_DIR_CONFIG, env("BENCH_STATE"));
    p.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    p.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    if (!eos) p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "1000");
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), "50");
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), "262144");
    p.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");
    ThreadLocal<Xlate> x = ThreadLocal.withInitial(() -> new Xlate(schema, id));
    AtomicLong n = new AtomicLong();
    CountDownLatch done = new CountDownLatch(1);
    StreamsBuilder sb = new StreamsBuilder();
    sb.stream(env("BENCH_IN"), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .mapValues(v -> {
          byte[] r = x.get().run(v);
          if (n.incrementAndGet() == want) done.countDown();
          return r;
        })
        .to(env("BENCH_OUT"), Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
    KafkaStreams ks = new KafkaStreams(sb.build(), p);
    ks.start();
    done.await();
    ks.close(java.time.Duration.ofSeconds(60)); // flushes and commits
  }
}
