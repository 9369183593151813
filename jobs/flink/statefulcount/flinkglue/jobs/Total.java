package flinkglue.jobs;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Counts all events in operator state and reports: lines in the log, the metric {@code total}, the
 * accumulators {@code total} and {@code restored-total}.
 */
final class Total extends ProcessFunction<Tuple2<Long, Long>, Void> implements CheckpointedFunction {
    private static final long LINE_EVERY_MILLIS = 1000;

    private final CountLog log;
    private final LongCounter published = new LongCounter();
    private final LongCounter restored = new LongCounter();
    // The keyed counts as they arrive; after a restore a key is shown from its next event on.
    private final Map<Long, Long> countPerKey = new TreeMap<>();

    private transient ListState<Long> state;
    private transient volatile long total; // the metric is read by another thread
    private transient long nextLineMillis;

    Total(CountLog log) {
        this.log = log;
    }

    @Override
    public void setRuntimeContext(RuntimeContext context) {
        super.setRuntimeContext(context);
        context.addAccumulator("total", published);
        context.addAccumulator("restored-total", restored);
        context.getMetricGroup().gauge("total", (Gauge<Long>) () -> total);
        // Not from the context, which tells the job's id by one method in 1.x and by another in 2.x.
        log.open(context.getMetricGroup().getAllVariables().get("<job_id>"));
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        state = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("total", Types.LONG));
        for (long part : state.get()) {
            total += part;
        }
        restored.add(total);
        published.add(total);
        log.write(total, context.isRestored() ? "restored" : "started", countPerKey);
    }

    @Override
    public void processElement(Tuple2<Long, Long> count, Context context, Collector<Void> nothing) {
        total += 1;
        published.add(1L);
        countPerKey.put(count.f0, count.f1);
        if (System.currentTimeMillis() >= nextLineMillis) {
            nextLineMillis = System.currentTimeMillis() + LINE_EVERY_MILLIS;
            log.write(total, "running", countPerKey);
        }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        state.update(List.of(total));
        log.write(total, "snapshot-" + context.getCheckpointId(), countPerKey);
    }

    @Override
    public void close() {
        if (state != null) { // a restore that failed closes what it never initialized
            log.write(total, "closed", countPerKey);
        }
    }
}
