import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import org.elasticsearch.common.ssl.SslConfiguration;
import org.elasticsearch.common.ssl.SslConfigurationKeys;
import org.elasticsearch.common.ssl.SslConfigurationLoader;

/**
 * Loads TLS settings by the code with which Elasticsearch loads them, and makes a context of them. Standard input has a line
 * "SETTING VALUE" for each, several for a list. Prints for each PREFIX the serial number of the certificate it would show, what it asks of
 * clients, how many CAs it trusts and whether a client who trusts these comes through; or what is wrong.
 * Usage: java -cp elasticsearch-ssl-config.jar:elasticsearch-core.jar ElasticsearchOracle.java FOLDER PREFIX…
 */
public final class ElasticsearchOracle {
    public static void main(String[] arguments) throws Exception {
        Map<String, List<String>> settings = new TreeMap<>();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split(" ", 2);
            settings.computeIfAbsent(parts[0], name -> new ArrayList<>()).add(parts[1]);
        }
        for (int index = 1; index < arguments.length; index += 1)
            System.out.println(judge(Path.of(arguments[0]), arguments[index], settings));
    }

    private static String judge(Path folder, String prefix, Map<String, List<String>> settings) {
        List<String> unknown = settings.keySet().stream()
            .filter(name -> name.startsWith(prefix) && !name.equals(prefix + "enabled"))
            .map(name -> name.substring(prefix.length()))
            .filter(name -> !SslConfigurationKeys.getStringKeys().contains(name) && !SslConfigurationKeys.getListKeys().contains(name))
            .toList();
        if (!unknown.isEmpty()) return prefix + " does not know " + unknown;
        try {
            SslConfiguration read = new Loader(prefix, settings).load(folder);
            SSLContext context = read.createSslContext();
            X509Certificate shown = read.keyConfig().getKeys().get(0).v2();
            return "%s serves %X, clients %s, verification %s, %d CA, %s".formatted(
                prefix, shown.getSerialNumber(), clients(read, settings.containsKey(prefix + SslConfigurationKeys.CLIENT_AUTH)), read.verificationMode(),
                read.trustConfig().getConfiguredCertificates().size(), connects(context) ? "connects" : "lets nobody in");
        } catch (Exception error) {
            return prefix + " " + error.getMessage();
        }
    }

    /** Both sides of a connection of TLS 1.3, each with the same settings. */
    private static boolean connects(SSLContext context) throws Exception {
        try (ServerSocket server = context.getServerSocketFactory().createServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Thread serving = new Thread(() -> {
                try (SSLSocket accepted = (SSLSocket) server.accept()) {
                    accepted.getOutputStream().write('.');
                } catch (IOException error) {
                    // The other side sees it end.
                }
            });
            serving.start();
            try (Socket client = context.getSocketFactory().createSocket(server.getInetAddress(), server.getLocalPort())) {
                return client.getInputStream().read() == '.';
            } catch (IOException refused) {
                return false;
            } finally {
                serving.join();
            }
        }
    }

    /** What is usual for a layer is not this loader's to know. */
    private static String clients(SslConfiguration read, boolean said) {
        return said ? read.clientAuth().name() : "as usual";
    }

    private static final class Loader extends SslConfigurationLoader {
        private final Map<String, List<String>> settings;

        Loader(String prefix, Map<String, List<String>> settings) {
            super(prefix);
            this.settings = settings;
        }

        @Override
        protected boolean hasSettings(String prefix) {
            return settings.keySet().stream().anyMatch(name -> name.startsWith(prefix));
        }

        @Override
        protected String getSettingAsString(String name) {
            List<String> values = settings.get(name);
            return values == null ? null : values.get(0);
        }

        @Override
        protected char[] getSecureSetting(String name) {
            return null;
        }

        @Override
        protected List<String> getSettingAsList(String name) {
            return settings.get(name);
        }
    }
}
