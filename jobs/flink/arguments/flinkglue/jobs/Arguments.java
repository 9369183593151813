package flinkglue.jobs;

import java.io.Serializable;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Program arguments of the form {@code --name value}.
 *
 * <p>Flink's own {@code ParameterTool} changed its package between 1.x and 2.x, and takes a mistyped
 * name without a word.
 */
public final class Arguments implements Serializable {
    private final Map<String, String> values = new LinkedHashMap<>();

    private Arguments() {}

    /**
     * Reads the arguments of a job.
     *
     * @throws IllegalArgumentException naming the argument that is unknown, double or has no value
     */
    public static Arguments of(String[] given, String... allowed) {
        List<String> names = Arrays.asList(allowed);
        Arguments arguments = new Arguments();
        for (int at = 0; at < given.length; at += 2) {
            String name = given[at].startsWith("--") ? given[at].substring(2) : "";
            if (!names.contains(name)) {
                throw refused("unknown argument '" + given[at] + "'; allowed: --" + String.join(", --", names));
            }
            if (at + 1 == given.length) {
                throw refused("--" + name + " has no value");
            }
            if (arguments.values.put(name, given[at + 1]) != null) {
                throw refused("--" + name + " is given twice");
            }
        }
        return arguments;
    }

    public boolean has(String name) {
        return values.containsKey(name);
    }

    public String required(String name) {
        if (!has(name)) {
            throw refused("--" + name + " is missing");
        }
        return values.get(name);
    }

    public String text(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    /** A whole number of at least {@code least}. */
    public long number(String name, long least, long otherwise) {
        if (!has(name)) {
            return otherwise;
        }
        try {
            long number = Long.parseLong(values.get(name));
            if (number >= least) {
                return number;
            }
        } catch (NumberFormatException notANumber) {
            // Answered below, in the words that a number below the least gets.
        }
        throw refused(
                "--" + name + " must be a whole number of at least " + least + ", not '" + values.get(name) + "'");
    }

    private static IllegalArgumentException refused(String reason) {
        return new IllegalArgumentException(reason);
    }
}
