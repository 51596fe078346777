import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPathValidator;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Validates the chain of every folder with Java's PKIX CertPathValidator, and with its revocation lists where it has any: one
 * JSON object a line. Of the purposes and the host name, which are no matter of PKIX, it says nothing.
 * Usage: java PathOracle.java DIRECTORY
 */
public final class PathOracle {
    public static void main(String[] arguments) throws Exception {
        try (Stream<Path> folders = Files.list(Path.of(arguments[0])).sorted()) {
            for (Path folder : (Iterable<Path>) folders::iterator) System.out.println(judge(folder));
        }
    }

    private static String judge(Path folder) {
        String sample = folder.getFileName().toString();
        try {
            validate(folder);
            return "{\"sample\":%s,\"problems\":[]}".formatted(quote(sample));
        } catch (Exception error) {
            return "{\"sample\":%s,\"problems\":[%s]}".formatted(quote(sample), quote(String.valueOf(error.getMessage())));
        }
    }

    private static void validate(Path folder) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<Certificate> chain = new ArrayList<>();
        try (InputStream in = Files.newInputStream(folder.resolve("chain.pem"))) {
            chain.addAll(factory.generateCertificates(in));
        }
        X509Certificate root = (X509Certificate) chain.get(chain.size() - 1);
        // The anchor stands outside of the path; a root alone is its own path.
        List<Certificate> path = chain.size() == 1 ? chain : chain.subList(0, chain.size() - 1);
        // Name constraints of an anchor bind nobody here: Java takes them from those above it alone.
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        Path lists = folder.resolve("lists.pem");
        parameters.setRevocationEnabled(Files.exists(lists));
        if (Files.exists(lists)) {
            try (InputStream in = Files.newInputStream(lists)) {
                Collection<?> found = factory.generateCRLs(in);
                parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(found)));
            }
        }
        CertPathValidator.getInstance("PKIX").validate(factory.generateCertPath(path), parameters);
    }

    private static String quote(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray())
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < 0x20 || c > 0x7e) out.append("\\u%04x".formatted((int) c));
            else out.append(c);
        return out.append('"').toString();
    }
}
