import java.io.BufferedReader;
import java.io.FileReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.yaml.snakeyaml.Yaml;

/**
 * Connects as an application does that is given a file of settings. Each line of standard input is the path of a file and
 * settings that are added to it or take its place, separated by tabs: FILE, NAME=VALUE, ... Each line of standard output is
 * what came of it, separated by tabs: "connected", driver, server, TLS version, cipher, user; or "refused", SQL state, error
 * number, and the messages of the exception and its causes.
 */
public final class Connect {
  public static void main(String[] arguments) throws IOException {
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      System.out.println(String.join("\t", answer(line.split("\t"))));
      System.out.flush();
    }
  }

  private static List<String> answer(String[] words) throws IOException {
    var settings = words[0].endsWith(".yaml") ? ofOpenXchange(Path.of(words[0])) : ofFile(words[0]);
    for (int index = 1; index < words.length; index += 1) {
      var parts = words[index].split("=", 2);
      settings.setProperty(parts[0], parts[1]);
    }
    var url = (String) settings.remove("url");
    try (Connection connection = DriverManager.getConnection(url, settings)) {
      return facts(connection);
    } catch (SQLException error) {
      return refusal(error);
    }
  }

  private static Properties ofFile(String path) throws IOException {
    var settings = new Properties();
    try (var reader = new FileReader(path, StandardCharsets.UTF_8)) {
      settings.load(reader);
    }
    return settings;
  }

  /** A map of one map, whose values count as text: com.openexchange.database.internal.Configuration reads it like this. */
  private static Properties ofOpenXchange(Path path) throws IOException {
    Map<String, Map<String, Object>> file = new Yaml().load(Files.readString(path));
    var settings = new Properties();
    file.get("com.mysql.jdbc").forEach((name, value) -> settings.setProperty(name, value.toString()));
    return settings;
  }

  private static List<String> facts(Connection connection) throws SQLException {
    var about = connection.getMetaData();
    var facts = new ArrayList<>(List.of("connected", about.getDriverName(), about.getDatabaseProductVersion()));
    try (Statement statement = connection.createStatement()) {
      if (about.getDatabaseProductName().equals("PostgreSQL")) {
        var query = "SELECT version, cipher, current_user, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        facts.addAll(row(statement.executeQuery(query), 1, 2, 3, 4));
      } else {
        facts.addAll(row(statement.executeQuery("SHOW SESSION STATUS LIKE 'Ssl_version'"), 2));
        facts.addAll(row(statement.executeQuery("SHOW SESSION STATUS LIKE 'Ssl_cipher'"), 2));
        facts.addAll(row(statement.executeQuery("SELECT CURRENT_USER()"), 1));
      }
    }
    return facts;
  }

  private static List<String> row(ResultSet result, int... columns) throws SQLException {
    try (result) {
      if (!result.next()) return List.of("");
      var texts = new ArrayList<String>();
      for (int column : columns) texts.add(String.valueOf(result.getString(column)));
      return texts;
    }
  }

  private static List<String> refusal(SQLException error) {
    var messages = new ArrayList<String>();
    for (Throwable cause = error; cause != null; cause = cause.getCause())
      messages.add(cause.getClass().getSimpleName() + ": " + cause.getMessage());
    var text = String.join(" | ", messages).replaceAll("\\s+", " ");
    return List.of("refused", String.valueOf(error.getSQLState()), String.valueOf(error.getErrorCode()), text);
  }
}
