import com.datastax.oss.driver.api.core.AllNodesFailedException;
import com.datastax.oss.driver.api.core.CqlSession;
import java.net.InetSocketAddress;

/** Cql HOST PORT USER PASSWORD STATEMENT: the first column of the first row, by the driver as its application.conf has it. */
public class Cql {
  public static void main(String[] arguments) {
    var address = new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1]));
    var builder = CqlSession.builder().addContactPoint(address).withLocalDatacenter("datacenter1");
    try (var session = builder.withAuthCredentials(arguments[2], arguments[3]).build()) {
      System.out.println(session.execute(arguments[4]).one().getObject(0));
    } catch (AllNodesFailedException failure) {
      failure.getAllErrors().values().forEach(errors -> errors.forEach(Cql::explain));
      System.exit(1);
    }
  }

  private static void explain(Throwable error) {
    for (var cause = error; cause != null; cause = cause.getCause()) System.out.println(cause);
  }
}
