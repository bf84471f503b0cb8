// Asks Avro's reference implementation about every row of the table of schema mutations: does it say of the two schemas what
// the table expects of it?
//
//   java Mutations FILE
//
// FILE is what `cargo test --test schema_rules` leaves at KOINE_SCHEMA_MUTATIONS: [{name, topic, old, new, ours, java}], `java`
// being one of "compatible" (in both directions), "incompatible" and "invalid" (the parser refuses one of the two), `ours` the
// findings of our own rules. What Java refuses, we must refuse too; beyond that our rules refuse what Java does not see.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaCompatibility.SchemaCompatibilityType;

public final class Mutations {
    public static void main(String[] args) throws IOException {
        int wrong = 0;
        Map<String, Integer> counts = new TreeMap<>();
        JsonNode rows = new ObjectMapper().readTree(new File(args[0]));
        for (JsonNode row : rows) {
            String says = verdict(row.get("old").asText(), row.get("new").asText());
            boolean weRefuse = !row.get("ours").isEmpty();
            counts.merge(says + (weRefuse ? ", we refuse" : ", we allow"), 1, Integer::sum);
            if (!says.equals(row.get("java").asText())) {
                System.out.printf("WRONG %s: Java says %s, the table %s%n", row.get("name").asText(), says, row.get("java").asText());
                wrong++;
            } else if (!says.equals("compatible") && !weRefuse) {
                System.out.printf("WRONG %s: Java says %s, and we allow it%n", row.get("name").asText(), says);
                wrong++;
            }
        }
        System.out.printf("%d mutations, %d wrong; Java says %s%n", rows.size(), wrong, counts);
        System.exit(wrong == 0 && rows.size() >= 40 ? 0 : 1);
    }

    private static String verdict(String older, String newer) {
        Schema one;
        Schema other;
        try {
            one = new Schema.Parser().parse(older);
            other = new Schema.Parser().parse(newer);
        } catch (AvroRuntimeException refused) {
            return "invalid";
        }
        return reads(one, other) && reads(other, one) ? "compatible" : "incompatible";
    }

    private static boolean reads(Schema reader, Schema writer) {
        return SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getType() == SchemaCompatibilityType.COMPATIBLE;
    }
}
