package org.apache.flink.examples.java.wordcount;

import java.io.Serializable;
import java.util.Comparator;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.stream.Collectors;
import org.apache.flink.api.common.accumulators.Accumulator;
import org.apache.flink.api.java.tuple.Tuple2;

/**
 * The most frequent words as {@code the=345, of=221, …}, ties in the order of the alphabet.
 *
 * <p>Each subtask has its own words, so that the best of every subtask's best are the best of all:
 * what travels to the job manager stays small however many words the text has.
 */
final class TopWords implements Accumulator<Tuple2<String, Long>, String> {
    private static final int KEPT = 20;

    // Concurrent: a heartbeat serializes an accumulator while the task goes on adding to it.
    private final ConcurrentSkipListSet<Tuple2<String, Long>> words =
            new ConcurrentSkipListSet<>(new MostFrequentFirst());

    @Override
    public void add(Tuple2<String, Long> count) {
        words.add(Tuple2.of(count.f0, count.f1));
        if (words.size() > KEPT) {
            words.pollLast();
        }
    }

    @Override
    public String getLocalValue() {
        return words.stream().map(count -> count.f0 + "=" + count.f1).collect(Collectors.joining(", "));
    }

    @Override
    public void resetLocal() {
        words.clear();
    }

    @Override
    public void merge(Accumulator<Tuple2<String, Long>, String> other) {
        ((TopWords) other).words.forEach(this::add);
    }

    @Override
    public TopWords clone() {
        TopWords copy = new TopWords();
        copy.merge(this);
        return copy;
    }

    private static final class MostFrequentFirst implements Comparator<Tuple2<String, Long>>, Serializable {
        private static final long serialVersionUID = 1L;

        @Override
        public int compare(Tuple2<String, Long> one, Tuple2<String, Long> other) {
            int byCount = other.f1.compareTo(one.f1);
            return byCount != 0 ? byCount : one.f0.compareTo(other.f0);
        }
    }
}
