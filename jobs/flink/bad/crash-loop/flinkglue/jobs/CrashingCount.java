package flinkglue.jobs;

import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.util.Collector;

/** Counts right, with the same state, and throws when a subtask has counted so many events. */
final class CrashingCount extends CountPerKey {
    private final long crashAfterEvents;
    private transient long eventsSinceStart;

    CrashingCount(long crashAfterEvents) {
        this.crashAfterEvents = crashAfterEvents;
    }

    @Override
    public void processElement(Long event, Context context, Collector<Tuple2<Long, Long>> counts)
            throws Exception {
        if (eventsSinceStart == crashAfterEvents) {
            throw new IllegalStateException("this release fails after " + crashAfterEvents + " events");
        }
        eventsSinceStart += 1;
        super.processElement(event, context, counts);
    }
}
