import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigResolveOptions;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/**
 * Reads configuration as Java programs do: java.util.Properties, SnakeYAML (Cassandra, Elasticsearch) and the Config library of the
 * drivers of Cassandra. Standard input has a line "FORMAT BASE64" for each text; a line of JSON is printed for each.
 */
public final class FormatOracle {
    public static void main(String[] arguments) throws Exception {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split(" ", 2);
            String text = new String(Base64.getDecoder().decode(parts.length > 1 ? parts[1] : ""), StandardCharsets.UTF_8);
            System.out.write((read(parts[0], text) + "\n").getBytes(StandardCharsets.UTF_8));
        }
        System.out.flush();
    }

    private static String read(String format, String text) throws Exception {
        try {
            return switch (format) {
                case "properties" -> json(properties(text));
                case "yaml" -> json(new Yaml(new SafeConstructor(new LoaderOptions())).load(text));
                case "hocon" -> hocon(text);
                default -> throw new IllegalArgumentException(format);
            };
        } catch (RuntimeException error) {
            return json(Map.of("error", String.valueOf(error.getMessage())));
        }
    }

    private static Map<String, String> properties(String text) throws Exception {
        Properties read = new Properties();
        read.load(new StringReader(text));
        Map<String, String> sorted = new TreeMap<>();
        read.stringPropertyNames().forEach(name -> sorted.put(name, read.getProperty(name)));
        return sorted;
    }

    private static String hocon(String text) {
        return ConfigFactory.parseString(text)
            .resolve(ConfigResolveOptions.defaults().setAllowUnresolved(true))
            .root()
            .render(ConfigRenderOptions.concise());
    }

    private static String json(Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) return String.valueOf(value);
        if (value instanceof Map<?, ?> map)
            return map.entrySet().stream()
                .map(entry -> json(String.valueOf(entry.getKey())) + ":" + json(entry.getValue()))
                .collect(Collectors.joining(",", "{", "}"));
        if (value instanceof Iterable<?> list) {
            StringBuilder items = new StringBuilder();
            for (Object item : list) items.append(items.isEmpty() ? "" : ",").append(json(item));
            return "[" + items + "]";
        }
        return quoted(String.valueOf(value));
    }

    private static String quoted(String text) {
        return text.chars()
            .mapToObj(unit -> unit < ' ' || unit == '"' || unit == '\\' || unit > '~' ? "\\u%04x".formatted(unit) : String.valueOf((char) unit))
            .collect(Collectors.joining("", "\"", "\""));
    }
}
