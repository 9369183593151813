package flinkglue.sql;

import java.util.ArrayList;
import java.util.List;

/**
 * Splits a script into its statements, at each semicolon that stands in no literal, no quoted name and
 * no comment. Comments are left out, hints are kept.
 */
final class Statements {
    private final String script;
    private final List<Statement> found = new ArrayList<>();
    private final StringBuilder text = new StringBuilder();
    private int at;
    private int line = 1;
    private int beganAt = 1;

    private Statements(String script) {
        this.script = script;
    }

    /**
     * The statements of a script.
     *
     * @throws IllegalArgumentException something that is quoted, or a comment, has no end
     */
    static List<Statement> of(String script) {
        return new Statements(script).split();
    }

    private List<Statement> split() {
        while (at < script.length()) {
            char next = script.charAt(at);
            if (next == ';') {
                end();
                at++;
            } else if (next == '\'' || next == '"' || next == '`') {
                quoted(next);
            } else if (script.startsWith("--", at)) {
                skipTo("\n");
            } else if (script.startsWith("/*", at) && !script.startsWith("/*+", at)) {
                skipTo("*/");
            } else {
                take();
            }
        }
        end();
        return found;
    }

    private void take() {
        char next = script.charAt(at++);
        if (text.length() == 0 && Character.isWhitespace(next)) {
            line += next == '\n' ? 1 : 0;
            return;
        }
        if (text.length() == 0) {
            beganAt = line;
        }
        line += next == '\n' ? 1 : 0;
        text.append(next);
    }

    /** A quote within is written twice, which reads as an end and a new beginning. */
    private void quoted(char quote) {
        int began = line;
        take();
        while (at < script.length()) {
            boolean ends = script.charAt(at) == quote;
            take();
            if (ends) {
                return;
            }
        }
        throw new IllegalArgumentException("line " + began + ": " + quote + " has no end");
    }

    private void skipTo(String end) {
        int began = line;
        int found = script.indexOf(end, at);
        if (found < 0 && !end.equals("\n")) {
            throw new IllegalArgumentException("line " + began + ": the comment has no end");
        }
        int stop = found < 0 ? script.length() : end.equals("\n") ? found : found + end.length();
        for (; at < stop; at++) {
            line += script.charAt(at) == '\n' ? 1 : 0;
        }
        if (text.length() > 0) {
            text.append(' '); // a comment parts words
        }
    }

    private void end() {
        String whole = text.toString().trim();
        if (!whole.isEmpty()) {
            found.add(new Statement(whole, beganAt));
        }
        text.setLength(0);
    }
}
