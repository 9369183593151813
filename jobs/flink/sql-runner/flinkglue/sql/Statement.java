package flinkglue.sql;

import java.util.Locale;

/** One statement of a script, and the line that it begins in. */
final class Statement {
    final String text;
    final int line;

    Statement(String text, int line) {
        this.text = text;
        this.line = line;
    }

    /** Whether it begins with these words, in any case and with any blanks between them. */
    boolean begins(String... words) {
        String[] own = text.toUpperCase(Locale.ROOT).split("[\\s(;]+", words.length + 1);
        if (own.length < words.length) {
            return false;
        }
        for (int at = 0; at < words.length; at++) {
            if (!own[at].equals(words[at])) {
                return false;
            }
        }
        return true;
    }

    /** What it is, in the words that it begins with. */
    String kind() {
        String[] words = text.toUpperCase(Locale.ROOT).split("[\\s(;]+", 3);
        return words.length < 2 ? words[0] : words[0] + " " + words[1];
    }

    IllegalArgumentException refused(String why) {
        return new IllegalArgumentException("line " + line + ", " + kind() + ": " + why);
    }
}
