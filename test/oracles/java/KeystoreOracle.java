import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/**
 * What Java makes of every store of a folder, in one run of the virtual machine: one JSON object a line.
 * Usage: java KeystoreOracle.java DIRECTORY PASSWORD
 */
public final class KeystoreOracle {
    public static void main(String[] arguments) throws Exception {
        char[] password = arguments[1].toCharArray();
        try (Stream<Path> files = Files.list(Path.of(arguments[0])).sorted()) {
            for (Path file : (Iterable<Path>) files::iterator) System.out.println(describe(file, password));
        }
    }

    private static String describe(Path file, char[] password) {
        String name = file.getFileName().toString();
        try {
            KeyStore store = KeyStore.getInstance(name.endsWith(".jks") ? "JKS" : "PKCS12");
            try (var in = Files.newInputStream(file)) {
                store.load(in, password);
            }
            List<String> entries = new ArrayList<>();
            for (String alias : Collections.list(store.aliases())) entries.add(entry(store, alias, password));
            Collections.sort(entries);
            return "{\"file\":%s,\"size\":%d,\"entries\":[%s],\"anchors\":%d}"
                .formatted(quote(name), store.size(), String.join(",", entries), anchors(store));
        } catch (Exception error) {
            return "{\"file\":%s,\"error\":%s}".formatted(quote(name), quote(String.valueOf(error.getMessage())));
        }
    }

    private static String entry(KeyStore store, String alias, char[] password) {
        String kind = store(() -> store.isKeyEntry(alias)) ? "key" : store(() -> store.isCertificateEntry(alias)) ? "trusted" : "unreachable";
        StringBuilder json = new StringBuilder("{\"alias\":" + quote(alias) + ",\"kind\":" + quote(kind));
        try {
            Certificate[] chain = store.getCertificateChain(alias);
            json.append(",\"chain\":").append(chain == null ? 0 : chain.length);
            if (kind.equals("key")) {
                Key key = store.getKey(alias, password);
                json.append(",\"algorithm\":").append(quote(key == null ? "none" : key.getAlgorithm()));
                boolean fits = key != null && chain != null && fits(key, (X509Certificate) chain[0]);
                json.append(",\"fits\":").append(fits);
            }
        } catch (Exception error) {
            json.append(",\"error\":").append(quote(String.valueOf(error.getMessage())));
        }
        return json.append("}").toString();
    }

    /** Signs with the key and verifies with the certificate. */
    private static boolean fits(Key key, X509Certificate certificate) throws Exception {
        String type = key.getAlgorithm();
        String algorithm = type.equals("RSA") ? "SHA256withRSA" : type.equals("EC") ? "SHA256withECDSA" : "Ed25519";
        var signer = java.security.Signature.getInstance(algorithm);
        signer.initSign((java.security.PrivateKey) key);
        signer.update(new byte[] {1, 2, 3});
        byte[] signature = signer.sign();
        signer.initVerify(certificate.getPublicKey());
        signer.update(new byte[] {1, 2, 3});
        return signer.verify(signature);
    }

    private static int anchors(KeyStore store) {
        try {
            var factory = TrustManagerFactory.getInstance("PKIX");
            factory.init(store);
            int count = 0;
            for (TrustManager manager : factory.getTrustManagers())
                if (manager instanceof X509TrustManager trust) count += trust.getAcceptedIssuers().length;
            return count;
        } catch (Exception error) {
            return -1;
        }
    }

    private interface Question {
        boolean ask() throws Exception;
    }

    private static boolean store(Question question) {
        try {
            return question.ask();
        } catch (Exception error) {
            return false;
        }
    }

    private static String quote(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", " ") + "\"";
    }
}
