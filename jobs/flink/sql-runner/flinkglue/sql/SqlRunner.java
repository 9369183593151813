package flinkglue.sql;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.TableEnvironment;

/**
 * Runs the SQL script that lies beside it in its jar, as one job: all its INSERTs are one statement set.
 * Settings come before the first INSERT, and whatever would start a job of its own is refused.
 */
public final class SqlRunner {
    static final String SCRIPT = "flinkglue-script.sql";

    private static final Pattern SETTING =
            Pattern.compile("SET\\s+'(?<key>(?:[^']|'')+)'\\s*=\\s*'(?<value>(?:[^']|'')*)'", Pattern.CASE_INSENSITIVE);
    private static final Pattern SET_BEGINS =
            Pattern.compile("(EXECUTE\\s+STATEMENT\\s+SET\\s+BEGIN|BEGIN\\s+STATEMENT\\s+SET)\\b", Pattern.CASE_INSENSITIVE);
    private static final String[] WITHOUT_A_JOB = {"CREATE", "ALTER", "DROP", "USE", "LOAD", "UNLOAD", "ADD", "REMOVE"};

    private final TableEnvironment environment;
    private final StatementSet inserts;
    private int gathered;

    private SqlRunner(TableEnvironment environment) {
        this.environment = environment;
        this.inserts = environment.createStatementSet();
    }

    public static void main(String[] args) throws Exception {
        if (args.length > 0) {
            throw new IllegalArgumentException("a SQL script takes no arguments: write SET statements into it");
        }
        run(Statements.of(script()));
    }

    private static String script() throws IOException {
        try (InputStream resource = SqlRunner.class.getClassLoader().getResourceAsStream(SCRIPT)) {
            if (resource == null) {
                throw new IllegalStateException("the jar has no " + SCRIPT);
            }
            return new String(resource.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static void run(List<Statement> statements) {
        // Some settings, like the runtime mode, count only when the environment is made.
        Configuration settings = new Configuration();
        for (Statement statement : statements) {
            if (statement.begins("SET")) {
                Matcher setting = setting(statement);
                settings.setString(unquoted(setting.group("key")), unquoted(setting.group("value")));
            }
        }
        EnvironmentSettings made = EnvironmentSettings.newInstance().withConfiguration(settings).build();
        SqlRunner runner = new SqlRunner(TableEnvironment.create(made));
        statements.forEach(runner::execute);
        if (runner.gathered == 0) {
            throw new IllegalArgumentException("the script has no INSERT: there is nothing to run as a job");
        }
        runner.inserts.execute();
    }

    private void execute(Statement statement) {
        Matcher begins = SET_BEGINS.matcher(statement.text);
        if (begins.lookingAt()) {
            String rest = statement.text.substring(begins.end()).trim();
            if (!rest.isEmpty()) {
                execute(new Statement(rest, statement.line));
            }
        } else if (statement.begins("SET")) {
            set(statement);
        } else if (statement.begins("INSERT")) {
            inserts.addInsertSql(statement.text);
            gathered++;
        } else if (!statement.begins("END")) {
            define(statement);
        }
    }

    private void set(Statement statement) {
        if (gathered > 0) {
            throw statement.refused("all INSERTs run as one job; write it before the first of them");
        }
        Matcher setting = setting(statement);
        environment.getConfig().set(unquoted(setting.group("key")), unquoted(setting.group("value")));
    }

    private void define(Statement statement) {
        boolean starts = statement.text.matches("(?is)CREATE\\s+(OR\\s+REPLACE\\s+)?(TEMPORARY\\s+)?TABLE\\b.*\\bAS\\s+SELECT\\b.*")
                || statement.text.matches("(?is)(CREATE|ALTER)\\s+(OR\\s+ALTER\\s+)?MATERIALIZED\\b.*");
        for (String kind : WITHOUT_A_JOB) {
            if (statement.begins(kind) && !starts) {
                environment.executeSql(statement.text);
                return;
            }
        }
        throw statement.refused(
                "a script is one job of INSERTs, with SET, CREATE, ALTER, DROP, USE, LOAD, UNLOAD, ADD and"
                        + " REMOVE before them; what starts a job of its own or prints a result is none of these");
    }

    private static Matcher setting(Statement statement) {
        Matcher setting = SETTING.matcher(statement.text);
        if (!setting.matches()) {
            throw statement.refused("must be SET 'key' = 'value'");
        }
        return setting;
    }

    private static String unquoted(String text) {
        return text.replace("''", "'");
    }
}
