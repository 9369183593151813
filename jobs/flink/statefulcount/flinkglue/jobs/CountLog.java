package flinkglue.jobs;

import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Appends lines {@code epoch_ms job_id total label event counts} to a file of the task manager's own
 * disk, or to its standard output when no file is named.
 */
final class CountLog implements Serializable {
    private final String file;
    private final String label;
    private String jobId;

    CountLog(String file, String label) {
        if (label.isBlank() || label.chars().anyMatch(Character::isWhitespace)) {
            throw new IllegalArgumentException("--label must be one word, not '" + label + "'");
        }
        this.file = file;
        this.label = label;
    }

    void open(String jobId) {
        this.jobId = jobId;
    }

    void write(long total, String event, Map<Long, Long> countPerKey) {
        String counts =
                countPerKey.entrySet().stream()
                        .map(count -> count.getKey() + "=" + count.getValue())
                        .collect(Collectors.joining(","));
        String line =
                String.join(
                        " ",
                        Long.toString(System.currentTimeMillis()),
                        jobId,
                        Long.toString(total),
                        label,
                        event,
                        counts.isEmpty() ? "-" : counts);
        if (file.isEmpty()) {
            System.out.println(line);
        } else {
            append(Path.of(file).toAbsolutePath(), line + "\n");
        }
    }

    private static void append(Path file, String line) {
        try {
            Files.createDirectories(file.getParent());
            Files.writeString(file, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException problem) {
            throw new UncheckedIOException("--output " + file + " cannot be written", problem);
        }
    }
}
