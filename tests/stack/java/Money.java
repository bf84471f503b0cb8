// Asks Avro's own DecimalConversion whether the bytes that koine writes for an amount are that amount, exactly.
//
//   java Money FILE
//
// A line of FILE: the expected decimal, a tab, the 16 bytes of the Avro decimal(38,9) in hex, without their length.
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import org.apache.avro.Conversions;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;

public final class Money {
    public static void main(String[] args) throws Exception {
        LogicalTypes.Decimal type = LogicalTypes.decimal(38, 9);
        Schema schema = type.addToSchema(Schema.create(Schema.Type.BYTES));
        Conversions.DecimalConversion conversion = new Conversions.DecimalConversion();
        List<String> lines = Files.readAllLines(Path.of(args[0]));
        int wrong = 0;
        for (String line : lines) {
            String[] parts = line.split("\t", -1);
            byte[] bytes = HexFormat.of().parseHex(parts[1]);
            BigDecimal expected = new BigDecimal(parts[0]);
            BigDecimal read = conversion.fromBytes(ByteBuffer.wrap(bytes), schema, type);
            if (bytes.length != 16 || read.compareTo(expected) != 0) {
                System.out.printf("WRONG %s: %d bytes read as %s%n", parts[0], bytes.length, read.toPlainString());
                wrong++;
            }
        }
        System.out.printf("%d amounts, %d wrong%n", lines.size(), wrong);
        System.exit(wrong == 0 && !lines.isEmpty() ? 0 : 1);
    }
}
